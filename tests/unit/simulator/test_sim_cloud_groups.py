"""Dialect `cloud`: security groups and the ports that they open."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.ports import ALL_PORTS, SSH, Port, parse_port, port
from fluence_watch.simulator import SettableClock, World
from fluence_watch.simulator.dialects.cloud.rules import Ingress, read_rules, rules_json

Speak = Callable[..., httpx.AsyncClient]
PATH = "/v1/security_groups"
ANY = Port(*ALL_PORTS, "any")


def rule(kind: object, remote: str = "0.0.0.0/0", version: str = "ipv4") -> dict:
    return {"type": version, "protocolKind": kind, "remote": {"address": remote}}


def exact(number: int, protocol: str = "tcp") -> dict:
    return {protocol: {"ports": {"exact": {"value": number}}}}


@pytest_asyncio.fixture
async def cloud(
    speak: Speak, world: World, clock: SettableClock
) -> AsyncIterator[httpx.AsyncClient]:
    async with speak(world, clock, "cloud") as client:
        yield client


async def group_of(client: httpx.AsyncClient, world: World, name: str) -> dict:
    """The group of a VM, found the way that a client must go."""
    interfaces = (await client.get(f"/v2/vms/{world.find(name).uuid}/interfaces")).json()
    (default,) = [interface for interface in interfaces if interface["default"]]
    query = {"ids": default["securityGroup"]}
    (group,) = (await client.get(PATH, params=query)).json()["items"]
    assert default["id"] in group["attachedTo"]
    return group


async def change(client: httpx.AsyncClient, group: dict, body: dict) -> httpx.Response:
    return await client.patch(f"{PATH}/{group['id']}", json=body)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("22/tcp", exact(22)),
        ("53/udp", exact(53, "udp")),
        ("8000-8100/tcp", {"tcp": {"ports": {"range": {"min": 8000, "max": 8100}}}}),
        ("all/tcp", {"tcp": {"ports": "all"}}),
        ("all/udp", {"udp": {"ports": "all"}}),
        ("all/icmp", "icmp"),
        ("all/any", "all"),
    ],
)
async def test_how_a_port_is_written(
    cloud: httpx.AsyncClient, world: World, text: str, kind: object
) -> None:
    """Each form, read and written; beside SSH, so that it is not everything there is."""
    ports = tuple(sorted({SSH, parse_port(text)}))
    world.update(world.find("ci-3").id, ports=ports)
    group = await group_of(cloud, world, "ci-3")
    assert rule(kind) in group["ingressRules"]["rules"]
    world.update(world.find("ci-3").id, ports=())
    assert (await change(cloud, group, {"ingressRules": group["ingressRules"]})).status_code == 200
    assert ports == world.find("ci-3").ports


async def test_everything_is_allow_all(cloud: httpx.AsyncClient, world: World) -> None:
    """Rules of null are the API's default, which opens everything; absent ones change nothing."""
    group = await group_of(cloud, world, "web-1")
    await change(cloud, group, {"name": group["name"]})
    assert (port(22), port(80), port(443)) == world.find("web-1").ports
    opened = (await change(cloud, group, {"ingressRules": None})).json()
    assert {"type": "allowAll"} == opened["ingressRules"]
    assert (ANY,) == world.find("web-1").ports


async def test_narrow_rules_are_kept_beside_the_ports(
    cloud: httpx.AsyncClient, world: World
) -> None:
    """What lets somebody in is no open port; an update through `v2` leaves it."""
    group = await group_of(cloud, world, "web-1")
    narrow = [
        rule(exact(5432), "10.0.0.0/8"),
        rule(exact(22), "::/0", "ipv6"),
        {"type": "ipv4", "protocolKind": "all", "remote": {"securityGroup": group["id"]}},
    ]
    rules = {"type": "allow", "rules": [rule(exact(22)), *narrow]}
    assert rules == (await change(cloud, group, {"ingressRules": rules})).json()["ingressRules"]
    assert (SSH,) == world.find("web-1").ports
    world.update(world.find("web-1").id, ports=[port(80)])
    after = (await group_of(cloud, world, "web-1"))["ingressRules"]["rules"]
    assert [rule(exact(80)), *narrow] == after


@pytest.mark.parametrize(
    "body",
    [
        {"ingressRules": {"type": "allow", "rules": [rule(exact(10_250))]}},
        {"ingressRules": {"type": "allow", "rules": [rule(exact(0))]}},
        {"ingressRules": {"type": "allow", "rules": [rule("gre")]}},
        {"ingressRules": {"type": "allow", "rules": [rule({"sctp": {"ports": "all"}})]}},
        {"ingressRules": {"type": "allow", "rules": [rule({"tcp": {"ports": "some"}})]}},
        {"ingressRules": {"type": "allow", "rules": [{"type": "ipv4"}]}},
        {"ingressRules": {"type": "allow", "rules": [rule(exact(22), version="ipv5")]}},
        {"ingressRules": {"type": "deny"}},
        {"ingressRules": [rule(exact(22))]},
        {"egressRules": {"type": "allow", "rules": []}},
        {"egressRules": {"type": "deny"}},
        {"egressRules": {}},
        {"name": "another"},
    ],
)
async def test_changes_that_are_refused(cloud: httpx.AsyncClient, world: World, body: dict) -> None:
    """422, and the VM is as it was."""
    before = world.find("web-1")
    response = await change(cloud, await group_of(cloud, world, "web-1"), body)
    assert (422, "unprocessable_entity") == (response.status_code, response.json()["code"])
    assert before is world.find("web-1")


async def test_a_group_can_be_shared(cloud: httpx.AsyncClient, world: World) -> None:
    """One group, two VMs: a change is to both, and they are in the list once."""
    await cloud.post("/_control/share-ports", json={"vm": "ci-3", "other": "web-1"})
    group = await group_of(cloud, world, "ci-3")
    assert group == await group_of(cloud, world, "web-1")
    assert 2 == len(group["attachedTo"])
    assert 5 == (await cloud.get(PATH)).json()["pagination"]["totalRecords"]
    rules = {"type": "allow", "rules": [rule(exact(9000))]}
    await change(cloud, group, {"ingressRules": rules})
    assert [(port(9000),)] * 2 == [world.find(name).ports for name in ("web-1", "ci-3")]


async def test_the_life_of_a_group_that_nothing_uses(
    cloud: httpx.AsyncClient, world: World
) -> None:
    """Made, changed, removed; one that is in use cannot be removed."""
    used = await group_of(cloud, world, "web-1")
    body = {"clusterId": used["clusterId"], "name": "spare", "ingressRules": [rule(exact(22))]}
    spare = (await cloud.post(PATH, json=body)).json()
    assert {"type": "allow", "rules": [rule(exact(22))]} == spare["ingressRules"]
    assert (await change(cloud, spare, {"name": "rest", "ingressRules": None})).status_code == 200
    (listed,) = (await cloud.get(PATH, params={"name": "rest"})).json()["items"]
    assert ({"type": "allowAll"}, []) == (listed["ingressRules"], listed["attachedTo"])
    conflict = await cloud.delete(f"{PATH}/{used['id']}")
    assert (409, "conflict") == (conflict.status_code, conflict.json()["code"])
    removed = await cloud.delete(f"{PATH}/{spare['id']}")
    assert (200, "removed") == (removed.status_code, removed.json()["status"])
    assert (await cloud.delete(f"{PATH}/{spare['id']}")).status_code == 404


async def test_a_group_without_rules_allows_all(cloud: httpx.AsyncClient, world: World) -> None:
    """No rules are not the same as an empty list of them."""
    cluster = (await group_of(cloud, world, "web-1"))["clusterId"]
    answers = [
        (await cloud.post(PATH, json={"clusterId": cluster, "name": "spare"} | rules)).json()
        for rules in ({}, {"ingressRules": []})
    ]
    expected = [{"type": "allowAll"}, {"type": "allow", "rules": []}]
    assert expected == [group["ingressRules"] for group in answers]


async def test_some_vms_have_a_private_interface(cloud: httpx.AsyncClient, world: World) -> None:
    """It comes first and has no group: the one to look at is the default one."""
    inside = [vm for vm in (await cloud.get("/v2/vms")).json()["items"] if vm["subnets"]]
    assert 0 < len(inside) < 6
    interfaces = (await cloud.get(f"/v2/vms/{inside[0]['id']}/interfaces")).json()
    assert [(False, True), (True, False)] == [
        (interface["default"], interface["securityGroup"] is None) for interface in interfaces
    ]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, {"clusterId": "elsewhere", "name": "spare"}),
        (422, {"name": " "}),
        (422, {"name": "spare", "egressRules": [rule("all")]}),
        (422, {"name": "spare", "ingressRules": [{}]}),
    ],
)
async def test_groups_that_are_not_made(
    cloud: httpx.AsyncClient, world: World, status: int, body: dict
) -> None:
    cluster = (await group_of(cloud, world, "web-1"))["clusterId"]
    assert status == (await cloud.post(PATH, json={"clusterId": cluster} | body)).status_code
    assert {} == world.groups


NUMBERS = st.integers(1, ALL_PORTS[1])
RANGES = st.tuples(NUMBERS, NUMBERS).map(sorted)
PORTS = st.one_of(
    st.builds(lambda ends, proto: Port(*ends, proto), RANGES, st.sampled_from(["tcp", "udp"])),
    st.sampled_from([ANY, Port(*ALL_PORTS, "icmp")]),
)


@given(st.lists(PORTS, unique=True))
def test_rules_say_all_there_is_to_a_port(ports: list[Port]) -> None:
    """Any set of ports survives being written and read."""
    assert Ingress(tuple(ports)) == read_rules(rules_json(ports, ()))
