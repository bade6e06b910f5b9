"""The command line: where it starts, and how it ends."""

import os
import sys
from types import ModuleType
from typing import Annotated

import typer

from fluence_watch import __version__
from fluence_watch.errors import ConfigError, FluenceWatchError

USAGE = 2
_SERVICE = {"run", "healthcheck"}


def program(*groups: ModuleType) -> typer.Typer:
    """A command line of these groups of commands."""
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},  # the groups below inherit it
        help="Watch the virtual machines you rent on the Fluence marketplace, and what they cost.",
    )
    for group in groups:
        group.register(app)
    app.callback()(_options)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """Run the command line; an expected error is one clear message and exit code 2."""
    try:
        _asked_for(sys.argv[1:2])()
    except ConfigError as error:
        for problem in error.problems:
            print(f"fluence-watch: {problem}", file=sys.stderr)  # noqa: T201 - for the user
        sys.exit(USAGE)
    except FluenceWatchError as error:
        print(f"fluence-watch: {error}", file=sys.stderr)  # noqa: T201 - for the user
        sys.exit(USAGE)
    except BrokenPipeError:
        # Whoever read our output has enough; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _asked_for(command: list[str]) -> typer.Typer:
    """The command line that has this command; a service does not pay for all the others."""
    if _SERVICE.issuperset(command) and command:
        from fluence_watch.cli.service import daemon

        return program(daemon)
    from fluence_watch.cli.commands import app

    return app
