"""What a receiver is due or was told, and what keeps it back."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from tests.e2e.truth.referee.episodes import Episode


class Why(StrEnum):
    """What keeps a message back, or how it was told."""

    TOLD = "told"
    NOT_ROUTED = "not routed"
    SILENCED = "silenced"
    MAINTENANCE = "maintenance"
    INHIBITED = "inhibited"
    ACKNOWLEDGED = "acknowledged"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Silence:
    """No messages about what matches, from one time to another."""

    id: str
    match: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """Somebody takes care of an episode, as bad as it was, until a time."""

    until: datetime
    rank: int
    step: int

    def outgrown_by(self, episode: Episode) -> bool:
        """Whether it got worse since: then nobody takes care of it any more."""
        return episode.rank > self.rank or episode.found.step > self.step


@dataclass(slots=True)
class Told:
    """What a receiver knows of an episode: when it was last told, and the worst that it heard."""

    at: datetime
    rank: int
    step: int
    over: bool = False


class Due(NamedTuple):
    """A line that a receiver is due: of which episode, the reason, since when; `sure`: it must be told."""

    episode: Episode
    reason: str
    since: datetime
    sure: bool = True
