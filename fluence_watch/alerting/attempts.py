"""The attempts to reach a receiver: when the next one is due, and what may have arrived."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Self

from fluence_watch.alerting.lifecycle import Episode

INITIAL_BACKOFF = timedelta(seconds=5)
MAX_BACKOFF = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts to reach a receiver.

    `since` is when the receiver was added to the settings, `None` if unknown, long ago.
    `failures` counts the failed attempts since the last accepted one, `error` is the last error.
    `next_at` is when the next attempt is due. `begun` has the `marks` of the episodes of
    attempts whose outcome is unknown: the message may have arrived.
    """

    since: datetime | None = None
    failures: int = 0
    next_at: datetime | None = None
    error: str = ""
    begun: frozenset[str] = frozenset()

    def begin(self, marked: frozenset[str]) -> Self:
        """An attempt begins. Until its outcome is known, the message may have arrived."""
        return replace(self, begun=self.begun | marked)

    def ended(self, marked: frozenset[str]) -> Self:
        """The outcome of the attempt is known."""
        return replace(self, begun=self.begun - marked)

    def succeeded(self) -> Self:
        """The receiver accepted a message."""
        return replace(self, failures=0, next_at=None, error="")

    def failed(self, error: str, now: datetime, jitter: float) -> Self:
        """The receiver did not accept a message, or not in time."""
        failures = self.failures + 1
        next_at = now + backoff(failures, jitter)
        return replace(self, failures=failures, next_at=next_at, error=error)

    def wait_left(self, now: datetime) -> timedelta:
        """The time left until the next attempt. Zero or less means now.

        A time further ahead than any wait means that the clock was set back. It counts as now.
        """
        left = self.next_at - now if self.next_at else timedelta(0)
        return left if left <= MAX_BACKOFF * (0.75 + 0.5) else timedelta(0)

    def repeats(self, marked: frozenset[str]) -> bool:
        """Whether a message about these episodes may repeat one that arrived."""
        return not self.begun.isdisjoint(marked)


def marks(episodes: Iterable[Episode]) -> frozenset[str]:
    """The marks of these episodes."""
    return frozenset(map(mark, episodes))


def mark(episode: Episode) -> str:
    """A short text that identifies the episode."""
    text = "\n".join((*episode.fingerprint, episode.active_at.isoformat()))
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def backoff(failures: int, jitter: float) -> timedelta:
    """The wait after this many failed attempts. `jitter` in 0..1 varies it by up to 25 %."""
    doubled = INITIAL_BACKOFF * (1 << min(max(failures, 1) - 1, 16))
    return min(doubled, MAX_BACKOFF) * (0.75 + jitter / 2)
