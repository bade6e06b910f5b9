"""A metered account: every resource is paid per second, and debt removes things at its deadlines."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import SettableClock, World, build_world
from fluence_watch.simulator.actions import AddAddress, AddDisk
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.machine import State, in_state
from fluence_watch.simulator.metering import rates, units
from fluence_watch.simulator.rental import RentalKind

Speak = Callable[..., httpx.AsyncClient]
NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
EPOCH = timedelta(hours=24)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
USDC = 1_000_000


def metered(vms: int = 1, balance: int = 10 * USDC) -> World:
    return build_world(
        seed=3, vms=vms, epoch=EPOCH, now=NOW, balance=MicroUsdc(balance), metered=True
    )


def priced(price: int, balance: int) -> World:
    """A VM without a price, with a disk and an address that cost as much a day together."""
    world = metered(balance=balance)
    world.rentals.clear()
    (machine,) = world.listed()
    world.set_price(machine.id, MicroUsdc(0))
    AddDisk("data", price=price // 2, vm=machine.id).apply(world)
    AddAddress("ip", price=price // 2, vm=machine.id).apply(world)
    return world


def test_a_day_costs_what_everything_costs() -> None:
    """A VM, its disk and its address, each by itself."""
    world = metered()
    burn = sum(rates(world).values())
    (machine,) = world.listed()
    assert machine.price < burn
    world.advance(NOW + DAY)
    assert 10 * USDC - burn == world.balance


def test_what_a_deleted_vm_leaves_costs_on() -> None:
    """Its disk and its address, until they are removed too."""
    world = metered()
    (machine,) = world.listed()
    world.delete(machine.id)
    left = sum(rates(world).values())
    assert 0 < left == sum(rental.price for rental in world.rentals.values())
    assert {""} == {rental.attached_to for rental in world.rentals.values()}
    world.advance(NOW + DAY)
    assert 10 * USDC - left == world.balance


def test_a_draft_costs_nothing() -> None:
    world = metered()
    (machine,) = world.listed()
    world.rentals.clear()
    world.put(in_state(machine, State.DRAFT, NOW))
    world.advance(NOW + DAY)
    assert 10 * USDC == world.balance


@settings(deadline=None)
@given(
    st.integers(-30 * USDC, 30 * USDC),
    st.lists(st.integers(0, 10**12), max_size=6),
)
def test_it_does_not_matter_when_one_looks(balance: int, looks: Sequence[int]) -> None:
    """All that was charged left the balance, to the last part, and the books say for what."""
    world, other = metered(2, balance), metered(2, balance)
    for elapsed in sorted(looks):
        world.advance(NOW + elapsed * MICROSECOND)
    end = max(world.now, NOW + DAY)
    for each in (world, other):
        each.advance(end)
    before = balance * (EPOCH // MICROSECOND)
    assert before == units(world) + world.meter.charged.total()
    assert (units(other), other.meter) == (units(world), world.meter)


@pytest.mark.parametrize(
    ("price", "vms_go", "disks_go"),
    [
        (100 * USDC, timedelta(days=0.05), timedelta(days=0.35)),
        (2 * USDC, timedelta(days=2.5), timedelta(days=13)),
        (1 * USDC, timedelta(days=3), timedelta(days=13)),
        (20_000, timedelta(days=3), timedelta(days=13)),
    ],
    ids=["by amount", "VMs by amount, disks by time", "by time", "slowly"],
)
def test_what_debt_removes(price: int, vms_go: timedelta, disks_go: timedelta) -> None:
    """More than 5 USD or 3 days: VMs and addresses. 20 USD or 10 more days: disks.

    After the VMs and addresses are gone, the disks cost half.
    """
    world = priced(price, 0)
    (machine,) = world.listed()

    def there() -> tuple[bool, int, int]:
        kinds = [rental.kind for rental in world.rentals.values()]
        runs = world.find(machine.id).state is State.ACTIVE
        return runs, kinds.count(RentalKind.ADDRESS), kinds.count(RentalKind.DISK)

    second = timedelta(seconds=1)
    world.advance(NOW + vms_go - second)
    assert (True, 1, 1) == there()
    world.advance(NOW + vms_go + second)
    assert (False, 0, 1) == there()
    world.advance(NOW + disks_go - second)
    assert (False, 0, 1) == there()
    world.advance(NOW + disks_go + second)
    assert (False, 0, 0) == there()


def test_a_paid_debt_is_forgotten() -> None:
    """The three days begin anew with the next one."""
    world = priced(USDC, 0)
    world.advance(NOW + 2.5 * DAY)
    world.refill(MicroUsdc(3 * USDC))
    world.advance(NOW + 5.4 * DAY)
    assert State.ACTIVE is world.listed()[0].state


def test_where_vms_are_prepaid_nothing_is_rented() -> None:
    world = build_world(seed=3, vms=1, epoch=EPOCH, now=NOW)
    with pytest.raises(RefusedError, match="belong to their VMs"):
        AddDisk("data").apply(world)
    with pytest.raises(UnknownError):
        AddDisk("data", vm="none").apply(metered())


async def test_over_the_wire(speak: Speak) -> None:
    """Lists, removal, the balance, the bill, and permissions."""
    world = metered(2)
    AddDisk("old", gb=2000).apply(world)
    world.delete(world.listed()[0].id)
    clock = SettableClock(NOW + DAY)
    async with speak(world, clock, "cloud") as client:
        disks = (await client.get("/v1/storages", params={"sort": "createdAt"})).json()["items"]
        idle = [disk for disk in disks if not disk["attachedTo"]]
        taken = next(disk for disk in disks if disk["attachedTo"])
        assert {"old", "web-1-boot"} == {disk["name"] for disk in idle}
        query = {"excludeAttached": "true", "sort": "createdAt"}
        assert idle == (await client.get("/v1/storages", params=query)).json()["items"]
        assert 422 == (await client.delete(f"/v1/storages/{taken['id']}")).status_code
        for disk in idle:
            gone = await client.delete(f"/v1/storages/{disk['id']}")
            assert (200, "removed") == (gone.status_code, gone.json()["status"])
        assert [taken] == (await client.get("/v1/storages")).json()["items"]

        (money,) = (await client.get("/v2/users/balances")).json()
        days = {"startDate": "2025-04-16", "endDate": "2025-04-17", "groupBy": "RESOURCE_TYPE"}
        bill = (await client.get("/v1/billing/charges/aggregated", params=days)).json()
        paid = sum(Decimal(row["totalCost"]) for row in bill)
        assert {"VM", "STORAGE", "PUBLIC_IP"} == {row["resourceType"] for row in bill}
        assert Decimal(10) - Decimal(money["balance"]) == pytest.approx(
            paid, abs=Decimal("0.00001")
        )

        world.withheld = frozenset({"storage:read"})
        assert 403 == (await client.get("/v1/storages")).status_code
        assert 200 == (await client.get("/v1/public_ips")).status_code
        scopes = (await client.get("/v1/users/me")).json()["permissions"]
        assert "storage:read" not in scopes
        assert "public_ip:read" in scopes


async def test_debt_over_the_wire(speak: Speak) -> None:
    """What is unpaid is told, and no days are left."""
    world = priced(USDC, 0)
    async with speak(world, SettableClock(NOW + 2 * DAY), "cloud") as client:
        (money,) = (await client.get("/v2/users/balances")).json()
    assert ("-2", "2", 0) == (money["balance"], money["overage"], money["usageDaysLeft"])
