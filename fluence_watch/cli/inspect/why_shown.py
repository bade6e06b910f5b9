"""What `why` prints, as text."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

import typer

from fluence_watch.alerting.lifecycle import State
from fluence_watch.cli.common.output import console
from fluence_watch.model.moment import distance, exact, to_the_second
from fluence_watch.model.text import counted
from fluence_watch.views.alert import AlertView
from fluence_watch.views.why import AlertWhy, Step, VmWhy


def print_why(told: VmWhy | AlertWhy, now: datetime, *, whole: bool) -> None:
    """Print it as text. What is over, and nobody was notified of, is one line, unless `whole`."""
    lines = (
        alert_lines(told, now) if isinstance(told, AlertWhy) else vm_lines(told, now, whole=whole)
    )
    for line in lines:
        typer.echo(_wrapped(line))


def _wrapped(line: str) -> str:
    """In the width that tables have."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line.strip(),
        console().width,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def alert_lines(told: AlertWhy, now: datetime) -> Iterator[str]:
    """What is printed of an alert."""
    alert = told.alert
    yield f"{alert.heading}: {alert.state}"
    if told.is_cut:
        yield "  earlier steps are left out: --all"
    yield from _lines(told.steps, now)
    if alert.state is State.PENDING:
        yield f"  {alert.what}; seen since {exact(alert.since, now)}, fires when its `for` has passed"
    if not told.receivers:
        yield "  no receiver was notified: there is none"
    for summary in told.receivers:
        yield f"  → {summary.words}"


def _alerts(alerts: Sequence[AlertWhy], now: datetime, *, whole: bool) -> Iterator[str]:
    for short, same in groupby(alerts, lambda each: each.reached_nobody and not whole):
        for each in same:
            yield from [_in_short(each.alert, now)] if short else [*alert_lines(each, now), ""]
        if short:
            yield "why nobody was notified: fluence-watch why ID, or --all"
            yield ""


def _in_short(alert: AlertView, now: datetime) -> str:
    over = alert.ended_at or now
    when = f"{exact(over, now)}, {distance(over, now)}"
    return f"{alert.heading}: over {when}, and nobody was notified: {alert.what}"


def _lines(steps: Sequence[Step], now: datetime) -> Iterator[str]:
    for step in steps:
        yield f"  {to_the_second(step.at, now)}, {distance(step.at, now)}: {step.words}"


def vm_lines(told: VmWhy, now: datetime, *, whole: bool) -> Iterator[str]:
    """What is printed of a VM; see `print_why`."""
    yield from _alerts(told.alerts, now, whole=whole)
    if told.hidden:
        yield f"{counted(told.hidden, 'more alert is', 'more alerts are')} left out: --all"
        yield ""
    if told.unfired:
        yield "what else was seen, and never fired"
        yield from _lines(told.unfired, now)
        yield ""
    if told.rules:
        yield "no finding now"
    elif not (told.alerts or told.unfired):
        yield "nothing was found of it, as far back as is kept"
    width = max((len(each.rule) for each in told.rules), default=0)
    for rule in told.rules:
        yield f"  {rule.rule:{width}}  {rule.words}"
