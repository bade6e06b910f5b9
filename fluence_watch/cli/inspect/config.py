"""`config check`, `config show`, `config example`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.errors import ConfigError, Problem
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.app.wiring import Setup
    from fluence_watch.settings import WatchSettings

_LONGEST = 1000


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(no_args_is_help=True, help="Check, show or start a configuration.")
    group.command("check")(check)
    group.command("show")(show)
    group.command("example")(example)
    app.add_typer(group, name="config")


def check(config: ConfigOption = None) -> None:
    """Check the settings and templates, print errors and doubts.

    Each has its key and place. Exits with 2 when there is an error; doubtful settings are notes, and leave it at 0.
    """
    from fluence_watch.app.wiring import prepare
    from fluence_watch.settings import find_file

    try:
        setup = prepare(settings_from(config))
        settings = setup.settings
        _check_templates(setup)
        doubt = _doubt_of_record(settings)
    except ConfigError as error:
        for note in error.notes:
            typer.echo(f"fluence-watch: note: {note}", err=True)
        raise
    place: Path | str = find_file(config) or "environment"
    accounts, receivers = len(settings.accounts), len(settings.receivers)
    typer.echo(f"{place}: valid: accounts: {accounts}, receivers: {receivers}")
    for note in (*settings.notes, *doubt):
        typer.echo(f"note: {note}")


def _check_templates(setup: "Setup") -> None:
    """Fill the templates of a user with samples; raises `ConfigError`."""
    if not setup.settings.templates.dir:
        return
    from fluence_watch.app.wiring import RANKS
    from fluence_watch.notify.custom import UserWords
    from fluence_watch.notify.links import LinkedWords
    from fluence_watch.notify.lint import problems

    words = setup.words.words if isinstance(setup.words, LinkedWords) else setup.words
    wrong = problems(words, RANKS) if isinstance(words, UserWords) else []
    if wrong:
        raise ConfigError(wrong, setup.settings.notes)


def _doubt_of_record(settings: "WatchSettings") -> list[Problem]:
    """What is doubtful about the folder of the record; raises `ConfigError` if it cannot be one.

    What this user may not write, the daemon's user perhaps may.
    """
    folder = settings.record.dir
    if folder is None:
        return []
    from fluence_watch.record.files import try_folder

    try:
        try_folder(folder)
    except OSError as error:
        what = f"cannot write to the folder {folder}: {error.strerror}: create it for the daemon's user"
        problems = settings.placed([Problem("record.dir", inert(what, _LONGEST))])
        if isinstance(error, PermissionError):
            return problems
        raise ConfigError(problems, settings.notes) from None
    return []


def show(config: ConfigOption = None) -> None:
    """Print the settings in effect, secrets hidden."""
    from fluence_watch.settings.document import show as shown

    typer.echo(shown(settings_from(config)), nl=False)


def example() -> None:
    """Print a settings file with every setting and its default."""
    from fluence_watch.settings.document import example as text

    typer.echo(text(), nl=False)
