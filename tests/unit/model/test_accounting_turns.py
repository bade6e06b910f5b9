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
    at, counted_at = None, None
    found: Counter[date] = Counter()
    for now, listed in polls:
        snapshot = build_snapshot("main", now, listed, [])
        after = {vm.key: KnownVm(vm, now) for vm in listed}
        before, later = Seen(known, {}, at, counted_at, NOON), Seen(after, {}, now, None)
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
    assert right == +days(*polls[:3], *ahead, *polls[3:])
    assert +days(*polls[:3], *ahead, *polls[3:], *ahead) == +days(*polls, *ahead)


@pytest.mark.parametrize(
    ("created", "hours"),
    [(NOON + 90 * HOUR / 60, 0.5), (NOON + HOUR / 2, 1.5), (NOON - HOUR / 2, 0), (None, 0)],
)
def test_a_metered_vm_that_is_listed_late(created: datetime | None, hours: float) -> None:
    """It costs money since it was created, if that was within the hour before the last poll."""
    new = replace(VM, created_at=created)
    found = days((NOON, []), (NOON + HOUR, []), (NOON + 2 * HOUR, [new]))
    assert hours * PRICE == found[NOON.date()]


def test_metered_things_are_counted_every_ten_minutes() -> None:
    """By the first poll of each ten minutes of the clock; what changes is counted at once."""
    polls = [(NOON + number * HOUR / 60, [VM]) for number in (0, 9, 10, 11, 19, 20)]
    counted = [days(*polls[:count])[NOON.date()] for count in range(1, len(polls) + 1)]
    assert [0, 0, PRICE // 6, PRICE // 6, PRICE // 6, PRICE // 3] == counted
    assert (
        PRICE * 11 // 60 == days(*polls[:3], (NOON + 11 * HOUR / 60, []))[NOON.date()] + PRICE // 60
    )
