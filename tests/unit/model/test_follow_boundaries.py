"""What is known of boundaries over polls of a whole list: missing VMs, and fields that are not told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from fluence_watch.model.billing import EPOCH, EPOCHS
from fluence_watch.model.boundaries import Boundaries
from fluence_watch.model.known import KnownVm, follow_boundaries, track
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Rejected, build_snapshot
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


UNREAD = Rejected("[0].ports", "not a list")


def polled(first: Vm, *vms: Vm | Rejected | None, step: timedelta = MINUTE) -> Boundaries:
    """What is known of the VM at last, `None` is a poll without it; the second is at the boundary."""
    assert first.next_billing_at
    known: Mapping[str, KnownVm] = {}
    for number, vm in enumerate((first, *vms)):
        now = first.next_billing_at + number * step - step / 2
        now -= timedelta(0) if number else timedelta(hours=2)
        rejected = [replace(vm, vm_id=first.id)] if isinstance(vm, Rejected) else []
        snapshot = build_snapshot("main", now, [vm] if isinstance(vm, Vm) else [], rejected)
        tracked = track(known, snapshot, now, timedelta(days=7))
        known = follow_boundaries(known, tracked, EPOCHS, now, snapshot.unread)
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


@pytest.mark.parametrize("untold", [UNREAD, {"next_billing_at": None, "spent": None}])
def test_what_a_missing_vm_paid_is_unknown_though_it_is_untold_as_it_comes_back(
    web: Vm, untold: Rejected | dict[str, None]
) -> None:
    """It was not charged while it was missing, and the account still tops it up."""
    bare = untold if isinstance(untold, Rejected) else replace(web, **untold)
    back = after(web, 1, 0)
    for polls in ([None, bare, back], [bare, None, bare, bare, back, back]):
        known = polled(web, *polls)
        assert (None, True) == (known.odd, known.refilled)
    assert polled(web, bare, after(web, 1, 2)).odd


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


@pytest.mark.parametrize("untold", [UNREAD, {"next_billing_at": None, "spent": None}])
def test_what_is_known_of_a_vm_outlasts_a_gap_and_what_is_untold_after_it(
    web: Vm, untold: Rejected | dict[str, None]
) -> None:
    """How many epochs its reserve pays, and an odd charge of the same epoch."""
    twice = after(web, 1, 2)
    bare = untold if isinstance(untold, Rejected) else replace(twice, **untold)
    assert polled(web, twice) == polled(web, twice, None, bare, twice)
    assert (
        polled(web, twice).odd == polled(web, twice, None, bare, bare, replace(twice, name="x")).odd
    )
    assert web.price
    cheap = replace(after(replace(web, reserved=web.price), 1, 1), price=MicroUsdc(web.price // 2))
    bare = untold if isinstance(untold, Rejected) else replace(cheap, **untold)
    later = replace(after(after(cheap, 2, 2), 1, 1), reserved=MicroUsdc(web.price // 2))
    assert polled(web, cheap, None, bare, after(cheap, 2, 2), later, step=EPOCH).refilled
