"""One message per account and receiver, of bounded length, with the worst alert first."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

from fluence_watch.alerting.escalation import Escalated
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Line, Reason, Told
from fluence_watch.model.finding import Fingerprint, Impact, Severity

SHOWN = 20
"""The most alerts that a message lists."""
SHOWN_AFTER_OUTAGE = 10
"""The same for a message that also says what was missed, so that it reads within a screen."""
MISSED_SHOWN = 5
"""The most missed alerts that a message names."""


@dataclass(frozen=True, slots=True)
class Rank:
    """How a rule's alerts are ordered. A receiver is notified of an `event` only once."""

    impact: Impact = Impact.NONE
    event: bool = False
    deadline: Callable[[Any], datetime | None] = lambda _: None


class Status(StrEnum):
    """What a message says of an alert: it fires, it resolved, or both happened unnoticed."""

    FIRING = "firing"
    RESOLVED = "resolved"
    MISSED = "missed"


_STATUS = {Reason.RESOLVED: Status.RESOLVED, Reason.MISSED: Status.MISSED}


class Link(NamedTuple):
    """Where a reader can go from a message, and what for."""

    words: str
    url: str


@dataclass(frozen=True, slots=True)
class Item:
    """One alert in a message. An event has no `ends_at`: that it is over says nothing.

    `links` begin with that to its page; those that do something follow.
    """

    fingerprint: Fingerprint
    severity: Severity
    status: Status
    facts: object
    active_at: datetime
    ends_at: datetime | None = None
    relevant_until: datetime | None = None
    reason: Reason = Reason.FIRST
    event: bool = False
    starts_at: datetime | None = None
    escalated: Escalated | None = None
    step: int = 0
    links: tuple[Link, ...] = ()

    @property
    def firing(self) -> bool:
        """Whether the message says that the alert fires."""
        return self.status is Status.FIRING


@dataclass(frozen=True, slots=True)
class Count:
    """The number of alerts of one rule and severity in a message, listed or not."""

    rule: str
    severity: Severity
    status: Status
    number: int


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver is due of one account. Text is rendered when sending.

    `items` are the alerts listed in full (see `in_full`), all events, and the worst of the missed
    ones, in this order: firing, resolved, missed, each with the worst first.
    `counts` cover all alerts, in the same order.
    """

    receiver: str
    account: str
    items: tuple[Item, ...]
    counts: tuple[Count, ...]

    def number(self, status: Status | None = None) -> int:
        """How many alerts of this status the message is about, or of any status."""
        return sum(c.number for c in self.counts if status in {None, c.status})

    @property
    def firing(self) -> int:
        """The number of firing alerts."""
        return self.number(Status.FIRING)

    @property
    def resolved(self) -> int:
        """The number of resolved alerts."""
        return self.number(Status.RESOLVED)

    @property
    def missed(self) -> int:
        """The number of alerts that fired and ended while the receiver could not be reached."""
        return self.number(Status.MISSED)


def group_key(alert: Alert) -> str:
    """The group of an alert. The alerts of a group share messages. A group is an account."""
    return alert.fingerprint.account


def group_opens_at(lines: Sequence[Line], told: Told, route: Route, now: datetime) -> datetime:
    """When the lines of a group may be sent: see `group_wait` and `group_interval` in `Route`.

    A time in the future, because the clock was set back, counts as equally far in the past.
    """
    first_since = min(line.since for line in lines)
    last_at = max((notified.at for notified in told.values()), default=None)
    waits = [route.group_wait - abs(now - first_since)]
    if last_at is not None:
        waits.append(route.group_interval - abs(now - last_at))
    return now + max(*waits, timedelta(0))


def compose(
    receiver: str,
    account: str,
    lines: Iterable[Line],
    ranks: Mapping[str, Rank] | None = None,
) -> Message:
    """The message with these lines. `ranks` is keyed by rule."""
    ranks = ranks or {}
    items = [_item(line, ranks) for line in lines]
    items.sort(key=lambda item: _worst_first(item, ranks.get(item.fingerprint.rule, _UNRANKED)))
    tally = Counter((item.fingerprint.rule, item.severity, item.status) for item in items)
    counts = tuple(Count(*kind, number) for kind, number in tally.items())
    current = [item for item in items if item.status is not Status.MISSED]
    missed = items[len(current) :]
    most = SHOWN_AFTER_OUTAGE if missed else SHOWN
    shown = {id(item) for item in (*in_full(current, most), *in_full(missed, MISSED_SHOWN))}
    kept = (i for i in items if id(i) in shown or (i.event and i.status is not Status.MISSED))
    return Message(receiver, account, tuple(kept), counts)


class Named(Protocol):
    """Something of an alert."""

    @property
    def fingerprint(self) -> Fingerprint:
        """The alert."""


N = TypeVar("N", bound=Named)


def in_full(items: Sequence[N], limit: int) -> list[N]:
    """The items to list in full, at most `limit`, in order: one of each rule, then the worst."""
    first_of_rule = {item.fingerprint.rule: at for at, item in reversed([*enumerate(items)])}
    first = sorted(first_of_rule.values())[:limit]
    others = (at for at in range(len(items)) if at not in set(first))
    return [items[at] for at in sorted([*first, *islice(others, limit - len(first))])]


def _item(line: Line, ranks: Mapping[str, Rank]) -> Item:
    alert = line.alert
    event = ranks.get(alert.fingerprint.rule, _UNRANKED).event
    return Item(
        fingerprint=alert.fingerprint,
        severity=alert.severity,
        status=_STATUS.get(line.reason, Status.FIRING),
        facts=alert.facts,
        active_at=alert.active_at,
        ends_at=None if event else alert.ends_at,
        relevant_until=alert.relevant_until,
        reason=line.reason,
        event=event,
        starts_at=alert.starts_at,
        escalated=line.escalated,
        step=alert.step,
    )


def _worst_first(
    item: Item, rank: Rank
) -> tuple[int, int, Impact, str, datetime, datetime, Fingerprint]:
    deadline = rank.deadline(item.facts) or item.relevant_until or _NEVER
    return (
        _ORDER[item.status],
        -item.severity.rank,
        rank.impact,
        item.fingerprint.rule,
        deadline,
        item.active_at,
        item.fingerprint,
    )


_ORDER = {status: place for place, status in enumerate(Status)}
_UNRANKED = Rank()
_NEVER = datetime.max.replace(tzinfo=UTC)
