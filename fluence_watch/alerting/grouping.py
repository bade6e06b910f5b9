"""All that one poll tells one receiver is one message: worst first, and never too long."""

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import LastNotified, Reason, Route, needs_telling
from fluence_watch.model.finding import Fingerprint, Severity

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Item:
    """One alert in a message, as it was when the message was made."""

    fingerprint: Fingerprint
    severity: Severity
    firing: bool
    facts: object
    active_at: datetime
    ends_at: datetime | None = None
    relevant_until: datetime | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many alerts of a rule and severity the message is about, shown or not."""

    rule: str
    severity: Severity
    firing: bool
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver is told of one poll of one account: data, to be worded when sent.

    `items` are at most `SHOWN`, worst first; `counts` are of all, worst first.
    """

    receiver: str
    account: str
    created_at: datetime
    items: tuple[Item, ...]
    counts: tuple[Count, ...]

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return sum(count.number for count in self.counts if count.firing)

    @property
    def resolved(self) -> int:
        """How many alerts resolved."""
        return sum(count.number for count in self.counts if not count.firing)


def compose(
    account: str,
    alerts: Iterable[Alert],
    told: LastNotified,
    routes: Sequence[Route],
    now: datetime,
    *,
    paused: Container[str] = frozenset(),
) -> tuple[list[Message], dict[tuple[Fingerprint, str], datetime]]:
    """The messages of one poll, one a receiver at most, and who is told of what by them.

    `alerts` are those that are open and those that this poll ended. Those with a `paused` subject
    are not repeated.
    """
    settled = [alert for alert in alerts if alert.state is not State.PENDING]
    messages: list[Message] = []
    telling: dict[tuple[Fingerprint, str], datetime] = {}
    for route in routes:
        items = []
        for alert in settled:
            told_at = told.get((alert.fingerprint, route.receiver))
            repeats = alert.fingerprint.subject not in paused
            if reason := needs_telling(alert, route, told_at, now, repeats=repeats):
                items.append(_item(alert, reason))
                telling[alert.fingerprint, route.receiver] = now
        if items:
            messages.append(_message(route.receiver, account, now, items))
    return messages, telling


def _item(alert: Alert, reason: Reason) -> Item:
    return Item(
        fingerprint=alert.fingerprint,
        severity=alert.severity,
        firing=alert.state is State.FIRING,
        facts=alert.facts,
        active_at=alert.active_at,
        ends_at=alert.ends_at,
        relevant_until=alert.relevant_until,
        repeated=reason is Reason.REPEAT,
    )


def _message(receiver: str, account: str, now: datetime, items: list[Item]) -> Message:
    items.sort(key=_worst_first)
    tally = Counter((item.fingerprint.rule, item.severity, item.firing) for item in items)
    counts = tuple(Count(*kind, number) for kind, number in tally.items())
    return Message(receiver, account, now, tuple(items[:SHOWN]), counts)


def _worst_first(item: Item) -> tuple[bool, int, str, datetime, Fingerprint]:
    when = item.relevant_until or item.active_at
    return not item.firing, -item.severity.rank, item.fingerprint.rule, when, item.fingerprint
