"""Options that several commands take."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.output import OutputFormat
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.settings import WatchSettings

_LONGEST = 1000

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The settings file.", show_default="the usual places"
    ),
]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only this account.")
]
FormatOption = Annotated[
    OutputFormat,
    typer.Option(
        "--format",
        "-o",
        help="How to print. A table leaves columns out to fit the terminal; wide has them all.",
    ),
]


def check_account(name: str | None, known: Sequence[str]) -> None:
    """Raise `ConfigError`, with the nearest name, if an account is named and not known."""
    check_name("--account", name, known)


def check_name(option: str, name: str | None, known: Sequence[str]) -> None:
    """Raise `ConfigError`, with the nearest name, if an option names what is not known."""
    if name is None or name in known:
        return
    from fluence_watch.errors import ConfigError, Problem
    from fluence_watch.settings.checks.doubt import hint

    what = f"there is no {name!r}; {hint(name, known)}"
    raise ConfigError([Problem(option, inert(what, _LONGEST))])


def settings_from(config: Path | None) -> "WatchSettings":
    """The settings that a command was pointed to; raises `ConfigError`.

    Log errors alone from now on, to standard error: a command prints its results itself.
    """
    from fluence_watch.app.logs import configure_logs
    from fluence_watch.settings import LogSettings, find_file, load_settings

    configure_logs(LogSettings(level="error"))
    return load_settings(find_file(config))
