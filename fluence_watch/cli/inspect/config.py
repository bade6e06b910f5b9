"""`config check`, `config show`, `config example`."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.errors import ConfigError, Problem
from fluence_watch.model.text import inert

if TYPE_CHECKING:
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
    from fluence_watch.settings import find_file

    try:
        settings = settings_from(config)
        doubt = _tried(settings)
    except ConfigError as error:
        for note in error.notes:
            typer.echo(f"fluence-watch: note: {note}", err=True)
        raise
    place: Path | str = find_file(config) or "environment"
    accounts, receivers = len(settings.accounts), len(settings.receivers)
    typer.echo(f"{place}: valid: accounts: {accounts}, receivers: {receivers}")
    for note in (*settings.notes, *doubt):
        typer.echo(f"note: {note}")


def _tried(settings: "WatchSettings") -> list[Problem]:
    """What is doubtful once all parts are tried; raises `ConfigError` with what is wrong in any of them."""
    from fluence_watch.app.wiring import prepare

    wrong: dict[Problem, None] = {}
    doubt: list[Problem] = []
    for attempt in (prepare, _check_templates, lambda given: doubt.extend(_doubt_of_record(given))):
        try:
            attempt(settings)
        except ConfigError as error:
            wrong |= dict.fromkeys(settings.placed(error.problems))
    if wrong:
        raise ConfigError([*wrong], settings.notes)
    return doubt


def _check_templates(settings: "WatchSettings") -> None:
    """Fill the templates of a user with samples, those that can be read; raises `ConfigError`."""
    if not settings.templates.dir:
        return
    from fluence_watch.app.wiring import RANKS
    from fluence_watch.notify.custom import UserWords
    from fluence_watch.notify.lint import problems
    from fluence_watch.notify.overrides import readable_overrides

    found, _ = readable_overrides(settings.templates.dir)
    wrong = problems(UserWords(found), RANKS) if found else []
    if wrong:
        raise ConfigError(wrong)


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
        problems = [Problem("record.dir", inert(what, _LONGEST))]
        if isinstance(error, PermissionError):
            return settings.placed(problems)
        raise ConfigError(problems) from None
    return []


def show(config: ConfigOption = None) -> None:
    """Print the settings in effect, secrets hidden."""
    from fluence_watch.settings.document import show as shown

    typer.echo(shown(settings_from(config)), nl=False)


def example() -> None:
    """Print a settings file with every setting and its default."""
    from fluence_watch.settings.document import example as text

    typer.echo(text(), nl=False)
