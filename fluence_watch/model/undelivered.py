"""What a receiver does not accept."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The messages that wait for a receiver that fails.

    `waiting` is their number, `oldest_at` since when the oldest alert in them waits.
    `error` is why the last attempt failed.
    Its text comes from outside. The receiver's secrets are removed from it.
    """

    error: str
    waiting: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The alerts that a receiver refuses for good, although it accepts others."""

    alerts: tuple[str, ...]
