"""When to send a queued message, and when it is out of date.

A receiver gets its messages in order.
While it refuses the first message, the others wait, and retries back off.
After `PROBE_AFTER` refusals of the first message, the others are tried too.
The first message is at fault if the others are accepted and it was refused `GIVE_UP_AFTER` times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.model.finding import Fingerprint

INITIAL_BACKOFF = timedelta(seconds=5)
MAX_BACKOFF = timedelta(minutes=5)
PROBE_AFTER = 5
GIVE_UP_AFTER = 20

FiringSince = Mapping[Fingerprint, datetime]
"""The firing alerts with their `active_at`. A later episode of a problem is another alert."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in the outbox.

    `in_flight` means that an attempt started and its outcome is unknown: it may have arrived.
    """

    id: int
    message: Message
    attempts: int = 0
    next_attempt_at: datetime | None = None
    in_flight: bool = False


class Fate(StrEnum):
    """What to do with a queued message now."""

    SEND = "send"
    SUMMARIZE = "summarize"


def backoff(attempts: int, jitter: float) -> timedelta:
    """The wait after this many failed attempts. `jitter` in 0..1 varies it by up to 25 %."""
    doubled = INITIAL_BACKOFF * (1 << min(max(attempts, 1) - 1, 16))
    return min(doubled, MAX_BACKOFF) * (0.75 + jitter / 2)


def wait_left(next_attempt_at: datetime, now: datetime) -> timedelta:
    """The time left until a stored time. Zero or less means now.

    A time further ahead than any wait means that the clock was set back. It counts as now.
    """
    left = next_attempt_at - now
    return left if left <= MAX_BACKOFF * (0.75 + 0.5) else timedelta(0)


def fate(message: Message, firing: FiringSince, stale_after: timedelta, now: datetime) -> Fate:
    """Send the message if anything in it still matters, otherwise summarize it."""
    fresh = now - message.created_at <= stale_after
    matters = any(_matters(item, firing, now, fresh=fresh) for item in message.items)
    return Fate.SEND if matters or _hidden_matter(message, firing) else Fate.SUMMARIZE


def superseded(queue: Sequence[Queued]) -> list[Queued]:
    """The messages with nothing but repeats that later messages in the queue repeat again.

    A long message that only counts some alerts is never superseded.
    Later messages may not contain the alerts that it only counts.
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
    """Whether an alert that a long message only counts may still fire."""
    if not _hides(message):
        return False
    rules = {count.rule for count in message.counts if count.firing}
    return any(
        f.account == message.account and f.rule in rules and active_at <= message.created_at
        for f, active_at in firing.items()
    )


def _hides(message: Message) -> bool:
    return message.firing + message.resolved > len(message.items)
