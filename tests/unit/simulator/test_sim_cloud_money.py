"""Dialect `cloud`: the balance, prices and charges."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import SettableClock, World
from fluence_watch.simulator.dialects.amounts import hourly

Speak = Callable[..., httpx.AsyncClient]


@pytest_asyncio.fixture
async def cloud(
    speak: Speak, world: World, clock: SettableClock
) -> AsyncIterator[httpx.AsyncClient]:
    async with speak(world, clock, "cloud") as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **query: object) -> Any:  # noqa: ANN401 - JSON
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_balance(cloud: httpx.AsyncClient, world: World) -> None:
    """Deposits are balance and usage; the days left are those of the present burn."""
    (entitlement,) = await get(cloud, "/v2/users/balances")
    amounts = {key: Decimal(entitlement[key]) for key in ("balance", "usage")}
    assert Decimal(world.balance).scaleb(-6) == amounts["balance"]
    assert Decimal(entitlement["totalDepositedAmount"]) == sum(amounts.values())
    burn = sum(machine.price for machine in world.listed())
    assert world.balance // burn == entitlement["usageDaysLeft"]
    key = entitlement["featureKey"]
    assert [entitlement] == await get(cloud, "/v2/users/balances", entitlementKey=key)
    assert [] == await get(cloud, "/v2/users/balances", entitlementKey="other")


async def test_an_idle_account_lasts_for_ever(cloud: httpx.AsyncClient, world: World) -> None:
    """Nothing runs: no number of days is told."""
    for machine in world.listed():
        world.terminate(machine.id)
    assert (await get(cloud, "/v2/users/balances"))[0]["usageDaysLeft"] is None


@pytest.mark.parametrize(
    ("group_by", "rows"),
    [({}, 6), ({"groupBy": "RESOURCE"}, 6), ({"groupBy": "RESOURCE_TYPE"}, 1)],
)
async def test_charges_add_up(
    cloud: httpx.AsyncClient, world: World, group_by: dict, rows: int
) -> None:
    """However they are grouped, all days together cost what was spent."""
    query = {"startDate": "2000-01-01", "endDate": "2030-01-01"} | group_by
    charges = await get(cloud, "/v1/billing/charges/aggregated", **query)
    spent = Decimal(sum(machine.spent for machine in world.listed())).scaleb(-6)
    assert spent == sum(Decimal(row["totalCost"]) for row in charges)
    assert rows == len(charges)
    assert spent == Decimal((await get(cloud, "/v1/billing/charges/total"))["total"])


async def test_charges_by_cluster(cloud: httpx.AsyncClient, world: World) -> None:
    """A row for each cluster that a VM stands in."""
    query = {"startDate": "2000-01-01", "endDate": "2030-01-01", "groupBy": "CLUSTER"}
    charges = await get(cloud, "/v1/billing/charges/aggregated", **query)
    assert len({machine.datacenter for machine in world.listed()}) == len(charges)


async def test_charges_by_day(cloud: httpx.AsyncClient, world: World) -> None:
    """Both ends of the range are inside; a day costs one epoch of each VM that ran."""
    query = {"startDate": "2025-04-15", "endDate": "2025-04-16", "period": "DAY"}
    machine = world.find("db-2")
    rows = await get(cloud, "/v1/billing/charges/aggregated", resourceId=machine.uuid, **query)
    days = {row["periodStart"]: (row["totalCost"], row["totalUsageHours"]) for row in rows}
    price = str(Decimal(machine.price).scaleb(-6).normalize())
    last = machine.next_billing_at - world.epoch
    assert (price, "24") == days[f"{last:%Y-%m-%d}T00:00:00Z"]
    assert {"2025-04-15T00:00:00Z", "2025-04-16T00:00:00Z"} >= days.keys()


async def test_charges_are_not_written_as_csv(cloud: httpx.AsyncClient) -> None:
    """Published, but not served: that is said."""
    query = {"startDate": "2025-04-01", "endDate": "2025-04-02", "format": "csv"}
    response = await cloud.get("/v1/billing/charges/aggregated", params=query)
    assert (422, "unprocessable_entity") == (response.status_code, response.json()["code"])


async def test_a_vm_that_never_paid(cloud: httpx.AsyncClient, world: World) -> None:
    """It is in no row, and adds nothing."""
    machine = world.find("web-1")
    world.put(replace(machine, spent=MicroUsdc(0)))
    total = await get(cloud, "/v1/billing/charges/total", resourceId=machine.uuid)
    assert {"total": "0", "VM": "0"} == total


async def test_charges_of_other_things(cloud: httpx.AsyncClient) -> None:
    """Disks and addresses are priced with their VM."""
    query = {"startDate": "2000-01-01", "endDate": "2030-01-01", "resourceType": "STORAGE"}
    assert [] == await get(cloud, "/v1/billing/charges/aggregated", **query)


async def test_hourly_price(cloud: httpx.AsyncClient, world: World) -> None:
    """The hours of an epoch cost its price, to the micro-USDC."""
    for vm in (await get(cloud, "/v2/vms"))["items"]:
        epoch = (Decimal(vm["priceHourlyUsd"]) * 24).quantize(Decimal("0.000001"))
        assert Decimal(world.find(vm["id"]).price).scaleb(-6) == epoch


async def test_a_price_of_nothing(cloud: httpx.AsyncClient, world: World) -> None:
    """A VM that is free is shown so, and its past charges stay."""
    world.set_price("web-1", MicroUsdc(0))
    vm = (await get(cloud, "/v2/vms", name="web-1"))["items"][0]
    total = await get(cloud, "/v1/billing/charges/total", resourceId=vm["id"])
    assert "0" == vm["priceHourlyUsd"]
    assert Decimal(world.find("web-1").spent).scaleb(-6) == Decimal(total["total"])


async def test_a_charge_at_midnight(cloud: httpx.AsyncClient, world: World) -> None:
    """It is the first of the new day."""
    midnight = datetime(2025, 4, 16, tzinfo=UTC)
    machine = world.find("db-2")
    world.put(replace(machine, next_billing_at=midnight + world.epoch))
    query = {"startDate": "2025-04-16", "endDate": "2025-04-16", "resourceId": machine.uuid}
    total = await get(cloud, "/v1/billing/charges/total", **query)
    assert Decimal(machine.price).scaleb(-6) == Decimal(total["total"])


def test_the_least_price() -> None:
    """An hour of a VM that costs next to nothing is rounded, not cut."""
    assert "0.0000000417" == hourly(MicroUsdc(1), timedelta(hours=24))
