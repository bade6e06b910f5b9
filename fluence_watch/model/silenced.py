"""What a silence hides: the critical alerts that speak when it ends."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.finding import VmRef


def silence_subject(silence_id: str) -> str:
    """The subject of alerts about a silence. No receiver can have this name."""
    return f"silence:{silence_id}"


@dataclass(frozen=True, slots=True)
class Hidden:
    """An alert that is not told: its account as it is shown, its rule, and its VM if there is one."""

    account: str
    rule: str
    vm: VmRef | None = None


@dataclass(frozen=True, slots=True)
class Silenced:
    """A silence in force, and the critical alerts that nothing else keeps back when it ends.

    `matchers` are as they are written.
    """

    id: str
    matchers: str
    starts_at: datetime
    ends_at: datetime
    comment: str = ""
    author: str = ""
    alerts: tuple[Hidden, ...] = ()

    @property
    def lasts(self) -> timedelta:
        """How long it lasts in all."""
        return self.ends_at - self.starts_at
