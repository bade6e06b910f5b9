"""One message per poll and receiver, of bounded length, with the worst alert first."""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import LastNotified, Reason, Route, reason_to_notify
from fluence_watch.model.finding import Fingerprint, Impact, Severity

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Rank:
    """How a rule's alerts are ordered. A receiver is notified of an `event` only once."""

    impact: Impact = Impact.NONE
    event: bool = False
    deadline: Callable[[Any], datetime | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Item:
    """One alert in a message, as it was when the message was created."""

    fingerprint: Fingerprint
    severity: Severity
    firing: bool
    facts: object
    active_at: datetime
    ends_at: datetime | None = None
    relevant_until: datetime | None = None
    repeated: bool = False
    event: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """The number of alerts of one rule and severity in a message, listed or not."""

    rule: str
    severity: Severity
    firing: bool
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """The notifications of one poll of one account for one receiver. Text is rendered when sending.

    `items` are the alerts listed in full (see `in_full`) and all events, worst first.
    `counts` cover all alerts, worst first.
    """

    receiver: str
    account: str
    created_at: datetime
    items: tuple[Item, ...]
    counts: tuple[Count, ...]

    @property
    def firing(self) -> int:
        """The number of firing alerts."""
        return sum(count.number for count in self.counts if count.firing)

    @property
    def resolved(self) -> int:
        """The number of resolved alerts."""
        return sum(count.number for count in self.counts if not count.firing)


def compose(
    account: str,
    alerts: Iterable[Alert],
    last_notified: LastNotified,
    routes: Sequence[Route],
    now: datetime,
    *,
    paused: Container[str] = frozenset(),
    ranks: Mapping[str, Rank] | None = None,
) -> tuple[list[Message], dict[tuple[Fingerprint, str], datetime]]:
    """The messages of one poll, at most one per receiver, and which alerts notify whom.

    `alerts` are the open alerts and those that this poll ended.
    Alerts with a `paused` subject are not repeated. `ranks` is keyed by rule.
    """
    ranks = ranks or {}
    settled = [alert for alert in alerts if alert.state is not State.PENDING]
    messages: list[Message] = []
    notified: dict[tuple[Fingerprint, str], datetime] = {}
    for route in routes:
        items = []
        for alert in settled:
            notified_at = last_notified.get((alert.fingerprint, route.receiver))
            repeats = alert.fingerprint.subject not in paused
            if reason := reason_to_notify(alert, route, notified_at, now, repeats=repeats):
                items.append(_item(alert, reason, ranks))
                notified[alert.fingerprint, route.receiver] = now
        if items:
            messages.append(_message(route.receiver, account, now, items, ranks))
    return messages, notified


def in_full(items: Sequence[Item], limit: int) -> list[Item]:
    """The items to list in full, at most `limit`, in order: one of each rule, then the worst."""
    first_of_rule = {item.fingerprint.rule: at for at, item in reversed([*enumerate(items)])}
    first = sorted(first_of_rule.values())[:limit]
    others = (at for at in range(len(items)) if at not in set(first))
    return [items[at] for at in sorted([*first, *islice(others, limit - len(first))])]


def _item(alert: Alert, reason: Reason, ranks: Mapping[str, Rank]) -> Item:
    return Item(
        fingerprint=alert.fingerprint,
        severity=alert.severity,
        firing=alert.state is State.FIRING,
        facts=alert.facts,
        active_at=alert.active_at,
        ends_at=alert.ends_at,
        relevant_until=alert.relevant_until,
        repeated=reason is Reason.REPEAT,
        event=ranks.get(alert.fingerprint.rule, _UNRANKED).event,
    )


def _message(
    receiver: str, account: str, now: datetime, items: list[Item], ranks: Mapping[str, Rank]
) -> Message:
    items.sort(key=lambda item: _worst_first(item, ranks.get(item.fingerprint.rule, _UNRANKED)))
    tally = Counter((item.fingerprint.rule, item.severity, item.firing) for item in items)
    counts = tuple(Count(*kind, number) for kind, number in tally.items())
    shown = {id(item) for item in in_full(items, SHOWN)}
    kept = tuple(item for item in items if item.event or id(item) in shown)
    return Message(receiver, account, now, kept, counts)


def _worst_first(
    item: Item, rank: Rank
) -> tuple[bool, int, Impact, str, datetime, datetime, Fingerprint]:
    deadline = rank.deadline(item.facts) or item.relevant_until or _NEVER
    rule, severity = item.fingerprint.rule, -item.severity.rank
    return (
        not item.firing,
        severity,
        rank.impact,
        rule,
        deadline,
        item.active_at,
        item.fingerprint,
    )


_UNRANKED = Rank()
_NEVER = datetime.max.replace(tzinfo=UTC)
