from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.spending import (
    Bounds,
    Hour,
    Spending,
    compared,
    is_odd,
    is_today_odd,
    latest_hour,
    median,
    spread,
    was_yesterday_odd,
)

AMOUNTS = st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=29)
BOUNDS = Bounds(Decimal(4), MicroUsdc(10), Decimal(50))
NOTHING = Bounds(Decimal(0), MicroUsdc(0), Decimal(0))


@given(AMOUNTS, st.integers(-(10**12), 10**12))
def test_the_median_and_the_spread(amounts: list[int], shift: int) -> None:
    """Half is on each side; the order does not matter, nor, for the spread, where they are."""
    middle, apart = median(amounts), spread(amounts)
    half = len(amounts) / 2

    assert min(amounts) <= middle <= max(amounts)
    assert sum(each <= middle for each in amounts) >= half
    assert sum(each > middle for each in amounts) <= half
    assert 0 <= apart <= max(amounts) - min(amounts)
    assert (middle, apart) == (median(amounts[::-1]), spread(amounts[::-1]))
    assert middle + shift == median([each + shift for each in amounts])
    assert apart == spread([each + shift for each in amounts])


@given(AMOUNTS.filter(lambda amounts: len(amounts) > 2), st.integers(0, 10**15))
def test_one_wild_day_moves_neither_beyond_the_others(amounts: list[int], wild: int) -> None:
    """That is why they are medians."""
    assert min(amounts) <= median([*amounts, wild * 10**12]) <= max(amounts)


@given(AMOUNTS, st.integers(0, 10**12), st.integers(0, 10**12))
def test_more_is_never_less_odd(amounts: list[int], amount: int, more: int) -> None:
    """And the median itself is not odd, whatever the bounds."""
    assert not is_odd(median(amounts), amounts, amounts, NOTHING)
    if is_odd(amount, amounts, amounts, BOUNDS):
        assert is_odd(amount + more, amounts, amounts, BOUNDS)


@pytest.mark.parametrize(
    ("amount", "before", "whole", "expected"),
    [
        (151, [100] * 7, [100] * 7, True),
        (150, [100] * 7, [100] * 7, False),  # not more than half as much
        (151, [100] * 7, [103] * 7, False),  # of a usual day, not only of its hours
        (11, [0] * 7, [0] * 7, True),
        (10, [0] * 7, [0] * 7, False),  # not more than the least
        (160, [90, 95, 100, 105, 110], [100] * 5, True),  # 4 * 1.4826 * 5 = 29.652
        (159, [80, 90, 100, 110, 120], [100] * 5, False),  # 4 * 1.4826 * 10 = 59.304
        (160, [80, 90, 100, 110, 120], [100] * 5, True),
    ],
)
def test_all_bounds_must_be_exceeded(
    amount: int,
    before: list[int],
    whole: list[int],
    expected: bool,  # noqa: FBT001 - a column
) -> None:
    """By the deviations, by an amount, and by a part of a usual day."""
    assert expected is is_odd(amount, before, whole, BOUNDS)


@pytest.mark.parametrize(
    ("now", "hour"),
    [
        (datetime(2026, 4, 16, 13, 4, 59, tzinfo=UTC), Hour(date(2026, 4, 16), 12)),
        (datetime(2026, 4, 16, 13, 5, tzinfo=UTC), Hour(date(2026, 4, 16), 13)),
        (datetime(2026, 4, 16, 0, 4, tzinfo=UTC), Hour(date(2026, 4, 15), 23)),
        (datetime(2026, 4, 16, 0, 5, tzinfo=UTC), Hour(date(2026, 4, 16), 0)),
    ],
)
def test_whole_hours(now: datetime, hour: Hour) -> None:
    """Five minutes after an hour its charges are known."""
    assert hour == latest_hour(now)


def test_only_the_last_four_weeks_count() -> None:
    """A day of the fifth is for yesterday alone."""
    days = (MicroUsdc(10**9), *[MicroUsdc(100)] * 27, MicroUsdc(151))
    spending = Spending(Hour(date(2026, 4, 16), 13), MicroUsdc(151), days, days)

    assert 100 == spending.usual
    assert is_today_odd(spending, BOUNDS)
    assert was_yesterday_odd(spending, BOUNDS)
    assert not was_yesterday_odd(Spending(spending.hour, spending.today, (), ()), BOUNDS)


DAY, TODAY = timedelta(days=1), date(2026, 4, 16)
NINE = Hour(TODAY, 9)


def test_by_when_charges_count() -> None:
    """A boundary may move by seconds, so of the days before an hour more."""
    assert timedelta(hours=9) == NINE.until(TODAY)
    assert timedelta(hours=10) == NINE.until(TODAY - DAY)


@pytest.mark.parametrize(
    ("spent", "today", "days"),
    [
        ({}, 0, []),
        ({0: 5}, 5, []),
        ({1: 7, 0: 5}, 5, []),
        ({3: 9, 1: 7, 0: 5}, 5, [0, 7]),
        ({3: 9, 2: 8}, 0, [8, 0]),
        ({30: 1, 29: 2, 28: 3}, 0, [2, 3, *[0] * 27]),
        ({31: 1, 30: 2, 29: 3}, 0, [3, *[0] * 28]),
    ],
)
def test_the_days_that_are_compared(spent: dict[int, int], today: int, days: list[int]) -> None:
    """From the first whole one on, which is the one after the first known; days without charges count."""
    by_hour = {TODAY - ago * DAY: amount for ago, amount in spent.items()}
    whole = {day: 2 * amount for day, amount in by_hour.items()}
    doubled = tuple(MicroUsdc(2 * each) for each in days)
    expected = Spending(NINE, MicroUsdc(today), tuple(map(MicroUsdc, days)), doubled)
    assert expected == compared(NINE, whole, by_hour)
