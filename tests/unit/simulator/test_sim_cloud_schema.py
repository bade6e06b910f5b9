"""Dialect `cloud`: every answer is as published, whatever the world has come to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import parse_port
from fluence_watch.simulator import Fault, FaultKind, FaultPlan, SettableClock, World, build_world
from fluence_watch.simulator.machine import State, in_state, sharing_ports

Speak = Callable[..., httpx.AsyncClient]
NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
DATES = "startDate=2025-01-01&endDate=2025-12-31"
EXPAND = (
    "expand[0]=bootDisk&expand[1]=dataDisks&expand[2]=publicIp&expand[3]=subnets"
    "&expand[4]=sshKeys&expand[5]=networkInterfaces"
)
PRICES = {
    "vm": "/v1/prices/vm",
    "storage": "/v1/prices/storage",
    "publicIp": "/v1/prices/public-ip",
}
READS = (
    "/v2/vms",
    f"/v2/vms?perPage=2&{EXPAND}",
    "/v2/users/balances",
    "/v1/ssh_keys",
    "/v1/security_groups",
    "/v1/public_ips",
    "/v1/datacenters",
    "/v1/clusters",
    "/v1/storages",
    f"/v1/billing/charges/aggregated?{DATES}",
    f"/v1/billing/charges/aggregated?{DATES}&groupBy=CLUSTER&period=MONTH",
    f"/v1/billing/charges/aggregated?{DATES}&groupBy=RESOURCE_TYPE&period=DAY",
    "/v1/billing/charges/total",
    "/v1/service/status",
    "/v1/users/me",
    "/v1/configurations/virtual_machines",
    *PRICES.values(),
    *(f"{path}?clusterId=00000000-0000-0000-0000-000000000000" for path in PRICES.values()),
)
READS_OF_ONE = ("/v2/vms/{vm}", f"/v2/vms/{{vm}}?{EXPAND}", "/v2/vms/{vm}/interfaces")
RULES = {"type": "allow", "rules": []}
KEY_LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKgJIjnDg1DjqOOxINs78oU3f7PJXIyq9uiNocNVhXNx"
SERVED = (
    "/v2/vms", "/v1/storages", "/v1/public_ips", "/v1/ssh_keys", "/v1/security_groups",
    "/v1/datacenters", "/v1/clusters", "/v2/users/balances", "/v1/users/me", "/v1/billing/charges",
    "/v1/service/status", "/v1/prices", "/v1/configurations",
)  # fmt: skip
NOT_SERVED = {
    ("GET", "/v1/clusters/resources"),
    ("GET", "/v1/clusters/{cluster_id}/resources"),
    ("POST", "/v1/public_ips"),
    ("POST", "/v1/public_ips/delete"),
    ("PATCH", "/v1/public_ips/{public_ip_id}"),
    ("POST", "/v1/security_groups/delete"),
    ("POST", "/v1/ssh_keys/delete"),
    ("POST", "/v1/storages"),
    ("GET", "/v1/storages/default_images"),
    ("POST", "/v1/storages/delete"),
    ("GET", "/v1/storages/types"),
    ("PATCH", "/v1/storages/{storage_id}"),
    ("GET", "/v1/users/me/profile"),
    ("PATCH", "/v1/users/me/profile"),
    ("POST", "/v2/vms"),
    ("PATCH", "/v2/vms/{vm_id}/interfaces/{interface_id}"),
    ("POST", "/v2/vms/{vm_id}/public_ip/add"),
    ("POST", "/v2/vms/{vm_id}/public_ip/remove"),
    ("POST", "/v2/vms/{vm_id}/restart"),
    ("POST", "/v2/vms/{vm_id}/softreboot"),
    ("POST", "/v2/vms/{vm_id}/storages/add"),
    ("POST", "/v2/vms/{vm_id}/storages/remove"),
    ("POST", "/v2/vms/{vm_id}/vm-api-access-token"),
}


class Judge(Protocol):
    """What the fixture `published` can do."""

    operations: set[tuple[str, str]]

    def operation(self, method: str, path: str) -> tuple[str, str]:
        """The published operation that a request is one of."""

    def check(self, response: httpx.Response) -> Any:  # noqa: ANN401 - JSON of any shape
        """The answer's JSON, if it is as published."""


async def requests(client: httpx.AsyncClient, world: World) -> AsyncIterator[httpx.Response]:
    """Everything that can be asked for, once; the writes last."""
    for path in READS:
        yield await client.get(path)
    for machine in (*world.listed(), *world.deleted.values()):
        for path in READS_OF_ONE:
            yield await client.get(path.replace("{vm}", machine.uuid))
    yield await client.post("/v1/prices/cost", json={"resources": [], "secs": None})
    yield await client.post("/v1/prices/cost", json={"resources": [{}]})
    yield await client.post("/v1/prices/cost", json={"resources": await priced(client), "secs": 60})
    async for response in writes(client):
        yield response


async def priced(client: httpx.AsyncClient) -> list[dict]:
    """One resource of each kind of which the market tells the price."""
    resources = []
    for kind, path in PRICES.items():
        for item in (await client.get(path)).json().get("items", [])[-1:]:
            volume = {"volume_gb": 40} if kind == "storage" else {}
            resources.append({kind: {"resource_id": item[f"{kind}TypeId"], **volume}})
    return resources


async def writes(client: httpx.AsyncClient) -> AsyncIterator[httpx.Response]:
    """One of each write, where there is something to write to."""
    vms = (await client.get("/v2/vms")).json().get("items", [])
    for vm in vms[-1:]:
        yield await client.patch(f"/v2/vms/{vm['id']}", json={"name": "renamed"})
        yield await client.get(f"/v1/storages/{vm['bootDisk']}")
        groups = (await client.get("/v1/security_groups")).json()["items"]
        for group in groups[:1]:
            path = f"/v1/security_groups/{group['id']}"
            yield await client.patch(path, json={"ingressRules": RULES})
            yield await client.delete(path)
        body = {"clusterId": vm["clusterId"], "name": "spare"}
        spare = await client.post("/v1/security_groups", json=body)
        yield spare
        yield await client.delete(f"/v1/security_groups/{spare.json()['id']}")
        yield await client.post(f"/v2/vms/{vm['id']}/terminate")
        yield await client.post(f"/v2/vms/{vm['id']}/terminate")
        for path in (f"/v1/storages/{vm['bootDisk']}", f"/v1/public_ips/{vm['publicIp']}"):
            yield await client.delete(path)
    key = await client.post("/v1/ssh_keys", json={"name": "k", "publicKey": KEY_LINE})
    yield key
    yield await client.delete(f"/v1/ssh_keys/{key.json().get('id', 'none')}")


Happening = Callable[[World, str], None]
HAPPENINGS: Sequence[Happening] = (
    lambda w, vm: w.vanish(vm),
    lambda w, vm: w.terminate(vm),
    lambda w, vm: w.drain(vm),
    lambda w, vm: w.delete(w.find(vm).id),
    lambda w, vm: w.set_price(vm, MicroUsdc(7)),
    lambda w, vm: w.put(in_state(w.find(vm), State.LAUNCHING, w.now)),
    lambda w, vm: w.put(sharing_ports(w.find(vm), w.machines[min(w.machines)])),
    lambda w, vm: w.update(w.find(vm).id, ports=map(parse_port, ("all/any", "all/icmp"))),
    lambda w, vm: w.update(w.find(vm).id, ports=map(parse_port, ("8000-8100", "all/udp", "1/any"))),
    lambda w, _vm: w.advance(w.now + timedelta(hours=30)),
)


@given(
    seed=st.integers(0, 2**32),
    vms=st.integers(0, 5),
    epoch=st.sampled_from([timedelta(minutes=5), timedelta(hours=24), timedelta(days=400)]),
    happenings=st.lists(st.sampled_from(HAPPENINGS), max_size=4),
    metered=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_every_answer_is_as_published(
    speak: Speak,
    published: Judge,
    seed: int,
    vms: int,
    epoch: timedelta,
    happenings: list[Happening],
    *,
    metered: bool,
) -> None:
    """Any fleet, after anything that can happen to it, through every route."""
    world = build_world(seed=seed, vms=vms, epoch=epoch, now=NOW, metered=metered)
    for happening, vm in zip(happenings, list(world.machines), strict=False):
        happening(world, vm)

    async def judge() -> list[int]:
        async with speak(world, SettableClock(world.now), "cloud") as client:
            answers = [response async for response in requests(client, world)]
        assert all(published.check(response) is not None for response in answers)
        return [response.status_code for response in answers]

    assert set(asyncio.run(judge())) <= {200, 404, 406, 409, 422}


async def test_every_published_operation_is_served(
    speak: Speak, published: Judge, world: World, clock: SettableClock
) -> None:
    """What is not served is known by name; what is not published is not served."""
    async with speak(world, clock, "cloud") as client:
        done = {
            published.operation(response.request.method, response.request.url.path)
            async for response in requests(client, world)
        }
    served = {each for each in published.operations if each[1].startswith(SERVED)}
    assert (served - NOT_SERVED, set()) == (done, NOT_SERVED - served)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 405, 429, 500, 502, 503])
async def test_errors_are_as_published(
    speak: Speak, published: Judge, world: World, clock: SettableClock, status: int
) -> None:
    """Whatever fails, the code is one of those that are published."""
    plan = FaultPlan()
    plan.queue(Fault(FaultKind.STATUS, status=status))
    async with speak(world, clock, "cloud", plan) as client:
        assert published.check(response := await client.get("/v2/vms"))["code"]
    assert status == response.status_code


@pytest.mark.parametrize("circumstance", ["no key", "maintenance"])
async def test_refusals_are_as_published(
    speak: Speak, published: Judge, world: World, clock: SettableClock, circumstance: str
) -> None:
    """Without a key and under maintenance, every route answers with an error but one."""
    world.maintenance = circumstance == "maintenance"
    async with speak(world, clock, "cloud") as client:
        client.headers["X-API-KEY"] = "simulator" if world.maintenance else "wrong"
        answers = [response async for response in requests(client, world)]
    assert all(published.check(response) for response in answers)
    fine = [response.request.url.path for response in answers if response.is_success]
    assert ["/v1/service/status"] == fine
