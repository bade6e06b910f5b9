"""`replay`: the messages that settings would have sent for recorded polls."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import AccountOption, ConfigOption, FormatOption
from fluence_watch.cli.common.output import OutputFormat

if TYPE_CHECKING:
    from fluence_watch.app.rehearsal.replay import Replayed, Wanted
    from fluence_watch.settings import WatchSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def _moment(text: str) -> datetime:
    """Read a time, or how long ago it is; ends the command where it is neither."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.times import read_time_or_ago

    try:
        return read_time_or_ago(text, utc_now())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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
        typer.Option(
            parser=_moment, metavar="TIME", help="Messages from then on (UTC), or 2d: so long ago."
        ),
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
    """Show which messages other settings would have sent.

    They are those of recorded polls, each with its time, its receiver, why, and its first words.

    Nothing is requested or sent. Secrets and addresses in the settings are not needed.
    """
    from fluence_watch.app.rehearsal.replay import Wanted
    from fluence_watch.cli.common.options import check_name
    from fluence_watch.cli.inspect import replay_shown

    settings = _settings(config)
    check_name("--account", account, [each.name for each in settings.accounts])
    check_name("--receiver", receiver, [each.name for each in settings.receivers])
    wanted = Wanted(account=account, receiver=receiver)
    wanted = wanted._replace(since=since or wanted.since, until=until or wanted.until)
    _check_span(wanted)
    _check_folder(folder)
    found = _replayed(settings, folder, wanted)
    _remark(settings, found)
    if diff is None:
        replay_shown.print_messages(settings, found, form, full=full)
        return
    before = _settings(diff)
    old = _replayed(before, folder, wanted)
    common = _receivers(before) & _receivers(settings)
    replay_shown.print_differences(old, found, common, form)


def _receivers(settings: "WatchSettings") -> set[str]:
    return {each.name for each in settings.receivers}


def _settings(config: Path | None) -> "WatchSettings":
    """The settings, without secrets and the environment; raises `ConfigError`."""
    from fluence_watch.app.logs import configure_logs
    from fluence_watch.settings import LogSettings, find_file
    from fluence_watch.settings.source import rehearsal_settings

    configure_logs(LogSettings(level="error"))
    return rehearsal_settings(find_file(config))


def _check_span(wanted: "Wanted") -> None:
    if wanted.since >= wanted.until:
        what = f"{wanted.since:%Y-%m-%d %H:%M} UTC is not before --until, {wanted.until:%Y-%m-%d %H:%M} UTC"
        raise typer.BadParameter(what, param_hint="--since")


def _replayed(settings: "WatchSettings", folder: Path, wanted: "Wanted") -> "Replayed":
    """The messages; ends the command where the record cannot be read."""
    from fluence_watch.app.rehearsal.replay import replay as replayed
    from fluence_watch.cli.manage.confirm import USAGE, stop
    from fluence_watch.model.text import inert

    try:
        return replayed(settings, folder, wanted)
    except OSError as error:
        hint = ": run it as the daemon's user" if isinstance(error, PermissionError) else ""
        stop(inert(f"cannot read {error.filename or folder}: {error.strerror}{hint}", 1000), USAGE)


def _check_folder(folder: Path) -> None:
    from fluence_watch.record.files import files_in

    if not any(True for _ in files_in(folder)):
        raise typer.BadParameter(f"there is no record in {folder}", param_hint="DIR")


def _remark(settings: "WatchSettings", found: "Replayed") -> None:
    """Say on standard error what of the record is not replayed, and why nobody is notified."""
    from fluence_watch.model.text import inert

    if all(each.is_alertmanager for each in settings.receivers):
        what = "the settings have no receiver of messages: add [[receivers]], a name is enough"
        typer.echo(what, err=True)
    for flaw in found.flaws:
        typer.echo(inert(flaw, 500), err=True)
    for name in sorted(found.unwatched):
        typer.echo(f"account {inert(name)} is in the record, and not in the settings", err=True)
