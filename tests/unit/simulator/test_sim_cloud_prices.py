"""Dialect `cloud`: what the market asks, and what a set of resources would cost."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import SettableClock, World, build_world
from fluence_watch.simulator.catalog import CONFIGURATIONS, DATACENTERS
from fluence_watch.simulator.dialects.amounts import for_a_second, for_seconds, hourly
from fluence_watch.simulator.ids import uuid_of

Speak = Callable[..., httpx.AsyncClient]
LISTS = ("vm", "storage", "public-ip")
NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
PARIS, VILNIUS = (uuid_of("cluster", DATACENTERS[index].id) for index in (0, -1))
NOWHERE = "00000000-0000-0000-0000-000000000000"
SMALL = uuid_of("configuration", CONFIGURATIONS[0].slug)
VM = {"vm": {"resource_id": {"vmConfigurationId": SMALL, "clusterId": PARIS}}}
ADDRESS = {"publicIp": {"resource_id": {"addressType": "V4", "clusterId": PARIS}}}


def disk(gb: object, kind: str = "NVME", cluster: str = PARIS, *, replicated: bool = False) -> dict:
    what = {"storageType": kind, "replicated": replicated, "clusterId": cluster}
    return {"storage": {"resource_id": what, "volume_gb": gb}}


@pytest.fixture
def world() -> World:
    return build_world(seed=7, vms=3, epoch=timedelta(hours=24), now=NOW, metered=True)


@pytest_asyncio.fixture
async def cloud(speak: Speak, world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with speak(world, SettableClock(NOW), "cloud") as client:
        yield client


async def prices(client: httpx.AsyncClient, which: str, **query: str) -> list[dict]:
    response = await client.get(f"/v1/prices/{which}", params=query)
    assert 200 == response.status_code
    return response.json()["items"]


async def cost(client: httpx.AsyncClient, *resources: dict, **more: object) -> Any:  # noqa: ANN401 - JSON
    response = await client.post("/v1/prices/cost", json={"resources": resources, **more})
    assert 200 == response.status_code, response.text
    return response.json()


async def test_prices_of_vms(cloud: httpx.AsyncClient) -> None:
    """Each configuration has a price in each place, and Paris has the catalog's."""
    listed = await prices(cloud, "vm")
    assert len(CONFIGURATIONS) * len(DATACENTERS) == len(listed)
    by_type = {
        (item["vmTypeId"]["vmConfigurationId"], item["vmTypeId"]["clusterId"]): item["priceInfo"]
        for item in listed
    }
    assert len(by_type) == len(listed)
    # 0.306980 and 0.260933 USD in 24 hours
    assert {"pricePerHourPerQty": "0.0127908333"} == by_type[SMALL, PARIS]
    assert {"pricePerHourPerQty": "0.0108722083"} == by_type[SMALL, VILNIUS]


async def test_prices_of_storage_and_addresses(cloud: httpx.AsyncClient) -> None:
    """A GB and an hour: each kind, replicated or not; and an address."""
    found = {
        (item["storageTypeId"]["storageType"], item["storageTypeId"]["replicated"]): item[
            "priceInfo"
        ]["pricePerHourPerQty"]
        for item in await prices(cloud, "storage", clusterId=PARIS)
    }
    assert {
        ("NVME", False): "0.00004", ("NVME", True): "0.0001",
        ("SSD", False): "0.00003", ("SSD", True): "0.000075",
        ("HDD", False): "0.000012", ("HDD", True): "0.00003",
    } == found  # fmt: skip
    (address,) = await prices(cloud, "public-ip", clusterId=PARIS)
    assert {"pricePerHourPerQty": "0.004"} == address["priceInfo"]
    assert {"addressType": "V4", "clusterId": PARIS} == address["publicIpTypeId"]


@pytest.mark.parametrize("which", LISTS)
async def test_prices_of_one_cluster(cloud: httpx.AsyncClient, which: str) -> None:
    """Those of all clusters are those of each; an unknown cluster has none."""
    everywhere = await prices(cloud, which)
    parts = [
        await prices(cloud, which, clusterId=uuid_of("cluster", place.id).upper())
        for place in DATACENTERS
    ]
    assert everywhere == [item for part in parts for item in part]
    assert all(parts)
    assert [] == await prices(cloud, which, clusterId=NOWHERE)


async def test_a_vm_costs_what_the_market_asks(cloud: httpx.AsyncClient, world: World) -> None:
    """In Paris at 100 percent: the VM, its disk by the GB, its address."""
    vm = (await cloud.get("/v2/vms", params={"name": "web-1"})).json()["items"][0]
    asked = {
        item["vmTypeId"]["vmConfigurationId"]: item["priceInfo"]["pricePerHourPerQty"]
        for item in await prices(cloud, "vm", clusterId=PARIS)
    }
    assert vm["priceHourlyUsd"] == asked[vm["configurationId"]]
    boot = (await cloud.get(f"/v1/storages/{vm['bootDisk']}")).json()
    assert Decimal(boot["priceHourlyUsd"]) == boot["volumeGb"] * Decimal("0.00004")
    ips = (await cloud.get("/v1/public_ips", params={"ids": vm["publicIp"]})).json()["items"]
    assert ["0.004"] == [ip["priceHourlyUsd"] for ip in ips]


async def test_the_market_moves(cloud: httpx.AsyncClient, world: World) -> None:
    """All prices fall by a fifth; what runs costs the same."""
    before = [await prices(cloud, which) for which in LISTS]
    vms = (await cloud.get("/v2/vms")).json()["items"]
    assert 204 == (await cloud.post("/_control/market", json={"percent": 80})).status_code
    after = [await prices(cloud, which) for which in LISTS]
    for old, new in zip(chain(*before), chain(*after), strict=True):
        was, now = (Decimal(each["priceInfo"]["pricePerHourPerQty"]) for each in (old, new))
        # a micro-USDC of an epoch is 0.000000042 an hour
        assert was * Decimal("0.8") == pytest.approx(now, abs=Decimal("0.00000005"))
        assert now < was
    assert vms == (await cloud.get("/v2/vms")).json()["items"]


async def test_configurations(cloud: httpx.AsyncClient) -> None:
    """Every VM is of one of them, by id, slug, name and size."""
    answered = (await cloud.get("/v1/configurations/virtual_machines")).json()["items"]
    by_id = {each["id"]: each for each in answered}
    assert len(CONFIGURATIONS) == len(by_id)
    for vm in (await cloud.get("/v2/vms")).json()["items"]:
        known = by_id[vm["configurationId"]]
        assert (
            vm["configurationSlug"],
            vm["configurationName"],
            vm["vcpu"],
            vm["ramGb"],
        ) == (known["slug"], known["name"], known["vcpu"], known["ramGb"])


async def test_the_cost_of_an_hour(cloud: httpx.AsyncClient) -> None:
    """Each resource a second, in the order of the request, and all of them an hour."""
    wanted = [VM, disk(25), ADDRESS]
    answered = await cost(cloud, *wanted)
    assert {
        "costOfResources": [
            {"resource": VM, "costPerSec": "0.00000355300926"},
            {"resource": disk(25), "costPerSec": "0.00000027777778"},
            {"resource": ADDRESS, "costPerSec": "0.00000111111111"},
        ],
        "totalCostPerSec": "0.00000494189815",
        "periodSecs": 3600,
        "totalCost": "0.0177908333",
    } == answered
    assert answered == await cost(cloud, *wanted, secs=None)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0"), (1, "0.0000049419"), (86_400, "0.42698"), (2_592_000, "12.8094")],
)
async def test_the_cost_of_a_period(cloud: httpx.AsyncClient, seconds: int, expected: str) -> None:
    """A day costs the prices of an epoch, to the micro-USDC."""
    answered = await cost(cloud, VM, disk(25), ADDRESS, secs=seconds)
    assert (seconds, expected) == (answered["periodSecs"], answered["totalCost"])


async def test_the_cost_of_nothing(cloud: httpx.AsyncClient) -> None:
    answered = await cost(cloud)
    assert ([], "0", "0") == tuple(
        answered[key] for key in ("costOfResources", "totalCostPerSec", "totalCost")
    )


async def test_costs_follow_the_place_and_the_market(
    cloud: httpx.AsyncClient, world: World
) -> None:
    """The same list of prices as that of the GETs."""
    world.market_percent = 80
    (price,) = [
        item["priceInfo"]["pricePerHourPerQty"]
        for item in await prices(cloud, "storage", clusterId=VILNIUS)
        if item["storageTypeId"]["storageType"] == "SSD" and item["storageTypeId"]["replicated"]
    ]
    answered = await cost(cloud, disk(1, "SSD", VILNIUS, replicated=True))
    assert price == answered["totalCost"]


@pytest.mark.parametrize(
    "resource",
    [
        {},
        {**VM, **ADDRESS},
        {"gpu": {}},
        {"vm": {"resource_id": {"vmConfigurationId": NOWHERE, "clusterId": PARIS}}},
        {"vm": {"resource_id": {"vmConfigurationId": SMALL, "clusterId": NOWHERE}}},
        {"vm": {"resource_id": {"clusterId": PARIS}}},
        disk(1, "TAPE"),
        disk(1, cluster=NOWHERE),
        disk(-1),
        disk("1"),
        {"publicIp": {"resource_id": {"addressType": "V6", "clusterId": PARIS}}},
        {"publicIp": {"resource_id": {"addressType": "V4", "clusterId": NOWHERE}}},
    ],
)
async def test_what_the_market_has_not(cloud: httpx.AsyncClient, resource: dict) -> None:
    """422, with the code for it and a text, also beside something that it has."""
    response = await cloud.post("/v1/prices/cost", json={"resources": [VM, resource]})
    assert (422, "unprocessable_entity") == (response.status_code, response.json()["code"])
    assert response.json()["error"]


@pytest.mark.parametrize("body", [{}, {"resources": [VM], "secs": -1}, {"resources": VM}])
async def test_requests_of_another_shape(cloud: httpx.AsyncClient, body: dict) -> None:
    assert 422 == (await cloud.post("/v1/prices/cost", json=body)).status_code


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        ("prices:read", {"vm", "storage", "public-ip", "cost"}),
        ("vm:list", {"configurations"}),
        ("storage:read", set()),
    ],
)
async def test_a_scope_that_is_withheld(
    cloud: httpx.AsyncClient, world: World, scope: str, refused: set[str]
) -> None:
    """403 for what needs it, and the key's own list says so."""
    world.withheld = frozenset({scope})
    answers = {which: await cloud.get(f"/v1/prices/{which}") for which in LISTS}
    answers["cost"] = await cloud.post("/v1/prices/cost", json={"resources": [VM]})
    answers["configurations"] = await cloud.get("/v1/configurations/virtual_machines")
    statuses = {name: response.status_code for name, response in answers.items()}
    assert {name: 403 if name in refused else 200 for name in answers} == statuses
    permissions = (await cloud.get("/v1/users/me")).json()["permissions"]
    assert {"prices:read", "vm:list", "storage:read"} - {scope} == {
        each for each in permissions if each in {"prices:read", "vm:list", "storage:read"}
    }


@given(st.integers(0, 10**9), st.integers(60, 10**8), st.integers(0, 10**7))
def test_amounts_of_seconds_are_exact(price: int, epoch_seconds: int, seconds: int) -> None:
    """To half of the last decimal; an hour is an hour's price."""
    epoch, micro = timedelta(seconds=epoch_seconds), MicroUsdc(price)
    exact = Decimal(price) * seconds / epoch_seconds / 10**6
    assert abs(Decimal(for_seconds(micro, epoch, seconds)) - exact) <= Decimal("0.00000000005001")
    assert hourly(micro, epoch) == for_seconds(micro, epoch, 3600)
    of_a_second = Decimal(for_a_second(micro, epoch)) * 3600
    assert abs(of_a_second - Decimal(hourly(micro, epoch))) <= Decimal("0.0000000001")
