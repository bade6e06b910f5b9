"""Charges and top-ups as the reserve shows them: late, skipped, out of step with the total, unseen."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import EPOCH, EPOCHS
from fluence_watch.model.boundaries import GRACE, Boundaries
from fluence_watch.model.funding import is_short
from fluence_watch.model.known import KnownVm, follow_boundaries, track
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Rejected, build_snapshot
from fluence_watch.model.vm import Status, Vm

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
P = 300_000

UNREAD = Rejected("[0].ports", "not a list", "0xa")
Poll = tuple[datetime, Vm | Rejected | None]
Known = Mapping[str, KnownVm]


def vm(
    reserved: int, spent: int | None, boundaries: int = 0, shift: timedelta = timedelta(0)
) -> Vm:
    """A VM that reserves and has spent so many epochs, when so many boundaries have passed."""
    return Vm(
        "0xa", "web", Status.ACTIVE, "ACTIVE",
        price=MicroUsdc(P), reserved=MicroUsdc(reserved * P),
        spent=None if spent is None else MicroUsdc(spent * P),
        next_billing_at=NOON + boundaries * EPOCH + shift,
    )  # fmt: skip


def followed(polls: Iterable[Poll]) -> Iterator[tuple[datetime, Vm, Boundaries]]:
    """What is known after each poll that lists the VM. `None` is a list without it."""
    known: Known = {}
    last_at = None
    for now, seen in polls:
        vms, rejected = [[seen] if isinstance(seen, kind) else [] for kind in (Vm, Rejected)]
        listed = build_snapshot("main", now, vms, rejected)
        tracked = track(known, listed, last_at, EPOCH)
        known = follow_boundaries(known, tracked, EPOCHS, now, listed.unread, last_at=last_at)
        last_at = now
        if isinstance(seen, Vm) and (boundaries := known[seen.key].boundaries):
            yield now, seen, boundaries


def at_last(*polls: Poll) -> Boundaries:
    """What is known after the last poll."""
    *_, (_, _, boundaries) = followed(polls)
    return boundaries


# a charge that comes late, and a top-up in time


@dataclass(frozen=True)
class Late:
    """When what happens at a boundary is seen, in minutes after it; `total` is `None` if it is not told."""

    moved: int
    charged: int
    topped_up: int
    total: int | None

    def at(self, minute: int) -> Vm:
        """The VM then."""
        spent = None if self.total is None else 3 + (minute >= self.total)
        reserved = int(not self.charged <= minute < self.charged + self.topped_up)
        return vm(reserved, spent, int(minute >= self.moved))

    def polls(self) -> Iterator[Poll]:
        """A poll each minute."""
        for minute in range(-30, self.charged + self.moved + 60):
            yield NOON + minute * MINUTE, self.at(minute)


minutes = st.integers(0, 240)
lates = st.builds(Late, minutes, minutes, st.integers(1, 14), st.none() | minutes) | st.builds(
    lambda at, topped_up: Late(0, at, topped_up, at), minutes, st.integers(1, 14)
)


@given(lates)
def test_whenever_a_charge_comes(late: Late) -> None:
    """A top-up in time after it is a top-up, whichever of charge, total and boundary is seen first."""
    for now, seen, boundaries in followed(late.polls()):
        assert not (is_short(seen) and boundaries.is_overdue(now, GRACE, seen.status))
        assert boundaries.is_topped_up(now, GRACE)


@pytest.mark.parametrize("charged", [0, 1, 16, 20, 60, 120])
def test_a_charge_that_no_top_up_follows(charged: int) -> None:
    """It is overdue 15 minutes after the charge, as late as that was, and no earlier."""
    late = Late(0, charged, 10**6, charged)
    first = next(
        now
        for now, seen, boundaries in followed(late.polls())
        if is_short(seen) and boundaries.is_overdue(now, GRACE, seen.status)
    )
    assert NOON + charged * MINUTE + GRACE == first


@pytest.mark.parametrize(
    ("last_at", "charged_at"),
    [(-MINUTE, NOON), (timedelta(0), NOON + 2 * HOUR), (HOUR, NOON + 2 * HOUR)],
)
def test_when_a_charge_came(last_at: timedelta, charged_at: datetime) -> None:
    """At its boundary, unless the poll before saw that pass, or due, without a charge."""
    known = at_last((NOON - HOUR, vm(1, 3)), (NOON + last_at, vm(1, 3)), (NOON + 2 * HOUR, vm(0, 4, 1)))  # fmt: skip
    assert (charged_at, charged_at) == (known.charged_at, known.topup_due_from)


# a reserve that falls


@dataclass(frozen=True)
class Falls:
    """A boundary that is not followed by a top-up: in which minutes it moves, and the reserve falls.

    `total` is by how much the total rises, and when.
    """

    moved: int
    charged: int
    total: tuple[tuple[int, int], ...]


falls = st.builds(
    Falls,
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 20), st.integers(-1, 3)), max_size=3).map(tuple),
)


def draining(boundaries: list[Falls], *, is_told: bool) -> Iterator[Poll]:
    """Polls about each of the boundaries, of a reserve that falls by an epoch at each."""
    reserved, total = 12, 9
    yield NOON - HOUR, vm(reserved, total if is_told else None)
    for number, each in enumerate(boundaries):
        for minute in range(-3, 40):
            rise = sum(by for at, by in each.total if at <= minute)
            left, moved = reserved - (minute >= each.charged), number + (minute >= each.moved)
            spent = total + rise if is_told else None
            yield NOON + number * EPOCH + minute * MINUTE, vm(left, spent, moved)
        reserved, total = reserved - 1, total + sum(by for _, by in each.total)


@given(st.lists(falls, min_size=1, max_size=4), st.booleans())
def test_a_reserve_that_falls_is_not_topped_up(boundaries: list[Falls], is_told: bool) -> None:  # noqa: FBT001 - drawn
    """After the grace, whatever the total says or whether it is told, whichever is seen first."""
    for now, _, known in followed(draining(boundaries, is_told=is_told)):
        number, since = divmod(now - NOON, EPOCH)
        if number >= 0:
            first = max(boundaries[number].moved, boundaries[number].charged) * MINUTE
            assert not (since >= first + GRACE and known.is_topped_up(now, GRACE))


gaps = st.dictionaries(st.integers(-3, 39), st.sampled_from(["missing", "unread", "bare"]))
spendings = st.sampled_from(["told", "stuck", "untold"])


@given(
    st.lists(st.tuples(gaps, st.integers(0, 20), st.integers(-1, 1)), min_size=2, max_size=5),
    spendings,
)
def test_short_lists_end_nothing(
    boundaries: list[tuple[dict[int, str], int, int]], spending: str
) -> None:
    """A VM once not topped up stays so while its reserve falls: whatever polls lack, by seconds more or less."""
    polls: list[Poll] = [(NOON - HOUR, vm(12, 9))]
    for number, (gap, charged, seconds) in enumerate(boundaries):
        for minute in range(-3, 40):
            done = number + (minute >= charged)
            spent = {"told": 9 + done, "stuck": 9, "untold": None}[spending]
            shift = seconds * SECOND if minute >= 30 else timedelta(0)
            seen = vm(12 - done, spent, number + (minute >= 0), shift)
            bare = replace(seen, next_billing_at=None, reserved=None, spent=None)
            lacking = {"missing": None, "unread": UNREAD, "bare": bare}
            listed = lacking[gap[minute]] if minute in gap else seen
            polls.append((NOON + number * EPOCH + minute * MINUTE, listed))
    found = [known.is_topped_up(now, GRACE) for now, _, known in followed(polls)]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("boundaries", [1, 2, 5])
def test_a_full_reserve_that_is_not_charged(boundaries: int) -> None:
    """As long as nothing is charged, no top-up is due, at however many boundaries."""
    polls = [(NOON + n * EPOCH + MINUTE, vm(1, 3, n + 1)) for n in range(boundaries)]
    known = at_last((NOON - HOUR, vm(1, 3)), *polls)
    assert known.is_topped_up(NOON + boundaries * EPOCH - HOUR, GRACE)


def test_a_charge_is_waited_for_at_one_boundary() -> None:
    """A reserve that is no longer full, and a total that stands still: the next boundary waits no more."""
    polls = [(NOON - 2 * HOUR, vm(3, 3)), (NOON - HOUR, vm(2, 4)), (NOON + MINUTE, vm(2, 4, 1))]
    assert at_last(*polls).is_topped_up(NOON + HOUR, GRACE) is False
    full = [(NOON - HOUR, vm(3, 3)), (NOON + MINUTE, vm(3, 3, 1)), (NOON + HOUR, vm(3, 3, 1))]
    dear = replace(vm(3, 3, 2), price=MicroUsdc(2 * P))
    assert at_last(*full).is_topped_up(NOON + 2 * HOUR, GRACE)
    last = at_last(*full, (NOON + EPOCH + MINUTE, dear))
    assert not last.is_topped_up(NOON + EPOCH + HOUR, GRACE)


# a VM that was missing at its boundary


@pytest.mark.parametrize(
    ("back", "is_topped_up", "paid"),
    [
        (vm(3, 6, 2), False, 5),
        (vm(3, 5, 2), False, 5),
        (vm(3, None, 2), False, 5),
        (vm(4, 5, 2), False, 5),
        (vm(4, 6, 2), True, 4),
        (vm(5, 6, 2), True, 5),
        (vm(7, 6, 2), True, 7),
        (replace(vm(6, 6, 2), price=MicroUsdc(P // 2)), True, 6),
    ],
)
def test_what_a_reserve_shows_after_a_gap(back: Vm, is_topped_up: bool, paid: int) -> None:  # noqa: FBT001 - a column
    """Of a VM that was not topped up before: only what it has more than its charges left is a top-up."""
    before = [(NOON - HOUR, vm(5, 4)), (NOON + MINUTE, vm(4, 5, 1)), (NOON + HOUR, vm(4, 5, 1))]
    back_at = NOON + EPOCH + MINUTE
    known = at_last(*before, (back_at - MINUTE, None), (back_at, back))
    assert (is_topped_up, paid) == (known.is_topped_up(back_at, GRACE), known.paid)


def test_what_nobody_saw_is_taken_for_a_top_up() -> None:
    """A VM that was topped up at its boundaries, and missing at the last one; the next one is judged."""
    polls: list[Poll] = [(NOON - HOUR, vm(5, 3)), (NOON, None), (NOON + HOUR, vm(4, 4, 1))]
    assert at_last(*polls).refilled
    polls.append((NOON + EPOCH + MINUTE, vm(3, 5, 2)))
    assert not at_last(*polls).is_topped_up(NOON + EPOCH + HOUR, GRACE)
