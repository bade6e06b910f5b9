"""`alerts ack|unack`: somebody takes care of an alert."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.login import signature
from fluence_watch.cli.common.options import ConfigOption, settings_from
from fluence_watch.cli.common.prefix import whole_id
from fluence_watch.cli.manage.confirm import USAGE, stop
from fluence_watch.model.moment import distance, exact
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.alerting.lifecycle import Alert
    from fluence_watch.store import Store

_LONGEST = timedelta(days=366)

IdsArgument = Annotated[
    list[str], typer.Argument(metavar="ID...", help="As `alerts` has it; its beginning is enough.")
]


def ack(
    ids: IdsArgument,
    lasts: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long, such as 4h.")
    ] = "1d",
    comment: Annotated[str, typer.Option(metavar="TEXT", help="What is done about it.")] = "",
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who.", show_default="your login")
    ] = None,
    *,
    config: ConfigOption = None,
) -> None:
    """Do not repeat or escalate an alert for a while, unless it is worse."""
    from fluence_watch.alerting.muting import Acknowledgement
    from fluence_watch.app.clock import utc_now
    from fluence_watch.store import Store

    now, duration = utc_now(), _duration(lasts)
    with Store.open(settings_from(config).store.url, exclusive=False, notes=True) as store:
        for alert in _chosen(store, ids):
            signed = signature(author, comment)
            taken = Acknowledgement(now, now + duration, alert.severity, alert.step, *signed)
            if not store.silences.acknowledge(alert.episode, taken):
                stop(_why_not(store, alert, now), USAGE)
            until = f"until {exact(taken.until, now)} ({distance(taken.until, now)})"
            typer.echo(f"{_heading(alert, now)}: acknowledged {until}, or until it is worse")


def unack(ids: IdsArgument, *, config: ConfigOption = None) -> None:
    """Withdraw an acknowledgement: repeat and escalate again."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.store import Store

    now = utc_now()
    with Store.open(settings_from(config).store.url, exclusive=False, notes=True) as store:
        for alert in _chosen(store, ids):
            withdrawn = store.silences.withdraw(alert.episode, now)
            done = (
                "not acknowledged any more"
                if withdrawn
                else "is not acknowledged, so there is nothing to withdraw"
            )
            typer.echo(f"{_heading(alert, now)}: {done}")


def _heading(alert: "Alert", now: datetime) -> str:
    from fluence_watch.views.alert import alert_view

    return alert_view(alert, now, lambda *_: "").heading


def _why_not(store: "Store", read: "Alert", now: datetime) -> str:
    """What became of an alert since it was read: it is over, or worse."""
    from fluence_watch.alerting.attempts import mark
    from fluence_watch.notify.render import brief

    alert_id, heading = mark(read.episode), _heading(read, now)
    alert = store.alert(alert_id)
    if alert is None or alert.ends_at is not None:
        return f"{heading}: it is over"
    what = f"{alert.severity}, {brief(alert.facts, now)}"
    return (
        f"{heading}: it is worse now, and not acknowledged: {what}\n"
        f"to acknowledge it as it is now: fluence-watch alerts ack {alert_id}"
    )


def _chosen(store: "Store", ids: list[str]) -> "list[Alert]":
    from fluence_watch.alerting.attempts import mark

    known = {
        mark(alert.episode): alert
        for name in store.accounts()
        for alert in store.load(name).state.alerts.values()
    }
    return [known[whole_id(wanted, known, "open alert", "alerts")] for wanted in ids]


def _duration(text: str) -> timedelta:
    from fluence_watch.cli.common.times import read_duration

    try:
        return read_duration(text, _LONGEST)
    except ValueError as error:
        stop(f"--for: {inert(str(error))}", USAGE)
