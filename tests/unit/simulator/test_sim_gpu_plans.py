"""What the GPU cloud asks: its three lists, as published, and the plan of the instances."""

import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from msgspec import Struct

from fluence_watch.simulator import SettableClock, World
from fluence_watch.simulator.gpu_actions import AddGpu
from fluence_watch.simulator.gpu_plans import PLACES, PLANS

Speak = Callable[..., httpx.AsyncClient]
GROUPED = {"/gpu/plans/vms": "VM", "/gpu/plans/baremetal": "BAREMETAL"}
PATHS = ("/gpu/plans/", *GROUPED)


class _Count(Struct, forbid_unknown_fields=True):
    count: int


class _Amount(_Count, forbid_unknown_fields=True):
    units: str


class _Supply(Struct, forbid_unknown_fields=True):
    vcpu: _Count
    memory: _Amount
    storage: _Amount
    gpu_count: int


class _Model(Struct, forbid_unknown_fields=True):
    vendor: str
    model: str
    vram: str
    interface: str


class _Pricing(Struct, forbid_unknown_fields=True):
    hour: Decimal
    upfront_hours: int
    currency: str


class _Plan(Struct, forbid_unknown_fields=True):
    id: str
    name: str
    supply: _Supply
    gpu_model: _Model
    pricing: _Pricing


class _Attributes(Struct, forbid_unknown_fields=True):
    location: list[str]


class _ContainerPlan(Struct, forbid_unknown_fields=True):
    plan: _Plan
    attributes: _Attributes


class _Option(Struct, forbid_unknown_fields=True):
    id: str
    location: str
    provider: str
    vcpu: _Count
    memory: _Amount
    storage: _Amount
    deployment_type: str
    pricing: _Pricing
    nvlink: bool
    os_options: list[str]


class _ByNumber(Struct, forbid_unknown_fields=True):
    gpu_count: int
    minimum_price: Decimal
    options_available_total: int
    providers_available_total: int
    data_center_available_total: int
    locations: list[str]
    providers: list[str]
    options: list[_Option]


class _ByModel(Struct, forbid_unknown_fields=True):
    gpu_model: _Model
    minimum_price: Decimal
    availability_by_number: list[_ByNumber]


class _Grouped(Struct, forbid_unknown_fields=True):
    data: list[_ByModel]


@pytest_asyncio.fixture
async def client(
    speak: Speak, world: World, clock: SettableClock
) -> AsyncIterator[httpx.AsyncClient]:
    async with speak(world, clock, "v3") as client:
        yield client


async def read(client: httpx.AsyncClient, path: str) -> Any:  # noqa: ANN401 - one of two shapes
    response = await client.get(path)
    assert 200 == response.status_code
    shape = _Grouped if path in GROUPED else list[_ContainerPlan]
    return msgspec.json.decode(response.content, type=shape)


def options(grouped: _Grouped) -> list[tuple[_ByModel, _ByNumber, _Option]]:
    return [
        (model, number, option)
        for model in grouped.data
        for number in model.availability_by_number
        for option in number.options
    ]


async def test_every_plan_is_in_every_place(client: httpx.AsyncClient) -> None:
    """In each list, with an id of its own."""
    containers = await read(client, "/gpu/plans/")
    ids = {each.plan.id for each in containers}
    for path, deployed_as in GROUPED.items():
        found = [option for _, _, option in options(await read(client, path))]
        assert {deployed_as} == {option.deployment_type for option in found}
        assert len(containers) == len(found)
        ids |= {option.id for option in found}
    assert 3 * len(PLANS) * len(PLACES) == len(ids)


async def test_a_container_plan_to_the_letter(client: httpx.AsyncClient) -> None:
    """The published form: the name, the interface in capital letters, a JSON number for the hour."""
    first = (await client.get("/gpu/plans/")).json()[0]
    assert first["plan"].pop("id")
    assert {
        "plan": {
            "name": "a100-80gi-sxm-1gpu-14cpu-119gb-582gb",
            "supply": {
                "vcpu": {"count": 14},
                "memory": {"count": 119, "units": "Gi"},
                "storage": {"count": 582, "units": "Gi"},
                "gpu_count": 1,
            },
            "gpu_model": {"vendor": "nvidia", "model": "a100", "vram": "80Gi", "interface": "SXM"},
            "pricing": {"hour": 1.22, "upfront_hours": 3, "currency": "USDC"},
        },
        "attributes": {"location": ["US"]},
    } == first


@pytest.mark.parametrize("path", GROUPED)
async def test_groups_sum_up_their_options(client: httpx.AsyncClient, path: str) -> None:
    """Each minimum, count and name is that of the options below it."""
    grouped: _Grouped = await read(client, path)
    assert ["a100", "h100", "l40", "a10"] == [each.gpu_model.model for each in grouped.data]
    for model in grouped.data:
        numbers = model.availability_by_number
        assert model.minimum_price == min(each.minimum_price for each in numbers)
        for number in numbers:
            prices = [option.pricing.hour for option in number.options]
            where = {(option.location, option.provider) for option in number.options}
            assert number.minimum_price == min(prices)
            assert (len(prices), len(where)) == (
                number.options_available_total,
                number.data_center_available_total,
            )
            assert sorted({place for place, _ in where}) == number.locations
            providers = sorted({provider for _, provider in where})
            assert (providers, len(providers)) == (
                number.providers,
                number.providers_available_total,
            )
    assert [1, 8] == [each.gpu_count for each in grouped.data[0].availability_by_number]


async def test_prices_by_place(client: httpx.AsyncClient) -> None:
    """The same plan costs less elsewhere, and more; the amounts are exact."""
    expected = {
        "US": ["1.220000", "1.256600"],
        "FI": ["1.024800"],
        "NO": ["1.122400"],
        "JP": ["1.427400"],
    }
    for path in GROUPED:
        found: dict[str, list[str]] = {}
        for model, number, option in options(await read(client, path)):
            if (model.gpu_model.model, number.gpu_count) == ("a100", 1):
                found.setdefault(option.location, []).append(str(option.pricing.hour))
        assert expected == found
    containers = {
        (each.attributes.location[0], str(each.plan.pricing.hour))
        for each in await read(client, "/gpu/plans/")
        if each.plan.name == "a100-80gi-sxm-1gpu-14cpu-119gb-582gb"
    }
    assert {(place, price) for place, prices in expected.items() for price in prices} == containers


@pytest.mark.parametrize("percent", [1, 80, 133])
async def test_the_market_moves(client: httpx.AsyncClient, world: World, percent: int) -> None:
    """Plans follow it; what runs costs the same."""
    AddGpu("trainer").apply(world)
    before = [option.pricing.hour for _, _, option in options(await read(client, "/gpu/plans/vms"))]
    assert 204 == (await client.post("/_control/market", json={"percent": percent})).status_code
    after = [option.pricing.hour for _, _, option in options(await read(client, "/gpu/plans/vms"))]
    for was, now in zip(before, after, strict=True):
        assert abs(was * percent / 100 - now) <= Decimal("0.000001")
    assert [1_220_000] == [each.price for each in world.gpus.values()]


@pytest.mark.parametrize(
    ("kind", "instances", "plans"),
    [
        ("container", "/gpu/instances/", "/gpu/plans/"),
        ("vm", "/gpu/instances/vms", "/gpu/plans/vms"),
        ("bare_metal", "/gpu/instances/baremetal", "/gpu/plans/baremetal"),
    ],
)
async def test_an_instance_is_of_a_plan(
    client: httpx.AsyncClient, kind: str, instances: str, plans: str
) -> None:
    """Resources, model, place and price are those of one that is offered."""
    await client.post("/_control/add-gpu", json={"name": "trainer", "kind": kind})
    (instance,) = (await client.get(instances)).json()
    base = instances.rstrip("/")
    hour = (await client.get(f"{base}/{instance['id']}")).json()["billing"]["hourly_usage"]
    seen = {**instance["resources"], "location": instance["location"], "hour": hour}
    assert seen in [offered async for offered in comparable(client, plans)]


async def comparable(client: httpx.AsyncClient, path: str) -> AsyncIterator[dict]:
    """The offers of either list in one shape."""
    payload = json.loads((await client.get(path)).content)
    if path not in GROUPED:
        for each in payload:
            plan = each["plan"]
            model = plan["gpu_model"] | {"interface": plan["gpu_model"]["interface"].lower()}
            for location in each["attributes"]["location"]:
                yield {
                    "supply": plan["supply"], "gpu_model": model, "location": location,
                    "hour": plan["pricing"]["hour"],
                }  # fmt: skip
        return
    for group in payload["data"]:
        for number in group["availability_by_number"]:
            for option in number["options"]:
                sizes = {key: option[key] for key in ("vcpu", "memory", "storage")}
                yield {
                    "supply": {**sizes, "gpu_count": number["gpu_count"]},
                    "gpu_model": group["gpu_model"],
                    "location": option["location"],
                    "hour": option["pricing"]["hour"],
                }


@pytest.mark.parametrize("path", PATHS)
async def test_the_key_is_needed(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"X-API-KEY": "wrong"})
    assert (401, {"detail"}) == (response.status_code, set(response.json()))
