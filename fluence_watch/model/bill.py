"""What a metered account should cost a day (UTC), and what the API charged for it.

Polls are not charges: what changed between two polls was charged for a part of that time. So a
day's cost has a least and a most. A thing that both polls saw costs at least the lower of its two
prices, and anything that one of them saw, or that may still be there, at most the higher one.

A day is known only if it was watched to the second: no poll failed for longer than `LONGEST_GAP`,
every list was complete, and every price was known.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from fluence_watch.model.billing import METERED
from fluence_watch.model.charge import VM, Charge
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc

LONGEST_GAP = timedelta(hours=1)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_TICKS_AN_HOUR = METERED.price_is_for // _TICK
_KEPT_DAYS = 9


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

    @property
    def total(self) -> Span:
        """What everything should cost."""
        return _span(sum(self.low.values()), sum(self.high.values()))


def _span(low: int, high: int) -> Span:
    return Span(MicroUsdc(low // _TICKS_AN_HOUR), MicroUsdc(-(-high // _TICKS_AN_HOUR)))


class Priced(NamedTuple):
    """Something that is billed, and its price of an hour, `None` if unknown."""

    kind: str
    price: MicroUsdc | None


Things = Mapping[str, Priced]
"""What is billed, by key."""


def billed(known: Mapping[str, KnownVm], resources: Mapping[str, KnownResource]) -> Things:
    """What is in the lists and charged per second."""
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


def count_until(
    days: Sequence[DayCost],
    before: Things,
    after: Things,
    maybe: Things,
    span: tuple[datetime, datetime],
) -> tuple[DayCost, ...]:
    """The days with what was charged between two polls. The oldest ones are dropped.

    `before` is what the first poll saw, `after` what the second one did, and `maybe` what is not in
    its lists, but may still be there.
    """
    since, now = span
    everything = {**before, **after, **maybe}
    prices = {
        key: [each[key].price for each in (before, after, maybe) if key in each]
        for key in everything
    }
    by_day = {each.day: each for each in days if now.date() - each.day < _KEPT_DAYS * _DAY}
    is_known = all(price is not None for some in prices.values() for price in some)
    if is_known and timedelta(0) < now - since <= LONGEST_GAP:
        for day, ticks in _parts(since, now):
            cost = by_day.get(day) or DayCost(day)
            by_day[day] = _more(cost, everything, prices, before.keys() & after.keys(), ticks)
    return tuple(by_day[day] for day in sorted(by_day))


def _more(
    cost: DayCost,
    things: Things,
    prices: Mapping[str, Sequence[MicroUsdc | None]],
    certain: Iterable[str],
    ticks: int,
) -> DayCost:
    low, high = dict(cost.low), dict(cost.high)
    sure = frozenset(certain)
    for key, thing in things.items():
        known = [price for price in prices[key] if price is not None]
        high[thing.kind] = high.get(thing.kind, 0) + ticks * max(known)
        if key in sure:
            low[thing.kind] = low.get(thing.kind, 0) + ticks * min(known)
    return replace(cost, low=low, high=high, watched=cost.watched + ticks)


def _parts(since: datetime, until: datetime) -> Iterator[tuple[date, int]]:
    """The days of a span of time, and how many microseconds of each are in it."""
    start = since
    while start < until:
        midnight = datetime.combine(start.date() + _DAY, time(), UTC)
        end = min(midnight, until)
        yield start.date(), (end - start) // _TICK
        start = end


@dataclass(frozen=True, slots=True)
class Bill:
    """What was charged on a day, and what it should have cost, by kind.

    `charged` is `None` if it is unknown, and so is `expected` if the day was not watched in full.
    """

    charged: Mapping[str, MicroUsdc] | None = None
    expected: Mapping[str, Span] | None = None
    total: Span = NOTHING

    @property
    def is_known(self) -> bool:
        """Whether both are known."""
        return self.charged is not None and self.expected is not None

    @property
    def miss(self) -> MicroUsdc:
        """By how much the charge is too high, or, negative, too low."""
        return self.total.miss(self.sum)

    @property
    def sum(self) -> MicroUsdc:
        """What was charged in all."""
        return MicroUsdc(sum((self.charged or {}).values()))


def bill_of(day: date, costs: Iterable[DayCost], charges: Iterable[Charge] | None) -> Bill:
    """The bill of a day."""
    cost = next((each for each in costs if each.day == day and each.is_whole), None)
    return Bill(
        None if charges is None else _by_kind(each for each in charges if each.day == day),
        None if cost is None else {kind: cost.of(kind) for kind in cost.high},
        cost.total if cost else NOTHING,
    )


def _by_kind(charges: Iterable[Charge]) -> Mapping[str, MicroUsdc]:
    sums: Counter[str] = Counter()
    for each in charges:
        sums[each.kind] += each.cost
    return {kind: MicroUsdc(amount) for kind, amount in sums.items()}
