from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.corrections import Dip, risen, unbooked
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
OPENING, CHARGE, ADJUSTMENT = EntryKind.OPENING, EntryKind.CHARGE, EntryKind.ADJUSTMENT


def charges(*amounts: int, opening: int = 0) -> list[Entry]:
    """A charge each day until yesterday, and what was before them."""
    first = [Entry("0xa", OPENING, MicroUsdc(opening), NOON, NOON)] if opening else []
    return first + [
        Entry("0xa", CHARGE, MicroUsdc(amount), NOON - (len(amounts) - day) * DAY, NOON)
        for day, amount in enumerate(amounts)
    ]


def told(entries: Sequence[Entry]) -> list[tuple[EntryKind, int, int, Certainty]]:
    """Kind, amount, days ago, certainty."""
    return [(e.kind, e.amount, (NOON - e.at) // DAY, e.certainty) for e in entries]


EXACT, SPREAD = Certainty.EXACT, Certainty.SPREAD


@pytest.mark.parametrize(
    ("booked", "left"),
    [
        (0, [(OPENING, 5, 0, EXACT), (CHARGE, 3, 2, EXACT), (CHARGE, 3, 1, EXACT)]),
        (4, [(OPENING, 1, 0, SPREAD), (CHARGE, 3, 2, EXACT), (CHARGE, 3, 1, EXACT)]),
        (5, [(CHARGE, 3, 2, EXACT), (CHARGE, 3, 1, EXACT)]),
        (9, [(CHARGE, 2, 1, SPREAD)]),
        (11, []),
        (12, [(ADJUSTMENT, -1, 0, SPREAD)]),
    ],
)
def test_what_is_first_seen_once_more(
    booked: int, left: list[tuple[EntryKind, int, int, Certainty]]
) -> None:
    """The oldest is booked already; a total below what is booked takes it back."""
    assert left == told(list(unbooked(charges(3, 3, opening=5), MicroUsdc(booked))))


@pytest.mark.parametrize(
    ("depth", "found"),
    [
        (2, [(ADJUSTMENT, 2, 4, SPREAD), (CHARGE, 1, 1, SPREAD)]),
        (3, [(ADJUSTMENT, 3, 4, SPREAD)]),
        (7, [(ADJUSTMENT, 3, 4, SPREAD)]),
    ],
)
def test_a_total_that_rises_after_a_dip(
    depth: int, found: list[tuple[EntryKind, int, int, Certainty]]
) -> None:
    """What undoes the dip belongs to its day."""
    dip = Dip(MicroUsdc(depth), NOON - 4 * DAY)
    assert found == told(list(risen(charges(3), dip)))
    falls = charges(-3)
    assert falls == list(risen(falls, dip))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(0, 60), st.integers(1, 60))
def test_sums(amounts: list[int], booked: int, depth: int) -> None:
    """What is booked and what is left of a first sight is the total; undoing a dip changes no sum."""
    first = charges(*amounts)
    left = list(unbooked(first, MicroUsdc(booked)))
    assert sum(amounts) == booked + sum(each.amount for each in left)
    rise = risen(first, Dip(MicroUsdc(depth), NOON - MINUTE))
    assert sum(amounts) == sum(each.amount for each in rise)
