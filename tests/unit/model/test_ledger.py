from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import EPOCH, EPOCHS, HOURS
from fluence_watch.model.ledger import (
    Certainty,
    Entry,
    EntryKind,
    metered_entries,
    prepaid_entries,
)
from fluence_watch.model.money import MicroUsdc

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
PRICE, SPENT = MicroUsdc(300_000), MicroUsdc(900_000)
CHARGES = {EntryKind.CHARGE, EntryKind.OPENING, EntryKind.ADJUSTMENT}


@dataclass(frozen=True)
class Thing:
    """Something prepaid."""

    key: str = "0xa"
    price: MicroUsdc | None = PRICE
    reserved: MicroUsdc | None = PRICE
    spent: MicroUsdc | None = SPENT
    next_billing_at: datetime | None = NOON + HOUR
    created_at: datetime | None = NOON - 3 * EPOCH


THING = Thing()


def entries(before: Thing | None, after: Thing, now: datetime = NOON + 2 * HOUR) -> list[Entry]:
    return list(prepaid_entries(before, after, EPOCHS, NOON, now))


def charged(after: Thing, *amounts: int, certainty: Certainty = Certainty.EXACT) -> list[Entry]:
    """Charges at the boundaries that follow `THING`'s."""
    now = NOON + 2 * HOUR
    return [
        Entry(
            "0xa", EntryKind.CHARGE, MicroUsdc(amount), NOON + HOUR + number * EPOCH, now, certainty
        )
        for number, amount in enumerate(amounts)
    ]


def moved(thing: Thing, epochs: int, spent: int, reserved: int = 0) -> Thing:
    """The thing after so many boundaries."""
    assert thing.spent is not None
    assert thing.reserved is not None
    assert thing.next_billing_at
    return replace(
        thing,
        spent=MicroUsdc(thing.spent + spent),
        reserved=MicroUsdc(thing.reserved + reserved),
        next_billing_at=thing.next_billing_at + epochs * EPOCH,
    )


@pytest.mark.parametrize(
    ("epochs", "spent", "amounts", "certainty"),
    [
        (1, PRICE, [PRICE], Certainty.EXACT),
        (3, 3 * PRICE, [PRICE] * 3, Certainty.EXACT),
        (1, 310_000, [310_000], Certainty.SPREAD),
        (3, 800_000, [266_667, 266_667, 266_666], Certainty.SPREAD),
        (2, 1, [1], Certainty.SPREAD),
        (2, 0, [], Certainty.EXACT),
    ],
)
def test_charges(epochs: int, spent: int, amounts: list[int], certainty: Certainty) -> None:
    """One at each boundary; the sum is what the total rose by."""
    after = moved(THING, epochs, spent, -spent)
    later = NOON + 2 * HOUR + epochs * EPOCH
    found = [each for each in entries(THING, after, later) if each.kind is not EntryKind.TOP_UP]
    assert [
        (e.amount, e.at, e.certainty) for e in charged(after, *amounts, certainty=certainty)
    ] == [(e.amount, e.at, e.certainty) for e in found]


def test_a_new_price() -> None:
    """A charge at the price after the change is exact too."""
    after = replace(moved(THING, 1, 350_000, -350_000), price=MicroUsdc(350_000))
    assert charged(after, 350_000) == entries(THING, after)


@pytest.mark.parametrize(("spent", "epochs"), [(PRICE, 0), (-PRICE, 0), (-1, 1)])
def test_a_change_that_no_boundary_explains(spent: int, epochs: int) -> None:
    """It is there, as what it is."""
    (entry,) = entries(THING, moved(THING, epochs, spent, -spent))
    assert (EntryKind.ADJUSTMENT, spent, Certainty.SPREAD) == (
        entry.kind, entry.amount, entry.certainty,
    )  # fmt: skip


def test_the_end_in_a_gap() -> None:
    """What ended was charged at the first boundaries of the gap, one price each."""
    after = replace(THING, spent=MicroUsdc(SPENT + 2 * PRICE), next_billing_at=None)
    found = list(prepaid_entries(THING, after, HOURS, NOON, NOON + 6 * HOUR))
    assert [(NOON + n * HOUR, PRICE, Certainty.SPREAD) for n in (1, 2)] == [
        (e.at, e.amount, e.certainty) for e in found if e.kind is EntryKind.CHARGE
    ]


def test_the_next_boundary_is_not_told() -> None:
    """Those that are due count."""
    after = replace(moved(THING, 0, PRICE, -PRICE), next_billing_at=None)
    assert charged(after, PRICE) == entries(THING, after)
    unknown = replace(THING, next_billing_at=None)
    (entry,) = entries(unknown, replace(after, spent=MicroUsdc(1_200_000)))
    assert EntryKind.ADJUSTMENT is entry.kind


@pytest.mark.parametrize(
    ("reserved", "kind", "amount"),
    [(0, EntryKind.TOP_UP, PRICE), (-PRICE, None, 0), (-400_000, EntryKind.RELEASE, 100_000)],
)
def test_the_reserve(reserved: int, kind: EntryKind | None, amount: int) -> None:
    """What was added to it since, or taken from it, beside the charge."""
    found = [e for e in entries(THING, moved(THING, 1, PRICE, reserved)) if e.kind not in CHARGES]
    assert ([] if kind is None else [(kind, amount)]) == [(e.kind, e.amount) for e in found]


@pytest.mark.parametrize(
    ("created", "spent", "kind"),
    [
        (NOON + MINUTE, PRICE, EntryKind.CHARGE),
        (NOON + MINUTE, PRICE + 1, EntryKind.CHARGE),
        (NOON, PRICE, EntryKind.CHARGE),
        (NOON - HOUR, PRICE, EntryKind.OPENING),
        (None, PRICE, EntryKind.OPENING),
        (NOON - HOUR, -PRICE, EntryKind.OPENING),
    ],
)
def test_the_first_sight(created: datetime | None, spent: int, kind: EntryKind) -> None:
    """Its first charge, if it began since the ledger did, else what was before."""
    thing = replace(THING, created_at=created, spent=MicroUsdc(spent))
    (entry,) = entries(None, thing)
    assert (kind, spent) == (entry.kind, entry.amount)
    assert [entry] == entries(replace(thing, spent=None), thing)
    assert [] == entries(None, replace(thing, spent=MicroUsdc(0)))
    assert [] == entries(THING, replace(THING, spent=None))


@pytest.mark.parametrize(
    ("following", "spent", "minutes", "certainty"),
    [
        (NOON + 4 * HOUR, 4 * PRICE, (10, 60, 120, 180), Certainty.EXACT),
        (NOON + 4 * HOUR, 4 * PRICE + 1, (10, 60, 120, 180), Certainty.SPREAD),
        (NOON + HOUR, PRICE, (10,), Certainty.EXACT),
        (NOON + 99 * HOUR, 4 * PRICE, (10, 60, 120, 180), Certainty.EXACT),
        (None, 4 * PRICE, (10, 60, 120, 180), Certainty.EXACT),
        (None, 2 * PRICE, (10, 60), Certainty.SPREAD),
        (None, 2 * PRICE + 1, (10, 60, 120, 180), Certainty.SPREAD),
        (NOON + 4 * HOUR, 1 * PRICE, (180,), Certainty.EXACT),  # a draft until then
        (NOON + 4 * HOUR, 2 * PRICE, (120, 180), Certainty.EXACT),
    ],
)
def test_the_first_sight_after_several_boundaries(
    following: datetime | None, spent: int, minutes: tuple[int, ...], certainty: Certainty
) -> None:
    """What began in a gap is charged then, and at each boundary of the gap."""
    began = NOON + 10 * MINUTE
    thing = replace(
        THING, created_at=began, spent=MicroUsdc(spent), next_billing_at=following, reserved=None
    )
    found = list(prepaid_entries(None, thing, HOURS, NOON, NOON + 3 * HOUR + MINUTE))
    assert [NOON + each * MINUTE for each in minutes] == [e.at for e in found]
    assert {(EntryKind.CHARGE, certainty)} == {(e.kind, e.certainty) for e in found}
    assert spent == sum(e.amount for e in found)


@pytest.mark.parametrize(
    ("hours", "price", "spent", "opening", "charged"),
    [
        (0, PRICE, 50 * PRICE, 50, 0),
        (1, PRICE, 50 * PRICE, 49, 1),
        (30, PRICE, 50 * PRICE, 20, 30),
        (30, PRICE, 7 * PRICE, 0, 7),
        (30, PRICE, 0, 0, 0),
        (30, None, 50 * PRICE, 50, 0),
        (30, 0, 50 * PRICE, 50, 0),
    ],
)
def test_what_began_before_the_ledger_and_is_seen_late(
    hours: int, price: int | None, spent: int, opening: int, charged: int
) -> None:
    """What the boundaries since then cost is charged at them, as far as that was spent."""
    now = NOON + hours * HOUR + MINUTE
    thing = replace(
        THING,
        created_at=NOON - 40 * HOUR,
        spent=MicroUsdc(spent),
        price=None if price is None else MicroUsdc(price),
        next_billing_at=NOON + (hours + 1) * HOUR,
        reserved=None,
    )
    found = list(prepaid_entries(None, thing, HOURS, NOON + MINUTE, now))
    assert opening * PRICE == sum(e.amount for e in found if e.kind is EntryKind.OPENING)
    charges = [e for e in found if e.kind is EntryKind.CHARGE]
    assert [NOON + n * HOUR for n in range(hours - charged + 1, hours + 1)] == [
        e.at for e in charges
    ]
    assert {PRICE} >= {e.amount for e in charges}
    assert {Certainty.SPREAD} >= {e.certainty for e in found}
    unknown = replace(thing, next_billing_at=None)
    assert spent == sum(
        e.amount
        for e in prepaid_entries(None, unknown, HOURS, NOON + MINUTE, now)
        if e.kind is EntryKind.OPENING
    )


def test_hours_of_the_clock() -> None:
    """A GPU instance has a boundary each hour."""
    after = replace(THING, spent=MicroUsdc(900_000 + 5 * PRICE), next_billing_at=NOON + 6 * HOUR)
    found = list(prepaid_entries(THING, after, HOURS, NOON, NOON + 6 * HOUR))
    assert [NOON + n * HOUR for n in range(1, 6)] == [
        e.at for e in found if e.kind is EntryKind.CHARGE
    ]


class Life:
    """A VM that is charged at its boundaries, and its reserve that is topped up, or not."""

    def __init__(self, prices: Sequence[int], topped: Sequence[bool]) -> None:
        self.prices, self.topped = prices, topped

    def at(self, epochs: int) -> Thing:
        """After so many boundaries."""
        spent = 900_000 + sum(self.prices[:epochs])
        reserved = PRICE + sum(
            (price if topped else 0) - price
            for price, topped in zip(self.prices[:epochs], self.topped, strict=False)
        )
        return replace(
            THING,
            spent=MicroUsdc(spent),
            reserved=MicroUsdc(reserved),
            next_billing_at=NOON + HOUR + epochs * EPOCH,
            price=MicroUsdc(self.prices[min(epochs, len(self.prices) - 1)]),
        )


lives = st.lists(st.integers(0, 10**7), min_size=8, max_size=8).flatmap(
    lambda prices: st.builds(Life, st.just(prices), st.lists(st.booleans(), min_size=8, max_size=8))
)


def seen(life: Life, polls: Sequence[int]) -> Iterator[Entry]:
    """What polls after so many boundaries see; the first of them saw it before."""
    before: Thing | None = None
    for epochs in sorted(polls):
        after = life.at(epochs)
        now = NOON + 2 * HOUR + epochs * EPOCH
        yield from prepaid_entries(before, after, EPOCHS, now - HOUR, now)
        before = after


@given(lives, st.lists(st.integers(0, 8), min_size=1), st.lists(st.integers(0, 8), min_size=1))
def test_entries_add_up_to_the_total(life: Life, some: list[int], others: list[int]) -> None:
    """However polls are spaced, and however often; a repeated poll adds nothing."""
    for polls in (some, others, some + some):
        found = list(seen(life, polls))
        last = life.at(max(polls))
        assert last.spent == sum(e.amount for e in found if e.kind in CHARGES)
        kept = sum(e.amount for e in found if e.kind is EntryKind.TOP_UP)
        kept -= sum(e.amount for e in found if e.kind is EntryKind.RELEASE)
        first = life.at(min(polls))
        assert last.spent + last.reserved == first.spent + first.reserved + kept


@given(lives, st.lists(st.integers(0, 8), min_size=1))
def test_a_poll_that_is_repeated_adds_nothing(life: Life, polls: list[int]) -> None:
    """Not even a movement of the reserve."""
    assert list(seen(life, polls)) == list(seen(life, polls + polls))


@given(lives, st.lists(st.integers(0, 8), min_size=2))
def test_what_is_exact_was_charged_so(life: Life, polls: list[int]) -> None:
    """The spacing of polls changes what is exact, and nothing exact is wrong at constant prices."""
    life = Life([life.prices[0]] * 8, life.topped)
    charges = [e for e in seen(life, polls) if e.kind is EntryKind.CHARGE]
    assert {Certainty.EXACT} >= {e.certainty for e in charges}
    passed = range(min(polls), max(polls)) if life.prices[0] else ()
    assert [NOON + HOUR + n * EPOCH for n in passed] == [e.at for e in charges]


@given(st.integers(0, 10**9), st.lists(st.integers(0, 3 * 86_400 * 10**6), min_size=2, max_size=6))
def test_a_metered_day_costs_the_same_however_it_is_cut(price: int, cuts: list[int]) -> None:
    """To the micro-USDC, by day."""
    start = datetime(2026, 4, 16, tzinfo=UTC)
    times = [start + timedelta(microseconds=cut) for cut in sorted(cuts)]
    whole = list(metered_entries("a", MicroUsdc(price), (times[0], times[-1]), times[-1]))
    parts = [
        entry
        for first, second in pairwise(times)
        for entry in metered_entries("a", MicroUsdc(price), (first, second), second)
    ]
    days = {entry.day for entry in [*whole, *parts]}
    for day in days:
        assert sum(e.amount for e in whole if e.day == day) == sum(
            e.amount for e in parts if e.day == day
        )


def test_a_metered_day() -> None:
    """24 hours at its price, and what is left of another."""
    span = (NOON, NOON + 36 * HOUR)
    first, second = metered_entries("disk:a", PRICE, span, NOON)
    assert (12 * PRICE, NOON.date()) == (first.amount, first.day)
    assert (24 * PRICE, (NOON + 12 * HOUR).date()) == (second.amount, second.day)
    assert Certainty.ESTIMATED is second.certainty
