"""The clocks of the simulator."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the time: aware, UTC."""


def utc_now() -> datetime:
    """The real time, for a standalone simulator."""
    return datetime.now(UTC)


class SettableClock:
    """A clock that moves only when it is advanced or set."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def __call__(self) -> datetime:
        """The current time of this clock."""
        return self._now

    def advance(self, by: timedelta) -> None:
        """Advance the clock."""
        self._now += by

    def set(self, now: datetime) -> None:
        """Set the clock to an aware time."""
        self._now = now
