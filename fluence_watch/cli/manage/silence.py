"""`silence add|ls|expire`: no messages about what matches, for a while."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.login import signature
from fluence_watch.cli.common.matchers import check_names, matchers_of
from fluence_watch.cli.common.options import ConfigOption, FormatOption, settings_from
from fluence_watch.cli.common.output import Column, OutputFormat, print_rows
from fluence_watch.cli.common.prefix import whole_id
from fluence_watch.cli.manage.confirm import USAGE, stop
from fluence_watch.model.moment import distance, exact
from fluence_watch.model.text import counted, inert

if TYPE_CHECKING:
    from fluence_watch.alerting.lifecycle import Alert
    from fluence_watch.alerting.matchers import Matchers
    from fluence_watch.alerting.muting import Silence
    from fluence_watch.settings import WatchSettings
    from fluence_watch.store import Store

_COLUMNS = (
    Column("id", "ID"),
    Column("state", "STATE"),
    Column("matchers", "MATCHERS", wraps=30),
    Column("starts_at", "BEGINS", drop=1),
    Column("ends_at", "ENDS"),
    Column("author", "BY", drop=2),
    Column("comment", "COMMENT", wraps=20),
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(no_args_is_help=True, help="Keep messages back for a while.")
    group.command("add")(add)
    group.command("ls")(ls)
    group.command("expire")(expire)
    app.add_typer(group, name="silence")


def add(
    match: Annotated[
        list[str],
        typer.Option(
            "--match", "-m", metavar="MATCHER", help="Such as 'vm=~\"web-.*\"'; all must match."
        ),
    ],
    lasts: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="How long, such as 2h.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Or until when, such as 2026-12-01T08:00.")
    ] = None,
    *,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it begins.", show_default="now")
    ] = None,
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose it is.", show_default="your login")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Send no messages about alerts that match. Times without a zone are UTC."""
    from secrets import token_hex

    from fluence_watch.alerting.muting import Silence
    from fluence_watch.app.clock import utc_now
    from fluence_watch.store import Store

    now = utc_now()
    begins = _time(start, "--start") if start else now
    ends = _end(lasts, until, begins)
    if ends <= max(begins, now):
        stop(f"--until: {exact(ends, now)} is over: nothing would be silenced", USAGE)
    matchers = matchers_of(match)
    who, why = signature(author, comment)
    silence = Silence(token_hex(4), matchers, begins, ends, why, who)
    settings = settings_from(config)
    with Store.open(settings.store.url, exclusive=False, notes=True) as store:
        check_names(matchers, [*store.accounts(), *(each.name for each in settings.accounts)])
        store.silences.add(silence)
        mutes = _matching(store, matchers)
    typer.echo(
        f"{silence.id}: {_shown(matchers)}, until {exact(ends, now)} ({distance(ends, now)})"
    )
    typer.echo(_effect(mutes, now, begins))


def ls(
    *,
    config: ConfigOption = None,
    form: FormatOption = OutputFormat.TABLE,
    expired: Annotated[bool, typer.Option("--expired", help="Those that are over too.")] = False,
) -> None:
    """List silences, and maintenance of the settings that is on now."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.store import Store

    settings, now = settings_from(config), utc_now()
    with Store.open(settings.store.url, exclusive=False) as store:
        found = store.silences.all(None if expired else now)
    rows = [_row(each, _state(each, now), now, form) for each in found]
    rows += [_row(each, "maintenance", now, form) for each in _maintenance(settings, now)]
    if rows or form is OutputFormat.JSON:
        print_rows(_COLUMNS, rows, form)
    else:
        typer.echo("nothing is silenced")


def expire(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="As `silence ls` has it.")],
    *,
    config: ConfigOption = None,
) -> None:
    """End silences now. What still fires is notified of."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.store import Store

    now = utc_now()
    with Store.open(settings_from(config).store.url, exclusive=False, notes=True) as store:
        known = {each.id: each for each in store.silences.all(now)}
        chosen = [known[whole_id(each, known, "active silence", "silence ls")] for each in ids]
        for silence in chosen:
            store.silences.expire(silence.id, now)
    for silence in chosen:
        typer.echo(f"{silence.id}: ended; it was {_shown(silence.matchers)}")


def _end(lasts: str | None, until: str | None, begins: datetime) -> datetime:
    from fluence_watch.model.duration import parse_duration

    if (lasts is None) == (until is None):
        stop("say how long with --for 2h, or until when with --until TIME", USAGE)
    if until is not None:
        return _time(until, "--until")
    try:
        return begins + parse_duration(lasts or "")
    except (ValueError, OverflowError) as error:
        stop(f"--for: {inert(str(error))}", USAGE)


def _time(text: str, option: str) -> datetime:
    from fluence_watch.cli.common.times import read_time

    try:
        return read_time(text)
    except ValueError as error:
        stop(f"{option}: {error}", USAGE)


def _matching(store: "Store", matchers: "Matchers") -> "list[Alert]":
    """The alerts that fire and that it mutes."""
    from fluence_watch.alerting.labels import labels
    from fluence_watch.alerting.lifecycle import State
    from fluence_watch.alerting.matchers import all_match

    found = [each for name in store.accounts() for each in store.load(name).state.alerts.values()]
    return [
        each for each in found if each.state is State.FIRING and all_match(matchers, labels(each))
    ]


def _effect(mutes: "Sequence[Alert]", now: datetime, begins: datetime) -> str:
    if begins - now > timedelta(0):
        return f"it begins {distance(begins, now)}"
    if not mutes:
        return "nothing of what fires now matches"
    rules = ", ".join(sorted({each.fingerprint.rule for each in mutes}))
    return f"mutes {counted(len(mutes), 'alert')} that fire{'s' * (len(mutes) == 1)} now: {rules}"


def _shown(matchers: "Matchers") -> str:
    return ", ".join(map(str, matchers))


def _maintenance(settings: "WatchSettings", now: datetime) -> "Iterator[Silence]":
    """The maintenance that is on now, as the silence that it is."""
    from fluence_watch.alerting.muting import Silence

    for each in settings.maintenance:
        its = each.maintenance
        if ends_at := its.ends_at(now):
            yield Silence(
                each.name, its.matchers, ends_at - its.duration, ends_at, "of the settings"
            )


def _state(silence: "Silence", now: datetime) -> str:
    return "active" if silence.is_active(now) else "pending" if silence.starts_at > now else "over"


def _row(silence: "Silence", state: str, now: datetime, form: OutputFormat) -> dict[str, object]:
    return {
        "id": silence.id,
        "state": state,
        "matchers": _shown(silence.matchers),
        "starts_at": _moment(silence.starts_at, now, form),
        "ends_at": _moment(silence.ends_at, now, form),
        "author": silence.author,
        "comment": silence.comment,
    }


def _moment(at: datetime, now: datetime, form: OutputFormat) -> object:
    return at if form is OutputFormat.JSON else exact(at, now)
