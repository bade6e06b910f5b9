"""`alerts`: what fires, as the daemon on this machine knows it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.age import note_age
from fluence_watch.cli.common.help import CommandGroup
from fluence_watch.cli.common.matchers import check_names, matchers_of
from fluence_watch.cli.common.options import ConfigOption, FormatOption, settings_from
from fluence_watch.cli.common.output import (
    Column,
    OutputFormat,
    Row,
    identity_columns,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.cli.inspect.acknowledge import ack, unack

if TYPE_CHECKING:
    from fluence_watch.alerting.lifecycle import Alert
    from fluence_watch.alerting.matchers import Matchers
    from fluence_watch.alerting.muting import Mutes
    from fluence_watch.alerting.state import AccountState
    from fluence_watch.views.alert import AlertView

_STATE = Column("state", "STATE", drop=3)
_SINCE = Column("since", "SINCE", drop=2)
_WHAT = Column("what", "WHAT", wraps=30)
_ID = Column("id", "ID", drop=4)
_ENDED = Column("ended", "ENDED")
_WAS = Column("what", "WAS", wraps=30)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = CommandGroup(invoke_without_command=True, help=alerts.__doc__)
    group.callback()(alerts)
    group.command("ack")(ack)
    group.command("unack")(unack)
    app.add_typer(group, name="alerts")


def alerts(
    context: typer.Context,
    *,
    config: ConfigOption = None,
    form: FormatOption = OutputFormat.TABLE,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Show those that are over, newest first.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many of those.")] = 100,
    match: Annotated[
        list[str] | None,
        typer.Option("--match", "-m", metavar="MATCHER", help="Only those that match them all."),
    ] = None,
) -> None:
    """Print what fires or is about to, as the local daemon knows.

    On a narrow terminal these are left out, in this order: the account if it is the only one,
    the id, the state, since when, the severity.
    """
    if context.invoked_subcommand:
        return
    from fluence_watch.app.clock import utc_now
    from fluence_watch.app.mutes import configured, current
    from fluence_watch.store import Store

    settings, matchers = settings_from(config), matchers_of(match or [])
    with Store.open(settings.store.url, exclusive=False) as store:
        states = {name: store.load(name).state for name in store.accounts()}
        found = store.history(limit=limit) if resolved else _open(states.values())
        mutes = current(configured(settings), store, utc_now())
    check_names(matchers, states, looks=True)
    now = utc_now()  # after all that is shown: nothing of it is in the future
    polls = {name: states[name].last_poll_at for name in states if name}
    note_age(polls, now, settings.poll.interval)
    views = _views(found, matchers, mutes, now)
    if form is OutputFormat.JSON:
        print_json(views)
    elif views:
        columns = identity_columns([view.account for view in views])
        columns += [_SINCE, _ENDED, _WAS] if resolved else [_STATE, _SINCE, _ID, _WHAT]
        print_rows(columns, [_row(view, now) for view in views], form)
    else:
        typer.echo("nothing" if resolved else "nothing fires")


def _views(
    found: "Sequence[Alert]", matchers: "Matchers", mutes: "Mutes", now: datetime
) -> "list[AlertView]":
    """Those that match, each with what keeps it back."""
    from fluence_watch.alerting.labels import labels
    from fluence_watch.alerting.matchers import all_match
    from fluence_watch.notify.render import brief
    from fluence_watch.views.alert import alert_view

    muted = mutes.by_account(found)
    return [
        alert_view(alert, now, brief, muted(alert, now) or mutes.acknowledgement(alert, now))
        for alert in found
        if all_match(matchers, labels(alert))
    ]


def _open(states: "Iterable[AccountState]") -> "list[Alert]":
    found = [alert for state in states for alert in state.alerts.values()]
    return sorted(found, key=lambda a: (a.state.value, -a.severity.rank, a.fingerprint))


def _row(view: "AlertView", now: datetime) -> Row:
    return {
        "severity": view.severity,
        "rule": view.rule,
        "account": view.account,
        "title": view.title,
        "state": view.muted.why if view.muted else view.state,
        "id": view.short_id,
        "since": lasting(view.since, now),
        "ended": lasting(view.ended_at, now),
        "what": view.what,
    }
