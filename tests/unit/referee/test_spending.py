"""What is far more than usual for the referee, and what a wrong bill is."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.truth.fleet import Sight
from tests.e2e.truth.plan import ANOMALY_USDC
from tests.e2e.truth.referee.bill import Bills
from tests.e2e.truth.referee.episodes import End
from tests.e2e.truth.referee.spending import Spending

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEGIN = datetime(2026, 6, 1, 9, 58, tzinfo=UTC)
USUAL = ANOMALY_USDC * 10**6


def spent(*days: float, hour: int = 3) -> Spending:
    """What is said at ten in the morning, if that many usual sums were charged at that hour of each day."""
    spending, midnight = Spending(min_days=2), BEGIN.replace(hour=0, minute=0)
    for number, amount in enumerate(days):
        spending.add(midnight + number * DAY + hour * HOUR, int(amount * USUAL))
    spending.judge(midnight + (len(days) - 1) * DAY + 10 * HOUR)
    return spending


@pytest.mark.parametrize(
    ("days", "odd", "absent"),
    [
        ((1, 1, 1, 1), False, End.TOLD),
        ((1, 1, 1, 2.1), True, End.TOLD),
        ((1, 1, 1, 1.9), False, End.TOLD),
        ((1, 1, 2.1), False, End.TOLD),  # one whole day to compare with
        ((1, 1, 1, 3, 1), False, None),  # yesterday was odd
        ((4, 4, 4, 5.5), False, End.TOLD),  # not by half
        ((1, 9, 1, 9, 1, 9), False, End.TOLD),  # as often as not
    ],
)
def test_far_more_than_usual(days: Sequence[float], odd: bool, absent: End | None) -> None:  # noqa: FBT001 - a column of the table
    """By all bounds, and with enough to compare with."""
    spending = spent(*days)
    assert (odd, absent) == (spending.is_odd, spending.absent())


def test_what_an_hour_more_decides_is_left_open() -> None:
    """Charges of the hour that has not ended may count on the days before."""
    spending = spent(1, 1, 1, 0, hour=10)
    spending.add(BEGIN.replace(hour=9) + 3 * DAY, int(1.8 * USUAL))
    spending.judge(BEGIN.replace(hour=10, minute=10) + 3 * DAY)
    assert spending.is_odd is None


def polled(percents: Sequence[int | None], gap: timedelta = HOUR) -> bool | None:
    """What is said of a bill over polls at that distance, the last ones with these percents."""
    bills, count = Bills(days=2), 75
    known = [100] * (count - len(percents)) + [*percents]
    for number, percent in enumerate(known):
        bills.see(Sight("lab", BEGIN + number * gap, {}, metered=True, bill=percent))
    return bills.is_wrong


@pytest.mark.parametrize(
    ("percents", "wrong"), [([100], False), ([60], True), ([60, 100], False), ([60, None], None)]
)
def test_a_wrong_bill(percents: Sequence[int | None], wrong: bool | None) -> None:  # noqa: FBT001 - a column of the table
    """Two whole days that are settled, as the API tells them now."""
    assert wrong is polled(percents)


def test_days_that_were_not_watched_are_unknown() -> None:
    """More than an hour without a look is a gap."""
    assert polled([60], HOUR + timedelta(seconds=1)) is None
