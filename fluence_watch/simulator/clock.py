"""Where the simulator's time comes from."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the time: aware, UTC."""


def utc_now() -> datetime:
    """The real time, for a simulator that stands alone."""
    return datetime.now(UTC)


class SettableClock:
    """A clock that stands still until somebody moves it."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """The time that it shows."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Move the clock on."""
        self._now += by

    def set(self, now: datetime) -> None:
        """Put the clock to an aware time."""
        self._now = now
