"""Problems, from their begin to their end, as the manual has them: pending, firing, resolved."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from fluence_watch.simulator.machine import Machine
from tests.e2e.truth.referee.matching import RANK, Labels

NO_TIME = timedelta(0)


class What(NamedTuple):
    """Which problem: `detail` tells apart what one rule may find of one subject."""

    account: str
    rule: str
    subject: str
    detail: str = ""


class End(StrEnum):
    """How a problem ends: who heard of it hears that, or does not."""

    TOLD = "told"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Found:
    """A problem at a poll. `hold` is its `for`, `until` its deadline; an `event` is told once."""

    what: What
    severity: str
    step: int = 0
    hold: timedelta = NO_TIME
    at_once: bool = False
    event: bool = False
    until: datetime | None = None
    machine: Machine | None = None
    status: str = ""
    quiet: bool = False


@dataclass(eq=False, slots=True)
class Episode:
    """One problem. `told_of` is what its receivers know; see hearing.py."""

    what: What
    found: Found
    active_at: datetime
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    end: End = End.TOLD
    due_since: datetime | None = None
    labels: Labels = field(default_factory=dict)

    @property
    def event(self) -> bool:
        """Whether it is told once."""
        return self.found.event

    @property
    def rank(self) -> int:
        """How severe it is."""
        return RANK[self.found.severity]

    def over_at(self, now: datetime) -> datetime | None:
        """When it ended, or its deadline passed."""
        passed = self.found.until is not None and self.found.until <= now
        return self.ends_at or (self.found.until if passed else None)

    def fires(self, at: datetime, *, ended_too: bool) -> bool:
        """Whether it fires then. With what ends as it ends itself, it did so until then."""
        if self.starts_at is None or at < self.starts_at:
            return False
        return self.ends_at is None or (at <= self.ends_at if ended_too else at < self.ends_at)

    def see(self, found: Found) -> None:
        """It is still so, perhaps better or worse."""
        if found is not self.found or not self.labels:
            self.found = found
            self.labels = _labels(found)


def _labels(found: Found) -> Labels:
    labels = {"rule": found.what.rule, "severity": found.severity, "account": found.what.account}
    if found.machine:
        labels |= {"vm_id": found.machine.id, "vm_name": found.machine.name}
        labels["status"] = found.status
    return labels


Absent = Callable[[What], End | None]
"""How a problem ends that is not found any more; `None` if nobody knows whether it is there."""


@dataclass
class Problems:
    """The open problems of an account."""

    open: dict[What, Episode] = field(default_factory=dict)

    def observe(self, at: datetime, found: Iterable[Found], absent: Absent) -> list[Episode]:
        """What began to fire or ended at this poll."""
        seen = {each.what: each for each in found}
        turned = list(self._ended(at, seen, absent))
        for what, each in seen.items():
            episode = self.open.get(what)
            if episode is None:
                episode = self.open[what] = Episode(what, each, at)
            episode.see(each)
            if episode.starts_at is None and (each.at_once or at - episode.active_at >= each.hold):
                episode.starts_at = at
                turned.append(episode)
        return turned

    def since(self, what: What) -> datetime | None:
        """When it was first seen."""
        episode = self.open.get(what)
        return episode and episode.active_at

    def _ended(self, at: datetime, seen: Mapping[What, Any], absent: Absent) -> Iterator[Episode]:
        for what in self.open.keys() - seen.keys():
            episode, end = self.open[what], absent(what)
            waits = episode.found.until is not None and at < episode.found.until
            if episode.event:
                end = End.QUIET
            elif end is None or (waits and end is End.TOLD):
                continue
            del self.open[what]
            if episode.starts_at is not None:
                episode.ends_at = at
                episode.end = End.QUIET if episode.found.quiet and end is End.TOLD else end
                yield episode
