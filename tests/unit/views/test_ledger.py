from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from fluence_watch.model.ledger import Certainty, Cost, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.views.ledger import EntryView, LedgerView, ledger_view

NOW = datetime(2026, 6, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def cost(day: date, amount: int, certainty: Certainty = Certainty.EXACT) -> Cost:
    return Cost("main", "0xa", "vm", None, None, day, MicroUsdc(amount), certainty)


def charge(at: datetime) -> Entry:
    return Entry("0xa", EntryKind.CHARGE, MicroUsdc(300_000), at, at)


COSTS = [
    cost(date(2026, 5, 31), 300_000),
    cost(date(2026, 6, 1), 200_000, Certainty.ESTIMATED),
    cost(date(2026, 6, 2), 10_000),
]


def ledger(as_of: datetime | None, entries: int = 0) -> LedgerView:
    moved = [charge(NOW - number * DAY) for number in reversed(range(entries))]
    return ledger_view(COSTS, moved, since=NOW - 3 * DAY, as_of=as_of, now=NOW)


def test_sums() -> None:
    """Of today, this month and all days; what is estimated of all."""
    sums = ledger(NOW)
    assert ("0.010000", "0.210000", "0.510000", "0.200000") == tuple(
        map(str, (sums.today, sums.month, sums.total, sums.estimated))
    )


@pytest.mark.parametrize(
    ("as_of", "known"),
    [
        (NOW - DAY / 2, (True, True, True)),
        (NOW - DAY, (False, True, True)),
        (NOW - 2 * DAY, (False, False, True)),
        (None, (False, False, False)),
    ],
)
def test_days_without_a_poll(as_of: datetime | None, known: tuple[bool, ...]) -> None:
    """What was charged on them is unknown, not nothing."""
    sums = ledger(as_of)
    assert known == tuple(each is not None for each in (sums.today, sums.month, sums.total))
    assert (sums.total is None) is (sums.estimated is None)


def test_the_latest_entries() -> None:
    """Five, the last one first."""
    assert () == ledger(NOW).entries
    amount = Decimal("0.300000")
    assert [
        EntryView(NOW - number * DAY, EntryKind.CHARGE, amount, Certainty.EXACT)
        for number in range(5)
    ] == list(ledger(NOW, entries=7).entries)
