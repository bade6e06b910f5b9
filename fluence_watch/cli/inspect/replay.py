"""`replay`: what the watcher would have told of recorded polls."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import OutputFormat

if TYPE_CHECKING:
    from fluence_watch.app.rehearsal.replay import Replayed
    from fluence_watch.settings import WatchSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def _moment(text: str) -> datetime:
    """Read a day or a time in UTC; ends the command where it is none."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        what = f"{text!r:.40} is no time: write 2026-11-29 or 2026-11-29T18:00 (UTC)"
        raise typer.BadParameter(what) from None
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def replay(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The record: [record] dir.")],
    config: ConfigOption = None,
    diff: Annotated[
        Path | None,
        typer.Option(metavar="OLD", help="Print only what differs from these settings."),
    ] = None,
    *,
    since: Annotated[
        datetime | None,
        typer.Option(parser=_moment, metavar="TIME", help="Messages from then on (UTC)."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(parser=_moment, metavar="TIME", help="Messages before.")
    ] = None,
    account: AccountOption = None,
    receiver: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only messages to this receiver.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Print messages as a whole.")] = False,
    form: FormatOption = OutputFormat.TABLE,
) -> None:
    """Print what other settings would have told of recorded polls.

    Each message with its time, its receiver, why, and its first words.

    Nothing is requested or sent. Secrets and addresses in the settings are not needed.
    """
    from fluence_watch.app.rehearsal.replay import Wanted
    from fluence_watch.app.rehearsal.replay import replay as live_through
    from fluence_watch.cli.common.options import check_name
    from fluence_watch.cli.inspect import replay_shown

    settings = _settings(config)
    check_name("--account", account, [each.name for each in settings.accounts])
    check_name("--receiver", receiver, [each.name for each in settings.receivers])
    wanted = Wanted(account=account, receiver=receiver)
    wanted = wanted._replace(since=since or wanted.since, until=until or wanted.until)
    _check_folder(folder)
    found = live_through(settings, folder, wanted)
    _remark(found)
    if diff is None:
        replay_shown.print_messages(settings, found, form, full=full)
        return
    old = live_through(_settings(diff), folder, wanted)
    replay_shown.print_differences(old.messages, found.messages, form)


def _settings(config: Path | None) -> "WatchSettings":
    """The settings, without secrets and the environment; raises `ConfigError`."""
    from fluence_watch.app.logs import configure_logs
    from fluence_watch.settings import LogSettings, find_file
    from fluence_watch.settings.source import settings_to_rehearse
    from fluence_watch.settings.toml_file import read_tables

    configure_logs(LogSettings(level="error"))
    file = find_file(config)
    if file is None:
        return settings_to_rehearse({}, Path("config.toml"), "")
    text, tables = read_tables(file)
    return settings_to_rehearse(tables, file, text)


def _check_folder(folder: Path) -> None:
    from fluence_watch.record.files import files_in

    if not any(True for _ in files_in(folder)):
        raise typer.BadParameter(f"there is no record in {folder}", param_hint="DIR")


def _remark(found: "Replayed") -> None:
    """Say on standard error what of the record is not replayed."""
    from fluence_watch.model.text import inert

    for flaw in found.flaws:
        typer.echo(inert(flaw, 500), err=True)
    for name in sorted(found.unwatched):
        typer.echo(f"account {inert(name)} is in the record, and not in the settings", err=True)
