"""What is known of boundaries over polls of a whole list: missing VMs, and fields that are not told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from fluence_watch.model.billing import EPOCH, EPOCHS
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.known import KnownVm, follow_boundaries, track
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.model.vm import Vm

MINUTE = timedelta(minutes=1)


def after(vm: Vm, epochs: int, times: int) -> Vm:
    """The VM when so many boundaries have passed, and it was charged so many times."""
    assert vm.next_billing_at
    assert vm.price is not None
    assert vm.spent is not None
    return replace(
        vm,
        next_billing_at=vm.next_billing_at + epochs * EPOCH,
        spent=MicroUsdc(vm.spent + times * vm.price),
    )


def polled(first: Vm, *vms: Vm | None, step: timedelta = MINUTE) -> Boundaries:
    """What is known of the VM at last, `None` is a poll without it; the second is at the boundary."""
    assert first.next_billing_at
    known: Mapping[str, KnownVm] = {}
    for number, vm in enumerate((first, *vms)):
        now = first.next_billing_at + number * step - step / 2
        now -= timedelta(0) if number else timedelta(hours=2)
        snapshot = build_snapshot("main", now, [vm] if vm else [])
        tracked = track(known, snapshot, now, timedelta(days=7))
        known = follow_boundaries(known, tracked, EPOCHS, now)
    boundaries = known[first.key].boundaries
    assert boundaries
    return boundaries


def test_a_short_list_hides_no_odd_charge(web: Vm) -> None:
    """A VM that is missing for a poll within its epoch is charged as before."""
    twice = after(web, 1, 2)
    odd = polled(web, twice).odd
    assert odd
    assert odd == polled(web, twice, None, twice).odd
    assert odd == polled(web, twice, None, replace(twice, name="other")).odd
    assert polled(web, twice, None, after(twice, 0, -1)).odd is None


def test_what_a_missing_vm_paid_is_unknown(web: Vm) -> None:
    """If a boundary passed meanwhile; its charge may come late."""
    back = after(web, 1, 0)
    assert polled(web, None, back).odd is None
    assert polled(web, None, back, after(back, 0, 1)).odd is None
    assert polled(web, None, after(web, 3, 1)).odd is None


def test_a_total_that_is_not_told(web: Vm) -> None:
    """It counts when it is told again, also over a boundary."""
    untold = replace(after(web, 1, 0), spent=None)
    assert polled(web, untold, after(web, 1, 1)).odd is None
    assert polled(web, untold, after(web, 1, 2)).odd


def test_a_vm_that_is_missing_at_its_boundary_needs_no_more_than_before(web: Vm) -> None:
    """Its price fell, so its reserve pays two epochs: no top-up after the first of them is due."""
    assert web.price
    full = after(replace(web, reserved=web.price), 1, 1)
    cheap = replace(full, price=MicroUsdc(web.price // 2))
    back = after(cheap, 2, 2)
    later = replace(after(back, 1, 1), reserved=cheap.price)
    assert polled(web, cheap, None, back, later, step=EPOCH).refilled
    added = replace(back, reserved=MicroUsdc(3 * web.price))
    spent = replace(after(added, 1, 1), reserved=MicroUsdc(3 * web.price - web.price // 2))
    assert not polled(web, cheap, None, added, spent, step=EPOCH).refilled
