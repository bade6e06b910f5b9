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
    known, before = first_boundaries(vms[0], EPOCHS), vms[0]
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
    assert first_boundaries(replace(VM, next_billing_at=None), EPOCHS) is None


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


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8))
def test_a_healthy_vm_is_never_odd(steps: list[tuple[int, bool]]) -> None:
    """However polls are spaced, and whichever of charge and boundary is seen first."""
    known, before, now = first_boundaries(VM, EPOCHS), VM, NOON + SECOND
    for epochs, is_late in steps:
        now += epochs * EPOCH
        at_once, later = (0, epochs * P) if is_late else (epochs * P, 0)
        for boundaries, spent in ((epochs, at_once), (0, later)):
            vm = after(before, boundaries, spent)
            known = next_boundaries(known, before, vm, EPOCHS, now)
            before, now = vm, now + MINUTE
    assert known
    assert known.odd is None
