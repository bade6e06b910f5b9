"""Lists of disks, addresses and GPU instances in which something is odd: the rest is read."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import pytest

from fluence_watch.errors import UnexpectedPayloadError
from fluence_watch.fluence import FluenceClient
from fluence_watch.model.resource import Kind, Resource

Json = Any
PATHS = {
    Kind.DISK: "/v1/storages",
    Kind.PUBLIC_IP: "/v1/public_ips",
    Kind.GPU_CONTAINER: "/gpu/instances/",
    Kind.GPU_VM: "/gpu/instances/vms",
    Kind.GPU_BARE_METAL: "/gpu/instances/baremetal",
}
RENTED = (Kind.DISK, Kind.PUBLIC_IP)
GPUS = (Kind.GPU_CONTAINER, Kind.GPU_VM, Kind.GPU_BARE_METAL)
LONGEST = "x" * 200
CONTROLS = "\x1b[2J\x00\r\n\u202egnp"


class FakeCloud(Protocol):
    """What the tests use of the fixture `cloud`."""

    answers: dict[str, Json]

    def count(self, path: str) -> int:
        """How often the path was asked for."""

    def client(self, **config: Json) -> FluenceClient:
        """A client of it."""


def element(kind: Kind, name: str) -> dict[str, Json]:
    """An element of a list, which is all right."""
    if kind in RENTED:
        return {"id": name, "name": name, "status": "ready", "priceHourlyUsd": "0.05"}
    return {"id": name, "name": name, "status": "ACTIVE"}


def page(items: list[Json]) -> Json:
    numbers = {"currentPage": 1, "perPage": 100, "totalPages": 1}
    return {
        "items": items,
        "pagination": {**numbers, "totalRecords": len(items), "filteredRecords": len(items)},
    }


def answer(cloud: FakeCloud, kind: Kind, items: list[Json]) -> None:
    """Let the API list these; GPU instances cost 2 USDC an hour."""
    cloud.answers[PATHS[kind]] = page(items) if kind in RENTED else items
    for name in ("one", "two", "three"):
        path = f"{PATHS[kind].rstrip('/')}/{name}"
        cloud.answers[path] = element(kind, name) | {"billing": {"hourly_usage": 2}}


ANY_KIND: list[tuple[Json, str]] = [
    (17, "[1]: Expected `object`"),
    (None, "[1]: Expected `object`"),
    ("two", "[1]: Expected `object`"),
    ([], "[1]: Expected `object`"),
    ({}, "[1]: Object missing required field `id`"),
    ({"id": None}, "[1].id: Expected `str`"),
    ({"id": 5}, "[1].id: Expected `str`"),
    ({"id": ""}, "[1].id: Expected `str` of length >= 1"),
    ({"id": f"{LONGEST}x"}, "[1].id: Expected `str` of length <= 200"),
    ({"name": 10**40}, "[1].name: Expected `str | null`"),
    ({"status": {}}, "[1].status: Expected `str"),
]
OF_RENTED: list[tuple[Json, str]] = [
    ({"status": None}, "[1].status: Expected `str`"),
    ({"priceHourlyUsd": 0.05}, "[1].priceHourlyUsd: Expected `str | null`"),
    ({"priceHourlyUsd": "-0.05"}, "[1].priceHourlyUsd: a price is never negative"),
    ({"priceHourlyUsd": "1e9"}, "[1].priceHourlyUsd: '1e9' is not a decimal amount"),
    ({"priceHourlyUsd": "٣"}, "[1].priceHourlyUsd: '٣' is not a decimal amount"),
    ({"priceHourlyUsd": "9" * 40}, "[1].priceHourlyUsd: the amount is more than ten billion USD"),
    ({"priceHourlyUsd": "9" * 10**5}, "[1].priceHourlyUsd: '9999"),
    ({"createdAt": "yesterday"}, "[1].createdAt: 'yesterday' is not a readable time"),
    ({"createdAt": CONTROLS}, "[1].createdAt: '"),
    ({"createdAt": "2026-01-01T00:00:00"}, "[1].createdAt: '2026-01-01T00:00:00' is not"),
]
OF_DISKS: list[tuple[Json, str]] = [
    ({"volumeGb": -1}, "[1].volumeGb: Expected `int` >= 0"),
    ({"volumeGb": 2**31 + 1}, "[1].volumeGb: Expected `int` <= 2147483648"),
    ({"volumeGb": 1.5}, "[1].volumeGb: Expected `int | null`"),
    ({"attachedTo": "vm"}, "[1].attachedTo: Expected `array | null`"),
    ({"attachedTo": [None]}, "[1].attachedTo[0]: Expected `str`"),
]
OF_ADDRESSES: list[tuple[Json, str]] = [
    ({"attachedTo": ["vm"]}, "[1].attachedTo: Expected `object | null`"),
    ({"attachedTo": {}}, "[1].attachedTo: Object missing required field `id`"),
    ({"address": 3221225985}, "[1].address: Expected `str | null`"),
]
OF_GPUS: list[tuple[Json, str]] = [
    ({"created_at": CONTROLS}, "[1].created_at: '"),
    ({"resources": []}, "[1].resources: Expected `object | null`"),
    ({"resources": {"supply": {"gpu_count": "8"}}}, "[1].resources.supply.gpu_count: Expected"),
    (
        {"network": {"forwarded_ports": [{"port": "9" * 5000, "external_port": 1}]}},
        "[1].network.forwarded_ports[0]",
    ),
    ({"billing": {"reserved_amount": "1" * 50}}, "[1].billing.reserved_amount: the amount"),
]
CASES = [
    *((kind, *case) for kind in PATHS for case in ANY_KIND),
    *((kind, *case) for kind in RENTED for case in OF_RENTED),
    *((Kind.DISK, *case) for case in OF_DISKS),
    *((Kind.PUBLIC_IP, *case) for case in OF_ADDRESSES),
    *((kind, *case) for kind in GPUS for case in OF_GPUS),
]


@pytest.mark.parametrize(("kind", "bad", "why"), CASES, ids=range(len(CASES)))
async def test_one_bad_element(cloud: FakeCloud, kind: Kind, bad: Json, why: str) -> None:
    """It is a flaw that names its position; those before and after it are read."""
    if isinstance(bad, Mapping) and bad:
        bad = element(kind, "two") | bad
    answer(cloud, kind, [element(kind, "one"), bad, element(kind, "three")])
    async with cloud.client(gpu=True) as client:
        listed = await client.list_resources(kind)

    price = 50_000 if kind in RENTED else 2_000_000
    assert [("one", price), ("three", price)] == [(each.id, each.price) for each in listed.found]
    (flaw,) = listed.flaws
    assert flaw.startswith(why)
    assert flaw.isprintable()
    assert len(flaw) < 300


@pytest.mark.parametrize("kind", PATHS)
async def test_names_full_of_controls(cloud: FakeCloud, kind: Kind) -> None:
    """A name is data, kept as it is; who shows it makes it harmless."""
    answer(cloud, kind, [element(kind, "one") | {"name": CONTROLS}])
    if kind in GPUS:
        cloud.answers[f"{PATHS[kind].rstrip('/')}/one"]["name"] = CONTROLS
    async with cloud.client(gpu=True) as client:
        listed = await client.list_resources(kind)

    assert ([CONTROLS], ()) == ([each.name for each in listed.found], listed.flaws)


@pytest.mark.parametrize("kind", GPUS)
@pytest.mark.parametrize("instance_id", [CONTROLS, "..", "two/../three", "two?x=1"])
async def test_ids_of_instances_that_lead_elsewhere(
    cloud: FakeCloud, kind: Kind, instance_id: str
) -> None:
    """Nothing is requested with them. The instance is there, and the flaw can be shown."""
    odd = element(kind, "two") | {"id": instance_id}
    answer(cloud, kind, [element(kind, "one"), odd])
    async with cloud.client(gpu=True) as client:
        one, two = (listed := await client.list_resources(kind)).found

    assert (2_000_000, None, instance_id) == (one.price, two.price, two.id)
    (flaw,) = listed.flaws
    assert flaw.isprintable()
    assert flaw.endswith("is not the id of a GPU instance")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "body: not a GPU instance: Input data was truncated"),
        (
            b'{"id": "one", "billing": {"hourly',
            "body: not a GPU instance: Input data was truncated",
        ),
        (b"[]", "body: not a GPU instance: Expected `object`, got `array`"),
        (b"null", "body: not a GPU instance: Expected `object`, got `null`"),
        (b"{}", "body: not a GPU instance: Object missing required field `id`"),
        (b'{"id": "three"}', "body.id: not a GPU instance: 'three' is another instance"),
        (b'{"id": "one", "more": ' + b"[" * 100_000, "body: not a GPU instance: nested too deeply"),
    ],
    ids=range(7),
)
@pytest.mark.parametrize("kind", GPUS)
async def test_an_instance_that_is_none(
    cloud: FakeCloud, kind: Kind, body: bytes, why: str
) -> None:
    """It stays as its list has it, without money; the others have theirs."""
    answer(cloud, kind, [element(kind, "one"), element(kind, "three")])
    path = f"{PATHS[kind].rstrip('/')}/one"
    cloud.answers[path] = body
    async with cloud.client(gpu=True) as client:
        listed = await client.list_resources(kind)

    assert Resource(kind, "one", "one", "ACTIVE") == listed.found[0]
    assert ("three", 2_000_000) == (listed.found[1].id, listed.found[1].price)
    assert [f"one: {why}"] == [flaw[: len(f"one: {why}")] for flaw in listed.flaws]


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("cut", [0, 1, 40, -1])
async def test_a_list_that_ends_early(cloud: FakeCloud, kind: Kind, cut: int) -> None:
    """What came of it could be anything, so there is no list."""
    answer(cloud, kind, [element(kind, "one"), element(kind, "two")])
    cloud.answers[PATHS[kind]] = json.dumps(cloud.answers[PATHS[kind]]).encode()[:cut]
    async with cloud.client(gpu=True) as client:
        with pytest.raises(UnexpectedPayloadError, match="not a "):
            await client.list_resources(kind)
