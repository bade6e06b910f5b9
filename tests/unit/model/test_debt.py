"""When a metered account loses what, by the documented rules: against a second-by-second account."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.debt import Removal, removal_of, removes, unpaid
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
USDC = 1_000_000


def renting(vm: int, disk: int) -> tuple[list[Vm], list[Resource]]:
    """A VM and a disk at these prices an hour."""
    machine = Vm("1", "web", Status.ACTIVE, "launched", price=MicroUsdc(vm))
    return [machine], [Resource(Kind.DISK, "2", "data", "ready", MicroUsdc(disk))]


@pytest.mark.parametrize(
    ("balance", "overage", "owed"),
    [(5, None, 0), (0, 0, 0), (-7, None, 7), (-7, 9, 9), (3, 2, 2)],
)
def test_what_is_unpaid(balance: int, overage: int | None, owed: int) -> None:
    """A balance below zero, or what the API says is unpaid."""
    assert owed == unpaid(AccountBalance(MicroUsdc(balance), None, overage))


@pytest.mark.parametrize(
    ("balance", "prices", "since", "expected"),
    [
        # 24 USDC a day: 5 are owed after 5 hours, 20 after 15 more at 1 USDC an hour of disk
        (0, (0, 1), None, (0, 5, 20)),
        # half of it is the disk's
        (0, (0.5, 0.5), None, (0, 5, 35)),
        # slowly: by time
        (0, (0.001, 0.001), None, (0, 72, 312)),
        # a balance of 10 lasts 10 hours first
        (10, (0, 1), None, (10, 15, 30)),
        # it was owed a day ago
        (-0.01, (0.001, 0.001), -24, (-24, 48, 288)),
        # it is too late for the VM, and for all
        (-6, (0, 1), None, (0, 0, 14)),
        (-21, (0, 1), None, (0, 0, 0)),
        # nothing costs money, but something is owed
        (-1, (0, 0), None, (0, 72, 312)),
    ],
)
def test_when_what_is_removed(
    balance: float, prices: tuple[float, float], since: int | None, expected: tuple[int, int, int]
) -> None:
    """In hours from now."""
    vms, resources = renting(*(int(price * USDC) for price in prices))
    money = AccountBalance(MicroUsdc(int(balance * USDC)))
    owed_since = None if since is None else NOW + since * HOUR
    removal = removal_of(money, vms, resources, NOW, owed_since)
    assert Removal(*(NOW + hours * HOUR for hours in expected)) == removal


@pytest.mark.parametrize(
    ("balance", "days", "gone"),
    [
        (0, 30, set()),
        (-0.01, 0, set()),
        (-5, 2.9, set()),
        (-5.01, 0, {None, Kind.PUBLIC_IP}),
        (-0.01, 3, {None, Kind.PUBLIC_IP}),
        (-19.99, 12.9, {None, Kind.PUBLIC_IP}),
        (-20, 0, {None, Kind.PUBLIC_IP, Kind.DISK}),
        (-0.01, 13, {None, Kind.PUBLIC_IP, Kind.DISK}),
    ],
)
def test_what_is_removed_by_now(balance: float, days: float, gone: set[Kind | None]) -> None:
    """More than 5 USDC, or 3 days, for VMs and addresses; 20 USDC, or 13 days, for disks."""
    money = AccountBalance(MicroUsdc(int(balance * USDC)))
    assert gone == removes(money, NOW, NOW - days * DAY)


def test_a_debt_that_is_new_removes_nothing() -> None:
    """Nobody has seen it before now."""
    assert not removes(AccountBalance(MicroUsdc(-USDC)), NOW, None)


def test_gpu_instances_owe_nothing() -> None:
    """They are prepaid, so they bring no removal nearer."""
    gpu = Resource(Kind.GPU_VM, "3", "trainer", "ACTIVE", MicroUsdc(USDC))
    money = AccountBalance(MicroUsdc(-1))
    assert removal_of(money, [], [], NOW) == removal_of(money, [], [gpu], NOW)


def test_nothing_to_pay_for() -> None:
    """With money and without costs, nothing is ever removed."""
    assert Removal(FOREVER, FOREVER, FOREVER) == removal_of(
        AccountBalance(MicroUsdc(1)), [], [], NOW
    )


@settings(max_examples=50)
@given(st.integers(-30, 30), st.integers(0, 40), st.integers(1, 40))
def test_against_an_account_hour_by_hour(balance: int, vm: int, disk: int) -> None:
    """Nothing is removed much earlier or later than the rules say."""
    vms, resources = renting(vm * USDC // 40, disk * USDC // 40)
    removal = removal_of(AccountBalance(MicroUsdc(balance * USDC)), vms, resources, NOW)
    lived = live(balance * USDC, vm * USDC // 40, disk * USDC // 40)
    step = timedelta(minutes=6, seconds=1)
    assert abs(removal.vms_at - lived[0]) <= step
    assert abs(removal.disks_at - lived[1]) <= 2 * step + step * (vm + disk) / disk


def live(money: int, vm: int, disk: int) -> tuple[datetime, datetime]:
    """When the VM and the disk go, charged every few minutes."""
    left, at, since, vms_at = money * 10, NOW, None, None  # in tenths
    while True:
        owed = -left
        since = (since or at) if owed > 0 else None
        if vms_at is None and since and (owed > 50 * USDC or at >= since + 3 * DAY):
            vms_at, vm = at, 0
        if since and (owed >= 200 * USDC or at >= since + 13 * DAY):
            return vms_at or at, at
        left -= vm + disk
        at += timedelta(minutes=6)
