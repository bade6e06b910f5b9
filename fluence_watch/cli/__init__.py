"""The command line: where it starts, and how it ends."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fluence_watch.errors import ConfigError, FluenceWatchError

USAGE = 2
_INTERRUPTED = 130


def main() -> None:
    """Run the command line; an expected error is one clear message and exit code 2."""
    try:
        _run(sys.argv[1:])
    except ConfigError as error:
        for problem in error.problems:
            print(f"fluence-watch: {problem}", file=sys.stderr)  # noqa: T201 - for the user
        sys.exit(USAGE)
    except FluenceWatchError as error:
        print(f"fluence-watch: {error}", file=sys.stderr)  # noqa: T201 - for the user
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader has closed the pipe; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run(arguments: Sequence[str]) -> None:
    """Run a command; `run` without a library for command lines, which costs 6 MB."""
    match arguments:
        case ["run"]:
            _watch(None)
        case ["run", "--config", file] if not file.startswith("-"):
            _watch(Path(file))
        case _:
            from fluence_watch.cli.commands import app

            app()


def _watch(config: Path | None) -> None:
    from fluence_watch.app.start import watch

    watch(config)
