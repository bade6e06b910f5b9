"""Dialects `v2` and `v3`: what the market offers, and the filters."""

from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import httpx
import pytest
import pytest_asyncio

from fluence_watch.simulator import SettableClock, World
from fluence_watch.simulator.catalog import CONFIGURATIONS, DATACENTERS

Speak = Callable[..., httpx.AsyncClient]
SMALL, MIDDLE = CONFIGURATIONS[0].slug, CONFIGURATIONS[1].slug
PLACES = ["PAR 1", "FRA 1", "WAW 1", "NYC 1", "HEL 1", "AMS 1", "FRA 2", "VNO 1"]
ZEN_4 = ["PAR 1", "WAW 1", "HEL 1", "FRA 2"]
NVME_20 = {"storage": [{"type": "NVMe", "megabytes": 20_480}]}


@pytest_asyncio.fixture(params=["v2", "v3", "all"])
async def client(
    speak: Speak, world: World, clock: SettableClock, request: pytest.FixtureRequest
) -> AsyncIterator[httpx.AsyncClient]:
    async with speak(world, clock, request.param) as client:
        yield client


async def offers(client: httpx.AsyncClient, body: dict) -> list[dict]:
    response = await client.post("/marketplace/offers", json=body)
    assert 200 == response.status_code, response.text
    return response.json()


def place(offer: dict) -> str:
    return f"{offer['datacenter']['cityCode']} {offer['datacenter']['cityIndex']}"


async def test_everything_is_offered_without_filters(client: httpx.AsyncClient) -> None:
    """Each configuration in each place, once; null is no filter."""
    found = await offers(client, {})
    kinds = {(place(each), each["configuration"]["slug"]) for each in found}
    assert len(DATACENTERS) * len(CONFIGURATIONS) == len(kinds) == len(found)
    nulls = (
        "basicConfiguration", "additionalResources", "hardware", "datacenter",
        "maxTotalPricePerEpochUsd",
    )  # fmt: skip
    assert found == await offers(client, dict.fromkeys(nulls))


async def test_an_offer_to_the_letter(client: httpx.AsyncClient) -> None:
    """Amounts of micro-USDC, the parts add up to the price of the whole."""
    wanted = {"basicConfiguration": SMALL, "datacenter": {"countries": ["FR"]}}
    (offer,) = await offers(client, wanted)
    extra = {
        "units": "GiB", "perVmLimit": 2_000, "type": "STORAGE", "metadata": {"type": "NVMe"},
        "price": "0.00096",
    }  # fmt: skip
    assert {
        "configuration": {"slug": SMALL, "price": "0.30698"},
        "resources": [
            {
                "type": "VCPU",
                "metadata": {
                    "architecture": "Zen", "brand": "EPYC", "generation": "4",
                    "manufacturer": "AMD",
                },
                "price": "0.112188",
            },
            {"type": "RAM", "metadata": {"generation": "5", "type": "DDR"}, "price": "0.074792"},
            {"type": "STORAGE", "metadata": {"type": "NVMe"}, "price": "0.024"},
            {"type": "PUBLIC_IP", "metadata": {"version": "4"}, "price": "0.096"},
        ],
        "datacenter": {
            "countryCode": "FR", "cityCode": "PAR", "cityIndex": 1, "tier": 4,
            "certifications": ["PCI DSS", "ISO 9001:2015", "ISO/IEC 27001:2022"],
        },
        "servers": [
            {"availableBasicInstances": 32, "additionalResources": [{"supply": 4_000, **extra}]},
            {"availableBasicInstances": 16, "additionalResources": [{"supply": 1_500, **extra}]},
        ],
        "maxAdditionalSupply": [{"supply": 4_000, **extra}],
    } == offer  # fmt: skip


@pytest.mark.parametrize("percent", [1, 37, 100, 1_000])
async def test_parts_add_up(client: httpx.AsyncClient, world: World, percent: int) -> None:
    """Whatever the market asks, and none of them is free."""
    world.market_percent = percent
    for offer in await offers(client, {}):
        parts = [Decimal(each["price"]) for each in offer["resources"]]
        assert Decimal(offer["configuration"]["price"]) == sum(parts)
        assert min(parts) > 0
        assert all(each["availableBasicInstances"] > 0 for each in offer["servers"])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, PLACES),
        ({"datacenter": {"countries": ["DE", "LT"]}}, ["FRA 1", "FRA 2", "VNO 1"]),
        ({"datacenter": {"countries": ["XX"]}}, []),
        ({"datacenter": {"countries": []}}, []),
        ({"datacenter": {}}, PLACES),
        # 0.598110 in Paris, 0.568205 in Helsinki, 0.508394 in Vilnius
        ({"maxTotalPricePerEpochUsd": "0.59811"}, ["PAR 1", "WAW 1", "HEL 1", "FRA 2", "VNO 1"]),
        ({"maxTotalPricePerEpochUsd": "0.598109"}, ["WAW 1", "HEL 1", "FRA 2", "VNO 1"]),
        ({"maxTotalPricePerEpochUsd": ".508394"}, ["VNO 1"]),
        ({"maxTotalPricePerEpochUsd": ".508393"}, []),
        # 20 GiB cost 0.016320 there
        ({"maxTotalPricePerEpochUsd": ".524714", "additionalResources": NVME_20}, ["VNO 1"]),
        ({"maxTotalPricePerEpochUsd": ".524713", "additionalResources": NVME_20}, []),
        (
            {
                "maxTotalPricePerEpochUsd": ".524713",
                "additionalResources": {"storage": [{"type": "NVMe", "supply": 20, "units": "GiB"}]},
            },
            [],
        ),
        ({"additionalResources": {}}, PLACES),
        ({"additionalResources": {"storage": [{"type": "NVMe", "supply": 2_000}]}}, PLACES),
        ({"additionalResources": {"storage": [{"type": "NVMe", "supply": 2_001}]}}, []),
        ({"additionalResources": {"storage": [{"type": "TAPE", "supply": 1}]}}, []),
        ({"hardware": {"cpu": [{"manufacturer": "AMD", "architecture": "Zen"}]}}, PLACES),
        ({"hardware": {"memory": [{"type": "DDR", "generation": "5"}]}}, ZEN_4),
        ({"hardware": {"storage": [{"type": "NVMe"}, {"type": "SSD"}]}}, PLACES),
        ({"hardware": {"cpu": [{"manufacturer": "Intel"}]}}, []),
        ({"datacenter": {"countries": ["DE"]}, "hardware": {"storage": [{"type": "NVMe"}]}}, ["FRA 2"]),
    ],
)  # fmt: skip
async def test_filters(client: httpx.AsyncClient, wanted: dict, expected: list[str]) -> None:
    """Each by itself, and together, for one configuration."""
    found = await offers(client, {"basicConfiguration": MIDDLE, **wanted})
    assert expected == [place(each) for each in found]
    assert {MIDDLE} >= {each["configuration"]["slug"] for each in found}


async def test_an_unknown_configuration(client: httpx.AsyncClient) -> None:
    """It is offered nowhere."""
    assert [] == await offers(client, {"basicConfiguration": "cpu-3-ram-5gb-storage-25gb"})


async def test_the_market_moves(client: httpx.AsyncClient) -> None:
    """Prices fall for new VMs, and a limit then admits more."""
    wanted = {"basicConfiguration": MIDDLE, "maxTotalPricePerEpochUsd": "0.478488"}
    assert [] == await offers(client, wanted)
    assert 204 == (await client.post("/_control/market", json={"percent": 80})).status_code
    found = await offers(client, wanted)
    assert ["PAR 1", "WAW 1", "HEL 1", "FRA 2", "VNO 1"] == [place(each) for each in found]
    assert "0.478488" == found[0]["configuration"]["price"]


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (422, b'{"maxTotalPricePerEpochUsd": "cheap"}'),
        (422, b'{"maxTotalPricePerEpochUsd": 12.5}'),
        (422, b'{"basicConfiguration": ["x"]}'),
        (422, b'{"datacenter": {"countries": "FR"}}'),
        (422, b'{"additionalResources": {"storage": [{"type": "NVMe", "megabytes": -1}]}}'),
        (400, b""),
    ],
)
async def test_requests_of_another_shape(
    client: httpx.AsyncClient, status: int, content: bytes
) -> None:
    response = await client.post("/marketplace/offers", content=content)
    assert status == response.status_code
    assert {"error"} == set(response.json())


async def test_the_key_is_needed(client: httpx.AsyncClient) -> None:
    headers = {"X-API-KEY": "wrong"}
    response = await client.post("/marketplace/offers", json={}, headers=headers)
    assert 403 == response.status_code
