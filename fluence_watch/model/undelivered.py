"""Messages that a receiver has not accepted."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The queue of a receiver that refused a message.

    `waiting` is the number of queued messages. `oldest_at` is when the oldest was created.
    `error` is why the last attempt failed.
    Its text comes from outside. The receiver's secrets are removed from it.
    """

    error: str
    waiting: int
    oldest_at: datetime
