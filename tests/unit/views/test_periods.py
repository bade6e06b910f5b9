from datetime import date
from decimal import Decimal

import pytest

from fluence_watch.model.ledger import Certainty, Cost
from fluence_watch.model.money import MicroUsdc
from fluence_watch.views.periods import Period, change_percent, days_before, period


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        ("2026-04-01", "2026-04-16", ("2026-03-01", "2026-03-16")),
        ("2026-03-01", "2026-03-31", ("2026-02-01", "2026-02-28")),
        ("2026-01-30", "2026-01-31", ("2025-12-30", "2025-12-31")),
        ("2026-03-15", "2026-04-14", ("2026-02-15", "2026-03-14")),
        ("2026-03-15", "2026-04-15", None),
        ("2026-01-01", "2026-04-30", None),
    ],
)
def test_the_month_before(first: str, last: str, before: tuple[str, str] | None) -> None:
    """The same days, or as many as that month has; none where both would overlap."""
    found = days_before(date.fromisoformat(first), date.fromisoformat(last))
    assert before == (found and tuple(day.isoformat() for day in found))


APRIL = date(2026, 4, 1), date(2026, 4, 16)
MARCH = date(2026, 3, 1), date(2026, 3, 16)


def of(days: tuple[date, date], amount: int, begins: date = date(2026, 1, 1)) -> Period:
    cost = Cost(
        "main", "0xa", "vm", None, None, days[0], MicroUsdc(amount), Certainty.EXACT
    )  # fmt: skip
    return period(*days, [cost] if amount else [], {"main": begins})


@pytest.mark.parametrize(
    ("now", "before", "begins", "change"),
    [
        (300, 200, date(2026, 1, 1), "50.0"),
        (100, 300, date(2026, 1, 1), "-66.7"),
        (0, 300, date(2026, 1, 1), "-100.0"),
        (300, 0, date(2026, 1, 1), None),
        (300, 200, date(2026, 2, 28), "50.0"),
        (300, 200, date(2026, 3, 1), None),
        (300, 200, date(2026, 4, 2), None),
    ],
)
def test_the_change(now: int, before: int, begins: date, change: str | None) -> None:
    """In percent of the month before; not compared where the ledger has only a part of a period."""
    found = change_percent(of(APRIL, now, begins), of(MARCH, before, begins))
    assert (None if change is None else Decimal(change)) == found


def test_where_the_ledger_begins() -> None:
    """A period that it has not at all is empty, and one without charges is free."""
    late = date(2026, 3, 20)
    assert {"main": late} == of(MARCH, 0, late).no_data_before
    assert of(MARCH, 0, late).is_empty
    assert not of(MARCH, 0).is_empty
    assert of(MARCH, 0).is_free
    assert {} == of(APRIL, 1, late).no_data_before
