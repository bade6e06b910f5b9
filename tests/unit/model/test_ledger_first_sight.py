"""The entries of what the ledger sees for the first time."""

from dataclasses import replace
from datetime import datetime

import pytest

from fluence_watch.model.billing import HOURS
from fluence_watch.model.ledger import (
    Certainty,
    EntryKind,
    prepaid_entries,
)
from fluence_watch.model.money import MicroUsdc
from tests.unit.model.prepaid_thing import HOUR, MINUTE, NOON, PRICE, THING, entries


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
