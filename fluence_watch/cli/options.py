"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

from fluence_watch.cli.output import Format
from fluence_watch.settings import WatchSettings, find_file, load_settings

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="The settings file.", show_default="the usual places"
    ),
]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Only this account.")
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]


def settings_from(config: Path | None) -> WatchSettings:
    """The settings that a command was pointed to; raises `ConfigError`."""
    return load_settings(find_file(config))
