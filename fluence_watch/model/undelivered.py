"""What a receiver does not accept."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The messages that wait for a receiver which refused one of them.

    `waiting` counts them, `oldest_at` is when the oldest was made. `error` says why the last try
    failed: it comes from outside, without the receiver's secrets.
    """

    error: str
    waiting: int
    oldest_at: datetime
