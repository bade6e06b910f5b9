"""`config check`, `config show`, `config example`."""

from pathlib import Path

import typer

from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(no_args_is_help=True, help="Check, show or start a configuration.")
    group.command("check")(check)
    group.command("show")(show)
    group.command("example")(example)
    app.add_typer(group, name="config")


def check(config: ConfigOption = None) -> None:
    """Check the settings, print errors and doubtful settings.

    Each has its key and place. Exits with 2 when there is an error; doubtful settings are notes, and leave it at 0.
    """
    from fluence_watch.app.wiring import prepare
    from fluence_watch.settings import find_file

    try:
        settings = prepare(settings_from(config)).settings
    except ConfigError as error:
        for note in error.notes:
            typer.echo(f"fluence-watch: note: {note}", err=True)
        raise
    place: Path | str = find_file(config) or "environment"
    accounts, receivers = len(settings.accounts), len(settings.receivers)
    typer.echo(f"{place}: valid: accounts: {accounts}, receivers: {receivers}")
    for note in settings.notes:
        typer.echo(f"note: {note}")


def show(config: ConfigOption = None) -> None:
    """Print the settings in effect, secrets hidden."""
    from fluence_watch.settings.document import show as shown

    typer.echo(shown(settings_from(config)), nl=False)


def example() -> None:
    """Print a settings file with every setting and its default."""
    from fluence_watch.settings.document import example as text

    typer.echo(text(), nl=False)
