"""What polls show of the boundaries of a VM: passed, refilled, charged as they should be."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import EPOCH, EPOCHS
from fluence_watch.model.boundaries import (
    Boundaries,
    first_boundaries,
    next_boundaries,
    passed,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status, Vm

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
P = 300_000
VM = Vm(
    "0xa", "web", Status.ACTIVE, "ACTIVE",
    price=MicroUsdc(P), reserved=MicroUsdc(P), spent=MicroUsdc(3 * P), next_billing_at=NOON,
)  # fmt: skip


def after(vm: Vm, epochs: int = 0, spent: int = 0, reserved: int = 0, **more: object) -> Vm:
    """The VM when so many boundaries have passed, and its money has moved."""
    assert vm.next_billing_at
    assert vm.spent is not None
    assert vm.reserved is not None
    moved = replace(
        vm,
        next_billing_at=vm.next_billing_at + epochs * EPOCH,
        spent=MicroUsdc(vm.spent + spent),
        reserved=MicroUsdc(vm.reserved + reserved),
    )
    return replace(moved, **more)  # type: ignore[arg-type] # fields of a VM


def polled(*vms: Vm, step: timedelta = MINUTE) -> Boundaries:
    """What is known after polls that saw the VM so, the second at the first boundary."""
    known, before = first_boundaries(vms[0], EPOCHS, NOON - HOUR), vms[0]
    for number, vm in enumerate(vms[1:]):
        known = next_boundaries(known, before, vm, EPOCHS, NOON + SECOND + number * step)
        before = vm
    assert known
    return known


@pytest.mark.parametrize(
    ("moved_by", "now", "count"),
    [
        (timedelta(0), NOON - HOUR, 0),
        (EPOCH, NOON + SECOND, 1),
        (EPOCH - SECOND, NOON + SECOND, 1),
        (SECOND, NOON - HOUR, 0),
        (3 * EPOCH, NOON + 2 * EPOCH + HOUR, 3),
        (3 * EPOCH, NOON - HOUR, 0),
        (3 * EPOCH, NOON + HOUR, 1),
        (-EPOCH, NOON - HOUR, 0),
    ],
)
def test_boundaries_that_passed(moved_by: timedelta, now: datetime, count: int) -> None:
    """Seconds more or less are the same boundary, and what is to come has not passed."""
    assert count == passed(NOON, NOON + moved_by, EPOCHS, now)


def test_a_boundary_that_is_not_told() -> None:
    """Those that are due have passed; of an unknown one nothing is known."""
    assert 2 == passed(NOON, None, EPOCHS, NOON + EPOCH + HOUR)
    assert 0 == passed(None, NOON, EPOCHS, NOON)
    assert first_boundaries(replace(VM, next_billing_at=None), EPOCHS, NOON) is None


def test_a_healthy_boundary() -> None:
    """The reserve dips, and is refilled."""
    charged = after(VM, 1, P, -P)
    dip, refilled = polled(VM, charged), polled(VM, charged, after(charged, reserved=P))
    assert (NOON, False, False, True) == (
        dip.passed_at,
        dip.covered,
        dip.refilled,
        dip.was_refilled,
    )
    assert (NOON, True, True) == (refilled.passed_at, refilled.covered, refilled.refilled)
    assert dip.is_topped_up(NOON + MINUTE, 15 * MINUTE)
    assert not dip.is_topped_up(NOON + HOUR, 15 * MINUTE)
    assert polled(VM, after(VM, 1, P)).refilled


def test_a_reserve_of_many_epochs_that_is_not_refilled() -> None:
    """It covers the next epoch, and yet nobody refills it."""
    rich = replace(VM, reserved=MicroUsdc(5 * P))
    first = after(rich, 1, P, -P)
    known = polled(rich, first, after(first, 1, P, -P), step=EPOCH)
    assert known.covered
    assert not known.refilled
    assert not known.was_refilled
    assert not known.is_topped_up(NOON, 15 * MINUTE)


def test_a_reserve_that_needs_no_top_up() -> None:
    """After a fall of the price it pays as many epochs as before its charge, until one is missing."""
    cheap = replace(VM, price=MicroUsdc(P // 3))
    charged = after(cheap, 1, P // 3, -P // 3)
    known = polled(VM, cheap, charged)
    assert known.is_topped_up(NOON + HOUR, 15 * MINUTE)
    last = after(charged, 1, P // 3, -P // 3)
    empty = after(last, 1, P // 3, -P // 3)
    assert polled(VM, cheap, charged, last, step=EPOCH).refilled
    poor = polled(VM, cheap, charged, last, empty, step=EPOCH)
    assert (False, True) == (poor.refilled, poor.was_refilled)


def test_a_price_that_falls_as_the_reserve_is_topped_up() -> None:
    """Between two polls: the reserve is what it was before, and needs no top-up at the next boundary."""
    cheap = after(VM, 1, P, price=MicroUsdc(P // 3))
    known = polled(VM, cheap, after(cheap, 1, P // 3, -P // 3), step=EPOCH)
    assert known.refilled


def test_an_odd_charge_is_no_richer_reserve() -> None:
    """What is charged beside the boundary, and not from the reserve, makes no top-up due."""
    cheap = replace(VM, price=MicroUsdc(P // 3))
    odd = after(cheap, 0, P // 9)
    assert polled(VM, cheap, odd, after(odd, 1, P // 3, -P // 3)).refilled


def test_a_fall_of_the_price_hides_no_charge_that_is_late() -> None:
    """Before its charge is in the total, nothing can be said of a reserve."""
    moved = after(VM, 1)
    assert not polled(VM, moved).refilled
    assert not polled(VM, moved, after(moved, 0, P, -P)).refilled


def test_a_charge_that_is_skipped_makes_no_top_up_due() -> None:
    """As long as it is not in the total, the account is judged by the boundary before."""
    skipped = after(VM, 1)
    again = after(skipped, 1)
    charged = after(skipped, 0, P, -P)
    later = timedelta(hours=1)
    assert polled(VM, skipped).is_topped_up(NOON + later, 15 * MINUTE)
    assert polled(VM, skipped, again, step=EPOCH).is_topped_up(NOON + EPOCH + later, 15 * MINUTE)
    assert not polled(VM, skipped, charged).is_topped_up(NOON + later, 15 * MINUTE)


def test_a_price_that_rises_is_no_missing_top_up() -> None:
    """The reserve has covered an epoch since the boundary."""
    full = after(after(VM, 1, P, -P), reserved=P)
    dear = replace(full, price=MicroUsdc(2 * P))
    assert polled(VM, full, dear).covered


@pytest.mark.parametrize(
    ("steps", "odd"),
    [
        ([(1, P)], None),
        ([(1, 0), (0, P)], None),
        ([(0, P), (1, 0)], None),
        ([(1, 2 * P)], (1, P, 2 * P)),
        ([(1, 0)], (1, P, 0)),
        ([(0, P)], (0, 0, P)),
        ([(1, P + 1)], (1, P, P + 1)),
        ([(1, 0), (0, 5)], (1, P, 5)),
        ([(1, 0), (1, P)], None),
        ([(1, 0), (1, 2 * P)], None),
        ([(1, 0), (1, 0)], (1, P, 0)),
    ],
)
def test_charges_that_do_not_fit(
    steps: list[tuple[int, int]], odd: tuple[int, int, int] | None
) -> None:
    """Charge and boundary may be seen one after the other; the next boundary begins anew."""
    vms = [VM]
    for epochs, spent in steps:
        vms.append(after(vms[-1], epochs, spent))
    found = polled(*vms, step=EPOCH).odd
    assert odd == (found and (found.boundaries, found.low, found.charged))


def test_a_new_price_may_be_charged_or_the_old_one() -> None:
    """Whether it changed before the boundary is not known."""
    dear = replace(after(VM, 1, P), price=MicroUsdc(2 * P))
    assert polled(VM, dear).odd is None
    assert polled(VM, replace(dear, spent=MicroUsdc(5 * P))).odd is None
    assert polled(VM, replace(dear, spent=MicroUsdc(6 * P))).odd


@pytest.mark.parametrize("unknown", ["price", "spent"])
def test_what_is_unknown_is_not_odd(unknown: str) -> None:
    """Nor is what an ended VM does not pay."""
    assert polled(VM, replace(after(VM, 1), **{unknown: None})).odd is None  # type: ignore[arg-type]
    assert polled(VM, after(VM, 1, 0, status=Status.TERMINATED)).odd is None


def test_what_is_not_told_counts_later() -> None:
    """A total that is withheld over two boundaries fits once it is told."""
    known, before = first_boundaries(VM, EPOCHS, NOON - HOUR), VM
    for number in range(2):
        vm, now = after(before, 1), NOON + SECOND + number * EPOCH
        known = next_boundaries(known, before, vm, EPOCHS, now, is_told=False)
        before = vm
    told = after(before, 0, 2 * P)
    known = next_boundaries(known, before, told, EPOCHS, NOON + EPOCH + MINUTE)
    assert known
    assert known.odd is None


@pytest.mark.parametrize(
    "status", [Status.SUSPENDED, Status.STOPPED, Status.SMALL_BALANCE, Status.UNKNOWN, Status.NEW]
)
def test_who_may_be_charged_nothing(status: Status) -> None:
    """Whether an epoch is charged or not, and when the VM runs again; but not twice."""
    idle = replace(VM, status=status)
    skipped = after(idle, 1)
    assert polled(VM, skipped).odd is None
    assert polled(idle, skipped, after(skipped, 3, P, status=Status.ACTIVE), step=EPOCH).odd is None
    assert polled(idle, skipped, after(skipped, 0, P)).odd is None
    assert polled(idle, skipped, after(skipped, 0, 2 * P)).odd
    assert polled(idle, after(idle, 1, 2 * P)).odd


def test_a_vm_that_is_resumed() -> None:
    """Its boundary stood still meanwhile, and then an epoch is charged."""
    idle = replace(VM, status=Status.SUSPENDED)
    known = first_boundaries(idle, EPOCHS, NOON - HOUR)
    resumed = after(idle, 4, P, status=Status.ACTIVE)
    known = next_boundaries(known, idle, resumed, EPOCHS, NOON + 3 * EPOCH + HOUR)
    assert known
    assert known.odd is None


@pytest.mark.parametrize(
    ("seen_at", "spent", "odd"),
    [
        (NOON - EPOCH + MINUTE, 3 * P, False),
        (NOON - HOUR, 0, False),
        (NOON - HOUR, 3 * P, True),
    ],
)
def test_a_first_charge_that_comes_late(seen_at: datetime, spent: int, odd: bool) -> None:  # noqa: FBT001 - a column
    """A VM that was launched, or is first seen just after its boundary, may be charged once more."""
    fresh = replace(VM, spent=MicroUsdc(spent))
    known = first_boundaries(fresh, EPOCHS, seen_at)
    once = after(fresh, 0, P)
    known = next_boundaries(known, fresh, once, EPOCHS, NOON - 30 * MINUTE)
    assert known
    assert odd is bool(known.odd)
    known = next_boundaries(known, once, after(once, 0, P), EPOCHS, NOON - 20 * MINUTE)
    assert known
    assert known.odd


def test_a_launched_draft_begins_anew() -> None:
    """As does whatever is billed again."""
    draft = replace(VM, status=Status.DRAFT, spent=MicroUsdc(0))
    known = first_boundaries(draft, EPOCHS, NOON - HOUR)
    known = next_boundaries(known, draft, VM, EPOCHS, NOON)
    assert first_boundaries(VM, EPOCHS, NOON) == known


@pytest.mark.parametrize(
    ("next_at", "now", "spent"),
    [
        (NOON + EPOCH, NOON - 10 * MINUTE, P),
        (NOON + EPOCH, NOON - 10 * MINUTE, 0),
        (NOON + HOUR, NOON + MINUTE, P),
        (NOON + 5 * HOUR, NOON - HOUR, 0),
        (NOON - HOUR + EPOCH, NOON - HOUR + SECOND, P),
        (NOON + 20_000 * EPOCH, NOON + 20_000 * EPOCH - HOUR, 20_000 * P),
    ],
)
def test_a_boundary_that_is_moved(next_at: datetime, now: datetime, spent: int) -> None:
    """By the API, or as a clock that is slow sees it: it may have been charged, once."""
    for charged, odd in ((spent, False), (spent + 2 * P, True)):
        vm = replace(after(VM, 0, charged), next_billing_at=next_at)
        known = next_boundaries(first_boundaries(VM, EPOCHS, NOON - HOUR), VM, vm, EPOCHS, now)
        assert known
        assert odd is bool(known.odd)


@pytest.mark.parametrize("back", [-1, -2])
def test_a_boundary_that_is_shown_again(back: int) -> None:
    """It is counted once: another charge is odd, and the next boundary is as any other."""
    dip = after(VM, 1, P, -P)
    full = after(dip, reserved=P)
    stale = after(full, back)
    known = polled(VM, dip, full, stale, full)
    assert (NOON, True, True) == (known.passed_at, known.refilled, known.was_refilled)
    assert known.odd is None
    assert polled(VM, dip, full, stale, after(full, 0, P)).odd
    following = after(full, 1, P, -P)
    begun = polled(VM, full, stale, full, following, step=8 * HOUR)
    assert (NOON + EPOCH, False, True) == (begun.passed_at, begun.refilled, begun.was_refilled)
    assert begun.odd is None


def test_charges_that_lag_behind_a_gap_of_polls() -> None:
    """What was missing at the last boundary may come after the next one too, once."""
    first = after(VM, 1)
    second = after(first, 1, P)
    late = after(second, 0, P)
    assert polled(VM, first, second, late, step=EPOCH).odd is None
    assert polled(VM, first, second, late, after(late, 0, P), step=EPOCH).odd


def test_a_price_that_lags_behind_its_charge() -> None:
    """A new price that is shown after it was charged explains the charge."""
    dear = after(VM, 1, 2 * P)
    assert polled(VM, dear).odd
    assert polled(VM, dear, replace(dear, price=MicroUsdc(2 * P))).odd is None
    assert polled(VM, dear, replace(dear, price=MicroUsdc(3 * P))).odd is None


def test_a_refund_ends_it() -> None:
    """What was charged twice and given back fits again."""
    twice = after(VM, 1, 2 * P)
    assert polled(VM, twice, after(twice, 0, -P)).odd is None
    assert polled(VM, after(VM, 0, -P)).odd


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8))
def test_a_healthy_vm_is_never_odd(steps: list[tuple[int, bool]]) -> None:
    """However polls are spaced, and whichever of charge and boundary is seen first."""
    known, before, now = first_boundaries(VM, EPOCHS, NOON - HOUR), VM, NOON + SECOND
    for epochs, is_late in steps:
        now += epochs * EPOCH
        at_once, later = (0, epochs * P) if is_late else (epochs * P, 0)
        for boundaries, spent in ((epochs, at_once), (0, later)):
            vm = after(before, boundaries, spent)
            known = next_boundaries(known, before, vm, EPOCHS, now)
            before, now = vm, now + MINUTE
    assert known
    assert known.odd is None
