from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.views.month import MonthForecast, month_forecast

NOW = datetime(2026, 4, 28, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VM = Vm("0xa", "web", Status.ACTIVE, "", MicroUsdc(1_000_000), next_billing_at=NOW + HOUR)
DISK = Resource(Kind.DISK, "d", None, "ready", MicroUsdc(10_000))


def state(
    *vms: KnownVm | Vm, disks: tuple[Resource, ...] = (), **more: datetime | None
) -> AccountState:
    known = [vm if isinstance(vm, KnownVm) else KnownVm(vm, NOW) for vm in vms]
    return AccountState(
        {each.vm.key: each for each in known},
        last_good_at=more.get("polled_at", NOW - HOUR),
        counted_at=more.get("counted_at"),
        whole_at=more.get("whole_at"),
        resources={disk.key: KnownResource(disk, NOW) for disk in disks},
    )


def ahead(**states: AccountState) -> MonthForecast | None:
    return month_forecast(MicroUsdc(5_000_000), states, dict.fromkeys(states, DAY), NOW)


def test_prepaid() -> None:
    """The boundaries until the end: those of the 28th, 29th and 30th."""
    assert MonthForecast(
        "2026-04", Decimal("8.0"), Decimal("5.0"), Decimal("3.0"), 1, 0, 0, NOW - HOUR, None, ()
    ) == ahead(main=state(VM))


def test_metered() -> None:
    """From when it is in the ledger until, disks too: that is 62 hours before the month's end."""
    counted = NOW - 2 * HOUR
    vm = replace(VM, next_billing_at=None)
    found = ahead(main=state(vm, disks=(DISK,), counted_at=counted, polled_at=counted + HOUR / 2))
    assert found
    assert (62 * Decimal("1.01"), counted, 1, 1) == (
        found.ahead, found.counted_until, found.vms, found.resources,
    )  # fmt: skip


def test_an_account_that_was_metered_once() -> None:
    """What was counted long before the last poll says nothing of how it is paid now."""
    found = ahead(main=state(VM, counted_at=NOW - DAY))
    assert found
    assert (Decimal(3), None) == (found.ahead, found.counted_until)


@pytest.mark.parametrize(
    "vm",
    [
        KnownVm(VM, NOW, missing_since=NOW, missing_polls=1),
        replace(VM, status=Status.TERMINATED),
    ],
)
def test_what_does_not_run(vm: KnownVm | Vm) -> None:
    """What is missing or has ended costs nothing until the end, and is not counted."""
    found = ahead(main=state(vm))
    assert found
    assert (0, 0, 0) == (found.ahead, found.vms, found.left_out)


def test_what_is_not_known() -> None:
    """It is left out and counted; an earlier price is a known one."""
    unpriced = replace(VM, id="0xb", price=None)
    found = ahead(main=state(unpriced, replace(VM, id="0xc", next_billing_at=None)))
    assert found
    assert (0, 2) == (found.ahead, found.left_out)
    found = ahead(main=state(KnownVm(unpriced, NOW, remembered=replace(unpriced, price=VM.price))))
    assert found
    assert (Decimal(3), 0) == (found.ahead, found.left_out)


@pytest.mark.parametrize(
    ("whole_at", "incomplete"),
    [(None, ("main",)), (NOW - 2 * HOUR, ("main",)), (NOW - HOUR, ())],
)
def test_lists_that_are_not_complete(
    whole_at: datetime | None, incomplete: tuple[str, ...]
) -> None:
    """What a key may not list costs money too: a metered account comes to at least so much."""
    found = ahead(main=state(VM, counted_at=NOW - HOUR, whole_at=whole_at))
    assert found
    assert (incomplete, bool(incomplete)) == (found.incomplete, found.is_least)
    assert () == ahead(main=state(VM)).incomplete


def test_several_accounts() -> None:
    """Together, as of the oldest poll; one that was not polled this month is named."""
    old = state(VM, polled_at=NOW - DAY)
    found = ahead(a=state(VM), b=old, c=state(VM, polled_at=NOW - 30 * DAY), d=AccountState())
    assert found
    assert (Decimal(6), NOW - DAY, ("c", "d")) == (found.ahead, found.polled_at, found.unpolled)
    assert ahead(d=AccountState()) is None
