"""When a queued message is sent, and when it is no news any more.

A receiver's messages are sent in order. While it does not accept the first, the others wait, and
tries become rarer. After `PROBE_AFTER` refusals of the first the others are tried as well; when
they are accepted and the first was refused `GIVE_UP_AFTER` times, the first is what is wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.model.finding import Fingerprint

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
PROBE_AFTER = 5
GIVE_UP_AFTER = 20

FiringSince = Mapping[Fingerprint, datetime]
"""What fires now, with the `active_at` of the alert: a later episode is another alert."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in the outbox.

    `in_flight` tells that a try was begun of which no outcome is known: it may have arrived.
    """

    id: int
    message: Message
    attempts: int = 0
    next_attempt_at: datetime | None = None
    in_flight: bool = False


class Fate(StrEnum):
    """What becomes of a queued message now."""

    SEND = "send"
    SUMMARIZE = "summarize"


def wait_after(attempts: int, jitter: float) -> timedelta:
    """How long to wait after so many failed tries; `jitter` in 0..1 spreads it by a quarter."""
    doubled = FIRST_WAIT * (1 << min(max(attempts, 1) - 1, 16))
    return min(doubled, LONGEST_WAIT) * (0.75 + jitter / 2)


def wait_left(next_attempt_at: datetime, now: datetime) -> timedelta:
    """How long to wait for a stored time, zero or less when it has come.

    A time that is further away than any wait is from before the clock was set back.
    """
    left = next_attempt_at - now
    return left if left <= LONGEST_WAIT * (0.75 + 0.5) else timedelta(0)


def fate(message: Message, firing: FiringSince, stale_after: timedelta, now: datetime) -> Fate:
    """Whether the message is still news: whether anything in it still matters."""
    fresh = now - message.created_at <= stale_after
    matters = any(_matters(item, firing, now, fresh=fresh) for item in message.items)
    return Fate.SEND if matters or _hidden_matter(message, firing) else Fate.SUMMARIZE


def superseded(queue: Sequence[Queued]) -> list[Queued]:
    """Messages of nothing but repeats, all of which later ones in the queue say again.

    What a long message only counts may not be said again: it is never among them.
    """
    said: set[tuple[Fingerprint, datetime]] = set()
    found = []
    for queued in reversed(queue):
        items = queued.message.items
        again = bool(items) and all(item.repeated and _episode(item) in said for item in items)
        if again and not _hides(queued.message):
            found.append(queued)
        said |= {_episode(item) for item in items if item.firing}
    return found[::-1]


def _episode(item: Item) -> tuple[Fingerprint, datetime]:
    return item.fingerprint, item.active_at


def _matters(item: Item, firing: FiringSince, now: datetime, *, fresh: bool) -> bool:
    if item.relevant_until is not None and now >= item.relevant_until:
        return False
    return fresh or (item.firing and firing.get(item.fingerprint) == item.active_at)


def _hidden_matter(message: Message, firing: FiringSince) -> bool:
    """Whether, of what a long message only counts, something may still fire."""
    if not _hides(message):
        return False
    rules = {count.rule for count in message.counts if count.firing}
    return any(
        f.account == message.account and f.rule in rules and active_at <= message.created_at
        for f, active_at in firing.items()
    )


def _hides(message: Message) -> bool:
    return message.firing + message.resolved > len(message.items)
