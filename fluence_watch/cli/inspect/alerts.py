"""`alerts`: what fires, as the daemon on this machine knows it."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

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

if TYPE_CHECKING:
    from fluence_watch.views.alert import AlertView

_STATE = Column("state", "STATE", drop=3)
_SINCE = Column("since", "SINCE", drop=2)
_WHAT = Column("what", "WHAT", wraps=30)
_ENDED = Column("ended", "ENDED")
_WAS = Column("what", "WAS", wraps=30)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(alerts)


def alerts(
    config: ConfigOption = None,
    form: FormatOption = OutputFormat.TABLE,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Show those that are over, newest first.")
    ] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="How many of those.")] = 100,
) -> None:
    """Print what fires or is about to, as the local daemon knows.

    On a narrow terminal these are left out, in this order: the account if it is the only one,
    the state, since when, the severity.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.notify.render import brief
    from fluence_watch.store import Store
    from fluence_watch.views.alert import alert_view

    now = utc_now()
    with Store.open(settings_from(config).store.url, exclusive=False) as store:
        if resolved:
            found = store.history(limit=limit)
        else:
            states = [store.load(name).state for name in store.accounts()]
            found = [alert for state in states for alert in state.alerts.values()]
            found.sort(key=lambda a: (a.state.value, -a.severity.rank, a.fingerprint))
    views = [alert_view(alert, now, brief) for alert in found]
    if form is OutputFormat.JSON:
        print_json(views)
    elif views:
        columns = identity_columns([view.account for view in views])
        columns += [_SINCE, _ENDED, _WAS] if resolved else [_STATE, _SINCE, _WHAT]
        print_rows(columns, [_row(view, now) for view in views], form)
    else:
        typer.echo("nothing" if resolved else "nothing fires")


def _row(view: "AlertView", now: datetime) -> Row:
    return {
        "severity": view.severity,
        "rule": view.rule,
        "account": view.account,
        "title": view.title,
        "state": view.state,
        "since": lasting(view.since, now),
        "ended": lasting(view.ended_at, now),
        "what": view.what,
    }
