"""What a metered account should cost a day (UTC), and what the API charged for it.

Polls are not charges: what changed between two polls was charged for a part of that time. So a
day's cost has a least and a most. A thing that both polls saw costs at least the lower of its two
prices, and anything that one of them saw, or that may still be there, at most the higher one.

A day is known only if it was watched to the second: never longer than `LONGEST_GAP` without a poll
that saw everything, with every list complete and every price known.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from fluence_watch.model.billing import METERED
from fluence_watch.model.charge import VM, Charge
from fluence_watch.model.duration import by_day
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import HALTED, STARTING, Status, Vm

LONGEST_GAP = timedelta(hours=1)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_TICKS_AN_HOUR = METERED.price_is_for // _TICK
_KEPT_DAYS = 9
_UNCLEAR = (STARTING | HALTED | {Status.UNKNOWN}) - {Status.DRAFT}


class Span(NamedTuple):
    """The least and the most that something costs."""

    low: MicroUsdc
    high: MicroUsdc

    def miss(self, charged: MicroUsdc) -> MicroUsdc:
        """By how much an amount is above the most, or, negative, below the least."""
        return MicroUsdc(max(0, charged - self.high) + min(0, charged - self.low))


NOTHING = Span(MicroUsdc(0), MicroUsdc(0))


@dataclass(frozen=True, slots=True)
class DayCost:
    """What a day should cost, by kind: `low` and `high` in micro-USDC an hour times microseconds.

    `watched` is how much of the day is in it, in microseconds.
    """

    day: date
    low: Mapping[str, int] = field(default_factory=dict)
    high: Mapping[str, int] = field(default_factory=dict)
    watched: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all of the day was watched."""
        return self.watched * _TICK == _DAY

    def of(self, kind: str) -> Span:
        """What the resources of a kind should cost."""
        return _span(self.low.get(kind, 0), self.high.get(kind, 0))


def _span(low: int, high: int) -> Span:
    return Span(MicroUsdc(low // _TICKS_AN_HOUR), MicroUsdc(-(-high // _TICKS_AN_HOUR)))


class Priced(NamedTuple):
    """Something that is billed, and its price of an hour, `None` if unknown."""

    kind: str
    price: MicroUsdc | None


Things = Mapping[str, Priced]
"""What is billed, by key."""


def billed(known: Mapping[str, KnownVm], resources: Mapping[str, KnownResource]) -> Things:
    """What is in the lists and certainly charged per second."""
    return {
        key: thing
        for key, thing in listed(known, resources).items()
        if thing.kind != VM or known[key].vm.status not in _UNCLEAR
    }


def listed(known: Mapping[str, KnownVm], resources: Mapping[str, KnownResource]) -> Things:
    """What is in the lists and costs money every second."""
    vms = {
        key: Priced(VM, entry.last_known.price)
        for key, entry in known.items()
        if entry.missing_since is None and entry.vm.is_billed
    }
    rented = {
        key: Priced(entry.resource.kind, entry.resource.price)
        for key, entry in resources.items()
        if entry.missing_since is None and not entry.resource.is_gpu
    }
    return {**vms, **rented}


def perhaps_billed(vms: Mapping[str, Vm], resources: Mapping[str, Resource]) -> Things:
    """What is in the lists and may be charged: what begins, is halted, or is being removed."""
    unclear = {
        key: Priced(VM, vm.price)
        for key, vm in vms.items()
        if vm.status in _UNCLEAR or not (vm.is_billed or vm.status is Status.DRAFT)
    }
    leaving = {
        key: Priced(each.kind, each.price)
        for key, each in resources.items()
        if not (each.is_billed or each.is_gpu)
    }
    return {**unclear, **leaving}


def count_until(
    days: Sequence[DayCost],
    before: Things,
    after: Things,
    maybe: Things,
    span: tuple[datetime, datetime],
) -> tuple[DayCost, ...]:
    """The days with what was charged between two polls. The oldest ones are dropped.

    `before` is what the first poll saw, `after` what the second one did, and `maybe` what is not in
    its lists, but may still be there. An unknown price counts for nothing.
    """
    since, now = span
    everything = {**before, **after, **maybe}
    prices = {
        key: [each[key].price or 0 for each in (before, after, maybe) if key in each]
        for key in everything
    }
    by_day = {each.day: each for each in days if now.date() - each.day < _KEPT_DAYS * _DAY}
    for day, ticks in _parts(since, now):
        cost = by_day.get(day) or DayCost(day)
        by_day[day] = _more(cost, everything, prices, before.keys() & after.keys(), ticks)
    return tuple(by_day[day] for day in sorted(by_day))


def watch_until(
    days: Sequence[DayCost], whole_at: datetime | None, now: datetime
) -> tuple[DayCost, ...]:
    """The days with the time between two polls that saw everything, unless that is too long."""
    if whole_at is None or now - whole_at > LONGEST_GAP:
        return tuple(days)
    watched = dict(_parts(whole_at, now))
    return tuple(replace(each, watched=each.watched + watched.get(each.day, 0)) for each in days)


def all_priced(*seen: Things) -> bool:
    """Whether every price is known."""
    return all(each.price is not None for things in seen for each in things.values())


def _more(
    cost: DayCost,
    things: Things,
    prices: Mapping[str, Sequence[int]],
    certain: Iterable[str],
    ticks: int,
) -> DayCost:
    low, high = dict(cost.low), dict(cost.high)
    sure = frozenset(certain)
    for key, thing in things.items():
        high[thing.kind] = high.get(thing.kind, 0) + ticks * max(prices[key])
        if key in sure:
            low[thing.kind] = low.get(thing.kind, 0) + ticks * min(prices[key])
    return replace(cost, low=low, high=high)


def _parts(since: datetime, until: datetime) -> Iterator[tuple[date, int]]:
    """The days of a span of time, and how many microseconds of each are in it."""
    for start, end in by_day(since, until):
        yield start.date(), (end - start) // _TICK


WATCHED = (VM, Kind.DISK.value, Kind.PUBLIC_IP.value)
"""The kinds whose charges are compared. The API may charge for others, such as networks."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What was charged on a day, and what it should have cost, by kind.

    `charged` is `None` if it is unknown, and so is `expected` if the day was not watched in full.
    Only what is watched is compared.
    """

    charged: Mapping[str, MicroUsdc] | None = None
    expected: Mapping[str, Span] | None = None

    @property
    def is_known(self) -> bool:
        """Whether both are known."""
        return self.charged is not None and self.expected is not None

    @property
    def total(self) -> Span:
        """What everything should have cost."""
        spans = (self.expected or {}).values()
        low, high = (sum(span[end] for span in spans) for end in (0, 1))
        return Span(MicroUsdc(low), MicroUsdc(high))

    @property
    def sum(self) -> MicroUsdc:
        """What was charged for what is watched."""
        return MicroUsdc(sum((self.charged or {}).get(kind, 0) for kind in WATCHED))

    @property
    def miss(self) -> MicroUsdc:
        """By how much the charge is too high, or, negative, too low."""
        return self.total.miss(self.sum)


def bill_of(day: date, costs: Iterable[DayCost], charges: Iterable[Charge] | None) -> Bill:
    """The bill of a day."""
    cost = next((each for each in costs if each.day == day and each.is_whole), None)
    return Bill(
        None if charges is None else _by_kind(each for each in charges if each.day == day),
        None if cost is None else {kind: cost.of(kind) for kind in WATCHED},
    )


def _by_kind(charges: Iterable[Charge]) -> Mapping[str, MicroUsdc]:
    sums = Counter[str](dict.fromkeys(WATCHED, 0))
    for each in charges:
        sums[each.kind] += each.cost
    return {kind: MicroUsdc(amount) for kind, amount in sums.items()}
