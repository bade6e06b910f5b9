"""One fleet through three dialects: they agree on all that they tell, and share what is written."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.model.ports import Port
from fluence_watch.simulator import SettableClock, World, build_world, create_app
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.machine import State, in_state

Speak = Callable[..., httpx.AsyncClient]
NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
YEARS = {"startDate": "2000-01-01", "endDate": "2030-01-01"}
PORTS = st.lists(
    st.builds(
        lambda first, width, protocol: Port(first, first + width, protocol),
        st.integers(1, 9_000),
        st.integers(0, 3),
        st.sampled_from(["tcp", "udp"]),
    ),
    max_size=4,
)
Fact = dict[str, Any]


@pytest_asyncio.fixture
async def client(
    speak: Speak, world: World, clock: SettableClock
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of every dialect at once."""
    async with speak(world, clock, "all") as client:
        yield client


def money(text: str) -> int:
    return int(Decimal(text).scaleb(6))


def from_v2(vm: dict) -> Fact:
    return {
        "name": vm["vmName"],
        "ip": vm["publicIp"],
        "ports": {(each["port"], each["protocol"]) for each in vm["ports"]},
        "price": vm["pricePerEpoch"],
        "spent": int(vm["totalSpent"]),
        "next": vm["nextBillingAt"][3:22],
        "created": vm["createdAt"][3:22],
        "place": (vm["datacenter"]["countryCode"], vm["datacenter"]["cityIndex"]),
        "storage": vm["resources"][2]["quantity"],
    }


def from_v3(vm: dict) -> Fact:
    return {
        "name": vm["vmName"],
        "ip": vm["publicIp"],
        "ports": {(each["port"], each["protocol"]) for each in vm["ports"]},
        "price": money(vm["pricePerEpoch"]),
        "spent": money(vm["totalSpent"]),
        "next": vm["nextBillingAt"].removesuffix("Z"),
        "created": vm["createdAt"].removesuffix("Z"),
        "place": (vm["datacenter"]["countryCode"], vm["datacenter"]["cityIndex"]),
        "storage": vm["resources"][2]["supply"] * 1024,
    }


async def everything(client: httpx.AsyncClient, path: str) -> list[dict]:
    return (await client.get(path, params={"perPage": 100})).json()["items"]


def opened(group: dict) -> set[tuple[int, str]]:
    found = set()
    for rule in group["ingressRules"]["rules"]:
        ((protocol, kind),) = rule["protocolKind"].items()
        ports = kind["ports"]
        one = ports.get("exact", {}).get("value")
        ends = (one, one) if one else (ports["range"]["min"], ports["range"]["max"])
        found |= {(number, protocol) for number in range(ends[0], ends[1] + 1)}
    return found


async def from_cloud(client: httpx.AsyncClient, epoch: timedelta) -> list[Fact]:
    """The facts of all VMs that run, gathered from everywhere."""
    ips, groups, disks, clusters, places = [
        {each["id"]: each for each in await everything(client, f"/v1/{what}")}
        for what in ("public_ips", "security_groups", "storages", "clusters", "datacenters")
    ]
    charges = (await client.get("/v1/billing/charges/aggregated", params=YEARS)).json()
    spent = {row["resourceId"]: money(row["totalCost"]) for row in charges}
    facts = []
    for vm in await everything(client, "/v2/vms"):
        if vm["status"] == "terminated":
            continue
        interfaces = (await client.get(f"/v2/vms/{vm['id']}/interfaces")).json()
        group = next(each["securityGroup"] for each in interfaces if each["default"])
        place = places[clusters[vm["clusterId"]]["dcId"]]
        hours = Decimal(epoch // timedelta(seconds=1)) / 3600
        facts.append(
            {
                "name": vm["name"],
                "ip": ips[vm["publicIp"]]["address"],
                "ports": opened(groups[group]),
                "price": round(Decimal(vm["priceHourlyUsd"]).scaleb(6) * hours),
                "spent": spent.get(vm["id"], 0),
                "next": vm["paidUntil"][:19],
                "created": vm["createdAt"][:19],
                "place": (place["countryCode"], place["index"]),
                "storage": disks[vm["bootDisk"]]["volumeGb"] * 1024,
            }
        )
    return facts


@given(
    seed=st.integers(0, 2**32),
    vms=st.integers(0, 5),
    epoch=st.sampled_from([timedelta(minutes=2), timedelta(hours=24), timedelta(days=30)]),
    ports=st.lists(PORTS, max_size=3),
    epochs=st.integers(0, 3),
    ended=st.integers(0, 1),
)
@settings(max_examples=20, deadline=None)
def test_three_dialects_one_fleet(
    speak: Speak,
    seed: int,
    vms: int,
    epoch: timedelta,
    ports: list[list[Port]],
    epochs: int,
    ended: int,
) -> None:
    """Names, addresses, ports, money, boundaries, places and sizes are the same in all of them."""
    world = build_world(seed=seed, vms=vms, epoch=epoch, now=NOW)
    for machine, wanted in zip(world.listed(), ports, strict=False):
        world.update(machine.id, ports=wanted)
    world.advance(NOW + epochs * epoch)
    for machine in world.listed()[:ended]:
        world.terminate(machine.id)

    async def read() -> tuple[list[Fact], list[Fact], list[Fact]]:
        async with speak(world, SettableClock(world.now), "all") as client:
            v2 = [from_v2(vm) for vm in (await client.get("/vms/v2")).json()]
            v3 = (await client.get("/vms/v3")).json()
            running = [from_v3(vm) for vm in v3 if vm["status"] != "Terminated"]
            return v2, running, await from_cloud(client, epoch)

    v2, v3, cloud = asyncio.run(read())
    assert v2 == v3
    assert v2 == cloud


async def test_a_write_is_seen_everywhere(client: httpx.AsyncClient, world: World) -> None:
    """Each dialect changes another thing, and all of them show all of it."""
    machine = world.find("web-1")
    await client.patch("/vms/v2", json={"id": machine.id, "vmName": "a"})
    await client.patch("/vms/v3", json={"updates": [{"id": machine.id, "openPorts": []}]})
    assert {("a", 0)} < {(vm["vmName"], len(vm["ports"])) for vm in await of(client, "/vms/v2")}
    await client.patch(f"/v2/vms/{machine.uuid}", json={"name": "b"})
    group = (await client.get("/v1/security_groups", params={"name": "sg-b"})).json()["items"][0]
    rule = {
        "type": "ipv4",
        "protocolKind": {"tcp": {"ports": {"exact": {"value": 8080}}}},
        "remote": {"address": "0.0.0.0/0"},
    }
    rules = {"ingressRules": {"type": "allow", "rules": [rule]}}
    await client.patch(f"/v1/security_groups/{group['id']}", json=rules)
    for path in ("/vms/v2", "/vms/v3"):
        (vm,) = [vm for vm in await of(client, path) if vm["vmName"] == "b"]
        assert [{"port": 8080, "protocol": "tcp"}] == vm["ports"]
    await client.post(f"/v2/vms/{machine.uuid}/terminate")
    assert ["b"] not in [[vm["vmName"]] for vm in await of(client, "/vms/v3")]


async def of(client: httpx.AsyncClient, path: str) -> list[dict]:
    return (await client.get(path)).json()


@pytest.mark.parametrize("dialect", ["v2", "v3", "all"])
@pytest.mark.parametrize("form", ["vmId", "vmIds"])
async def test_both_forms_of_delete(
    speak: Speak, world: World, clock: SettableClock, dialect: str, form: str
) -> None:
    """`DELETE /vms/v3` belongs to two dialects, and is the same in both."""
    vm_id = world.find("web-1").id
    async with speak(world, clock, dialect) as client:
        body = {form: vm_id if form == "vmId" else [vm_id]}
        response = await client.request("DELETE", "/vms/v3", json=body)
    assert (200, form == "vmIds") == (response.status_code, bool(response.content))
    assert 5 == len(world.machines)


@pytest.mark.parametrize(
    ("path", "status", "fields"),
    [
        ("/vms/v2", 403, {"error"}),
        ("/vms/v3", 403, {"error"}),
        ("/ssh_keys", 403, {"error"}),
        ("/elsewhere", 403, {"error"}),
        ("/v1/ssh_keys", 401, {"code", "error"}),
        ("/v2/vms", 401, {"code", "error"}),
    ],
)
async def test_each_path_has_its_manners(
    client: httpx.AsyncClient, path: str, status: int, fields: set[str]
) -> None:
    """Where all dialects are spoken, a refusal is that of the path's own."""
    response = await client.get(path, headers={"X-API-KEY": "wrong"})
    assert (status, fields) == (response.status_code, set(response.json()))


@pytest.mark.parametrize(
    ("dialect", "foreign"), [("v2", "/vms/v3"), ("v3", "/vms/v2"), ("cloud", "/vms/v2")]
)
async def test_a_dialect_alone_knows_no_other(
    speak: Speak, world: World, clock: SettableClock, dialect: str, foreign: str
) -> None:
    """A service of one generation answers to the paths of another as to any other unknown one."""
    async with speak(world, clock, dialect) as client:
        assert (await client.get(foreign)).status_code in {404, 405}


@pytest.mark.parametrize("path", ["/vms/v2", "/vms/v3", "/v2/vms"])
async def test_maintenance_is_for_all(client: httpx.AsyncClient, world: World, path: str) -> None:
    """It is one service."""
    world.maintenance = True
    assert 503 == (await client.get(path)).status_code


@pytest.mark.parametrize("reference", ["id", "uuid", "name"])
async def test_events_know_a_vm_by_each_of_its_names(
    client: httpx.AsyncClient, world: World, reference: str
) -> None:
    """What a reader of any dialect calls a VM is good for control."""
    vm = getattr(world.find("web-1"), reference)
    opening = {"vm": vm, "port": "8000-8002/tcp"}
    assert (await client.post("/_control/open-port", json=opening)).status_code == 204
    assert Port(8000, 8002, "tcp") in world.find("web-1").ports


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"request": 1, "action": "explode", "body": {}}),
        (422, {"request": 1, "action": "vanish", "body": {}}),
        (422, {"request": 0, "action": "vanish", "body": {"vm": "web-1"}}),
        (422, {"action": "vanish"}),
    ],
)
async def test_what_cannot_be_planned(client: httpx.AsyncClient, status: int, body: dict) -> None:
    assert status == (await client.post("/_control/before", json=body)).status_code


async def test_a_plan_that_became_impossible(client: httpx.AsyncClient, world: World) -> None:
    """It is left out, the request is answered; others for the same request still happen."""
    for action, name in (("vanish", "nobody"), ("vanish", "web-1")):
        plan = {"request": 1, "action": action, "body": {"vm": name}}
        await client.post("/_control/before", json=plan)
    assert 5 == len(await of(client, "/vms/v2"))
    assert world.find("web-1").vanished


async def test_a_vm_that_is_ended_twice_stays_ended(world: World) -> None:
    """Its end is when it first ended, and nothing starts it again."""
    world.terminate("web-1")
    before = world.find("web-1")
    world.advance(world.now + timedelta(hours=1))
    world.terminate("web-1")
    assert before is world.find("web-1")
    with pytest.raises(RefusedError):
        in_state(before, State.ACTIVE, world.now)


def test_dialects_by_name(world: World, clock: SettableClock) -> None:
    """Each can be served."""
    for name in ("v2", "v3", "cloud", "all"):
        assert create_app(world, clock, dialect=name)
