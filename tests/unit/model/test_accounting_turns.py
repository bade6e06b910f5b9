"""What an account costs by price and time: no time is counted twice, and none that has not passed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from fluence_watch.model.accounting import Seen, book_poll
from fluence_watch.model.billing import EPOCHS, METERED
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.model.vm import Status, Vm

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PRICE = 300_000
VM = Vm("0xa", "web", Status.ACTIVE, "ACTIVE", price=MicroUsdc(300_000))


def test_the_days_between_are_not_metered() -> None:
    """After a prepaid poll nothing is counted until the next metered one."""
    known = {"0xa": KnownVm(VM, NOON)}
    counted_at: datetime | None = NOON
    for number, billing in enumerate((EPOCHS, METERED, METERED), start=1):
        at = NOON + number * DAY
        before = Seen(known, {}, at - DAY, counted_at)
        snapshot = build_snapshot("main", at, [VM], [])
        booking, counted_at = book_poll(before, Seen(known, {}, at, None), snapshot, billing)
        spent = sum(entry.amount for entry in booking.entries)
        assert spent == (24 * 300_000 if number == 3 else 0)


def days(*polls: tuple[datetime, Sequence[Vm]]) -> Counter[date]:
    """What polls at these times count of a metered account, by day."""
    known: dict[str, KnownVm] = {}
    at, counted_at, begun_at = None, None, None
    found: Counter[date] = Counter()
    for now, listed in polls:
        snapshot = build_snapshot("main", now, listed, [])
        after = {vm.key: known.get(vm.key) or KnownVm(vm, now) for vm in listed}
        before, later = Seen(known, {}, at, counted_at, begun_at), Seen(after, {}, now, None)
        begun_at = min(begun_at or now, now)
        booking, counted_at = book_poll(before, later, snapshot, METERED)
        for entry in booking.entries:
            found[entry.day] += entry.amount
        known, at = after, now
    return found


def test_a_clock_that_was_days_ahead() -> None:
    """What has not passed is not charged, once the clock is right; nor is anything charged twice."""
    polls = [(NOON + number * HOUR, [VM]) for number in range(8)]
    ahead = [(NOON + 3 * DAY, [VM])]
    right = days(*polls)
    assert {NOON.date(): 7 * PRICE} == right
    assert right == spent(*polls[:3], *ahead, *polls[3:])
    assert spent(*polls[:3], *ahead, *polls[3:], *ahead) == spent(*polls, *ahead)
    fresh = replace(VM, id="0xb")
    with_fresh = [(at, [VM, fresh]) for at, _ in polls]
    assert days(*polls[:3], *with_fresh[3:]) == spent(
        *polls[:3], (NOON + 3 * DAY, [VM, fresh]), *with_fresh[3:]
    )


@pytest.mark.parametrize("ahead", [2 * HOUR, 5 * DAY])
def test_a_first_poll_with_a_clock_that_is_ahead(ahead: timedelta) -> None:
    """Nothing was counted then, so nothing is taken back; the ledger begins when it really began."""
    polls = [(NOON + number * HOUR, [VM]) for number in range(8)]
    assert days(*polls) == spent((NOON + ahead, [VM]), *polls)


def spent(*polls: tuple[datetime, Sequence[Vm]]) -> Counter[date]:
    """The days that cost anything. None of them is below zero."""
    found = days(*polls)
    assert min(found.values()) >= 0
    return +found


@pytest.mark.parametrize(
    ("created", "hours"),
    [(NOON + 90 * HOUR / 60, 0.5), (NOON + HOUR / 2, 1.5), (NOON - HOUR / 2, 0), (None, 0)],
)
def test_a_metered_vm_that_is_listed_late(created: datetime | None, hours: float) -> None:
    """It costs money since it was created, if that was within the hour before the last poll."""
    new = replace(VM, created_at=created)
    found = days((NOON, []), (NOON + HOUR, []), (NOON + 2 * HOUR, [new]))
    assert hours * PRICE == found[NOON.date()]


def test_a_list_that_still_has_what_its_user_deleted() -> None:
    """It is not listed late: nothing of it is counted twice."""
    new = replace(VM, created_at=NOON + HOUR / 2)
    snapshot = build_snapshot("main", NOON + HOUR, [new], [])
    later = Seen({"0xa": KnownVm(new, NOON + HOUR)}, {}, NOON + HOUR, None)
    for removed in (frozenset[str](), frozenset({"0xa"})):
        before = Seen({}, {}, NOON + HOUR - HOUR / 60, NOON, NOON, removed)
        booking, _ = book_poll(before, later, snapshot, METERED)
        assert bool(booking.entries) is not bool(removed)
