"""Options that several commands take."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.output import OutputFormat

if TYPE_CHECKING:
    from fluence_watch.settings import WatchSettings

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


def settings_from(config: Path | None) -> "WatchSettings":
    """The settings that a command was pointed to; raises `ConfigError`.

    Log errors alone from now on, to standard error: a command prints its results itself.
    """
    from fluence_watch.app.logs import configure_logs
    from fluence_watch.settings import LogSettings, find_file, load_settings

    configure_logs(LogSettings(level="error"))
    return load_settings(find_file(config))
