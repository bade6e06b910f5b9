"""What an account spends by an hour of the day, against the days before. Pure.

The middle of several amounts is their median, and their spread the median of the distances from it (MAD):
a few odd days move neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from fluence_watch.model.charge import id_in, words_of
from fluence_watch.model.duration import hour_of
from fluence_watch.model.money import EXACT, MicroUsdc, is_more_than

DAYS = 28
"""How many days before a day it is compared with."""

_DAY = timedelta(days=1)
_SETTLES = timedelta(minutes=5)  # a charge is seen by then, and metered hours are in the ledger
_SIGMAS = Decimal("1.4826")  # a MAD in standard deviations, if amounts are spread normally


class Hour(NamedTuple):
    """The last whole hour whose charges are known: so many `hours` of a day (UTC)."""

    day: date
    hours: int

    def until(self, day: date) -> timedelta:
        """By when of a day its charges count: on the days before an hour later, for a boundary may move by seconds."""
        return timedelta(hours=self.hours if day == self.day else self.hours + 1)


@dataclass(frozen=True, slots=True)
class ThingSpending:
    """What a thing cost in these hours, in micro-USDC, and its average of them on the days before.

    `kind` is `vm`, or a `Kind`. `name` comes from outside. `new_since` is the first day on which it
    cost anything, if that is within a week.
    """

    key: str
    kind: str
    name: str | None
    spent: MicroUsdc
    usual: MicroUsdc
    new_since: date | None = None

    @property
    def id(self) -> str:
        """The id of the thing in the API, in lower case."""
        return id_in(self.key)

    @property
    def word(self) -> str:
        """What it is, in words: `VM`, `disk`."""
        return words_of(self.kind)[0]


@dataclass(frozen=True, slots=True)
class Spending:
    """What an account spent today so far, and in the same hours and on the whole of each day before.

    `same_hours` and `days` are of the same days, the latest one last. Amounts are micro-USDC.
    `things` made the difference, if today is odd.
    """

    hour: Hour
    today: MicroUsdc
    same_hours: tuple[MicroUsdc, ...]
    days: tuple[MicroUsdc, ...]
    things: tuple[ThingSpending, ...] = ()

    @property
    def usual(self) -> MicroUsdc:
        """What is usual by this hour."""
        return median(self.same_hours[-DAYS:])


@dataclass(frozen=True, slots=True)
class Bounds:
    """By how much an amount must exceed the median to be odd: all of these."""

    deviations: Decimal
    least: MicroUsdc
    percent: Decimal
    """Of a usual day, so that a few charges in its first hours are not odd."""


def compared(hour: Hour, whole: Mapping[date, int], by_hour: Mapping[date, int]) -> Spending:
    """What was spent by that hour, and on the days before, from the first whole one on.

    `whole` has the sums of days and `by_hour` those by that hour of them; a day without any is in neither.
    """
    today = hour.day
    first = max(min(whole, default=today) + _DAY, today - (DAYS + 1) * _DAY)
    days = [first + number * _DAY for number in range((today - first).days)]
    return Spending(
        hour,
        MicroUsdc(by_hour.get(today, 0)),
        tuple(MicroUsdc(by_hour.get(day, 0)) for day in days),
        tuple(MicroUsdc(whole.get(day, 0)) for day in days),
    )


def latest_hour(now: datetime) -> Hour:
    """The last whole hour whose charges are known."""
    settled = now - _SETTLES
    return Hour(settled.date(), settled.hour)


def next_hour_at(now: datetime) -> datetime:
    """When the charges of one more hour are known."""
    return hour_of(now - _SETTLES) + timedelta(hours=1) + _SETTLES


def median(amounts: Sequence[int]) -> MicroUsdc:
    """The one in the middle, or, rounded down, the average of the two in the middle."""
    ordered, count = sorted(amounts), len(amounts)
    return MicroUsdc((ordered[(count - 1) // 2] + ordered[count // 2]) // 2)


def spread(amounts: Sequence[int]) -> MicroUsdc:
    """The median distance from the median (MAD)."""
    middle = median(amounts)
    return median([abs(each - middle) for each in amounts])


def is_odd(amount: int, before: Sequence[int], whole: Sequence[int], bounds: Bounds) -> bool:
    """Whether an amount is far above those of the days before; `whole` are the sums of these days."""
    excess = amount - median(before)
    far = EXACT.multiply(EXACT.multiply(bounds.deviations, _SIGMAS), Decimal(spread(before)))
    usual_day = max(median(before), median(whole))
    return (
        excess > far and excess > bounds.least and is_more_than(excess, bounds.percent, usual_day)
    )


def is_today_odd(spending: Spending, bounds: Bounds) -> bool:
    """Whether today so far is odd, and the last 24 hours are: a fleet may be charged earlier now."""
    before, whole = spending.same_hours[-DAYS:], spending.days[-DAYS:]
    if not is_odd(spending.today, before, whole, bounds):
        return False
    latest = MicroUsdc(spending.today + spending.days[-1] - spending.same_hours[-1])
    return is_odd(latest, whole, whole, bounds)


def was_yesterday_odd(spending: Spending, bounds: Bounds) -> bool:
    """Whether yesterday as a whole was odd."""
    before = spending.days[:-1]
    return bool(before) and is_odd(spending.days[-1], before, before, bounds)
