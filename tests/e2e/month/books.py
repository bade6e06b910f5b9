"""What the simulator knows of an account: its own books, and when a poll could see what."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from fluence_watch.simulator.gpu import OVER
from fluence_watch.simulator.journal import Paid
from fluence_watch.simulator.machine import State
from fluence_watch.simulator.metering import rates
from tests.e2e.month.fleet import Account

_ENDED = OVER | {State.TERMINATED}
_KINDS = {"VM": "vm", "STORAGE": "disk", "PUBLIC_IP": "public_ip"}


class Sighting(NamedTuple):
    """A poll that listed a thing, or, if not `sure`, one that was killed and may have.

    `price` is that of an epoch or an hour, `None` if it has ended.
    """

    at: datetime
    reserved: int
    price: int | None
    sure: bool = True


class Look(NamedTuple):
    """A successful poll, and the kinds that it could not list."""

    at: datetime
    blind: frozenset[str]


class Turn(NamedTuple):
    """A metered thing begins, ends, or has another price; the higher one of an hour."""

    at: datetime
    price: float


@dataclass
class Books:
    """The books of an account. Amounts are micro-USDC; things are keyed as in the ledger."""

    account: Account
    opening: Mapping[str, int] = field(default_factory=dict)
    sightings: dict[str, list[Sighting]] = field(default_factory=lambda: defaultdict(list))
    looks: list[Look] = field(default_factory=list)
    killed: list[datetime] = field(default_factory=list)
    turns: dict[str, list[Turn]] = field(default_factory=lambda: defaultdict(list))
    _rates: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Note what was spent before; what is charged per second begins now."""
        world = self.account.world
        self.opening = {each.key: each.spent for each in world.machines.values()}
        self.note(world.now)

    def look(self, at: datetime, seen: Collection[str], blind: Collection[str]) -> None:
        """A poll succeeded."""
        self.looks.append(Look(at, frozenset(blind)))
        held = self._held()
        for key in seen:
            self.sightings[key].append(Sighting(at, *held.get(key, (0, None))))

    def kill(self, at: datetime) -> None:
        """A poll was killed; nobody knows whether before or after its commit."""
        self.killed.append(at)
        for key, held in self._held().items():
            self.sightings[key].append(Sighting(at, *held, sure=False))

    def note(self, at: datetime) -> None:
        """Something happened: note which prices changed."""
        before, after = self._rates, self._hourly()
        for key in before.keys() | after.keys():
            if before.get(key) != after.get(key):
                self.turns[key].append(Turn(at, max(before.get(key, 0), after.get(key, 0))))
        self._rates = after

    def paid(self) -> Mapping[str, list[Paid]]:
        """Every charge at a boundary."""
        found: dict[str, list[Paid]] = defaultdict(list)
        for each in self.account.world.journal:
            found[self._key(each.id)].append(each)
        return found

    def metered(self) -> Mapping[tuple[str, date], tuple[int, int]]:
        """What was charged per second, by thing and day: in units, and how many make a micro-USDC."""
        ticks = self.account.world.epoch // timedelta(microseconds=1)
        return {
            (_key(entry.kind, entry.id), entry.day): (units, ticks)
            for entry, units in self.account.world.meter.charged.items()
        }

    def unsure(self, key: str, kind: str, day: date) -> float:
        """What a thing may have cost on a day, beyond what polls could know."""
        return sum(
            turn.price * _hours_of(day, *self._around(turn.at, kind)) for turn in self.turns[key]
        )

    def _around(self, at: datetime, kind: str) -> tuple[datetime, datetime]:
        """The polls before and after that time that listed that kind."""
        able = [look.at for look in self.looks if kind not in look.blind]
        return (
            max((each for each in able if each <= at), default=at),
            min((each for each in able if each >= at), default=at),
        )

    def _held(self) -> Mapping[str, tuple[int, int | None]]:
        """What everything prepaid has reserved, and costs."""
        world = self.account.world
        vms = {} if self.account.metered else {m.key: m for m in world.listed()}
        gpus = {self._key(each.id): each for each in world.gpus.values()}
        return {
            key: (each.reserved, None if each.state in _ENDED else each.price)
            for key, each in (vms | gpus).items()
        }

    def _key(self, wanted: str) -> str:
        gpu = self.account.world.gpus.get(wanted)
        return wanted if gpu is None else f"gpu_{gpu.kind}:{gpu.id}"

    def _hourly(self) -> Mapping[str, float]:
        if not self.account.metered:
            return {}
        found = rates(self.account.world).items()
        return {_key(*what): price / 24 for what, price in found}


def _key(kind: str, wanted: str) -> str:
    return wanted if kind == "VM" else f"{_KINDS[kind]}:{wanted}"


def _hours_of(day: date, since: datetime, until: datetime) -> float:
    """How many hours of a day are between two moments."""
    start = datetime.combine(day, datetime.min.time(), since.tzinfo)
    part = min(until, start + timedelta(days=1)) - max(since, start)
    return max(0.0, part / timedelta(hours=1))
