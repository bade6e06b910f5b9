from datetime import timedelta

import httpx
import pytest

from fluence_watch.simulator import FaultPlan, SettableClock, World, create_app, utc_now
from fluence_watch.simulator.actions import ACTIONS
from fluence_watch.simulator.gpu import GpuState
from fluence_watch.simulator.gpu_actions import AddGpu
from fluence_watch.simulator.machine import State

pytestmark = pytest.mark.asyncio(loop_scope="module")

EFFECTS = {
    "deploy": ({"name": "new", "ports": ["53/udp"]}, lambda w: w.find("new").ports[0].first == 53),
    "delete": ({"vm": "web-1"}, lambda w: len(w.machines) == 5),
    "rename": ({"vm": "web-1", "name": "front"}, lambda w: w.find("front")),
    "open-port": (
        {"vm": "ci-3", "port": "8080/tcp"},
        lambda w: "8080/tcp" in map(str, w.find("ci-3").ports),
    ),
    "close-port": (
        {"vm": "web-1", "port": "22/tcp"},
        lambda w: "22/tcp" not in map(str, w.find("web-1").ports),
    ),
    "set-ports": ({"vm": "web-1", "ports": []}, lambda w: w.find("web-1").ports == ()),
    "share-ports": (
        {"vm": "ci-3", "other": "web-1"},
        lambda w: w.find("ci-3").ports == w.find("web-1").ports,
    ),
    "set-state": (
        {"vm": "web-1", "state": "stopped"},
        lambda w: w.find("web-1").state is State.STOPPED and w.find("web-1").is_billed,
    ),
    "maintenance": ({"on": True}, lambda w: w.maintenance),
    "vanish": ({"vm": "web-1"}, lambda w: w.find("web-1").vanished),
    "bring-back": ({"vm": "web-1"}, lambda w: not w.find("web-1").vanished),
    "terminate": ({"vm": "web-1"}, lambda w: w.find("web-1").state is State.TERMINATED),
    "drain": ({}, lambda w: w.top_ups_fail),
    "mend": ({"vm": "web-1"}, lambda w: not w.find("web-1").top_ups_fail),
    "refill": ({"amount": 1}, lambda w: w.deposited == w.accounted),
    "set-price": ({"vm": "web-1", "price": 5}, lambda w: w.find("web-1").price == 5),
    "set-address": (
        {"vm": "web-1", "address": "203.0.113.9"},
        lambda w: w.find("web-1").public_ip == "203.0.113.9",
    ),
    "set-boundary": (
        {"vm": "web-1", "seconds": 90},
        lambda w: w.find("web-1").next_billing_at == w.now + timedelta(seconds=90),
    ),
    "add-disk": (
        {"name": "old", "gb": 7, "price": 5},
        lambda w: [(7, 5)] == [(r.size_gb, r.price) for r in w.rentals.values()],
    ),
    "add-address": (
        {"name": "spare", "vm": "web-1"},
        lambda w: any(r.attached_to for r in w.rentals.values() if r.name == "spare"),
    ),
    "withhold": ({"scopes": ["storage:read"]}, lambda w: "storage:read" in w.withheld),
    "add-gpu": (
        {"name": "trainer", "kind": "vm", "price": 5},
        lambda w: [("trainer", 5, 10)] == [(g.name, g.price, g.reserved) for g in w.gpus.values()],
    ),
    "set-gpu": (
        {"gpu": "trainer", "state": "FAILED"},
        lambda w: [(GpuState.FAILED, 0)] == [(g.state, g.reserved) for g in w.gpus.values()],
    ),
    "market": ({"percent": 80}, lambda w: w.market_percent == 80),
    "bill": ({"percent": 110}, lambda w: w.bill_percent == 110),
    "overcharge": (
        {"vm": "web-1", "amount": 7},
        lambda w: w.find("web-1").spent % w.find("web-1").price == 7 and w.deposited == w.accounted,
    ),
    "set-balance": ({"amount": -4_500_000}, lambda w: w.balance == -4_500_000),
}


async def post(client: httpx.AsyncClient, path: str, body: object) -> int:
    return (await client.post(f"/_control/{path}", json=body)).status_code


async def show(client: httpx.AsyncClient) -> dict:
    return (await client.get("/_control/world")).json()


@pytest.mark.parametrize("action", ACTIONS)
async def test_every_action_has_its_effect(
    client: httpx.AsyncClient, world: World, action: str
) -> None:
    """Each action by its name over HTTP, without a key."""
    body, holds = EFFECTS[action]
    world.vanish("web-1") if action == "bring-back" else None
    world.drain("web-1") if action == "mend" else None
    AddGpu("trainer").apply(world) if action == "set-gpu" else None
    world.metered = action.startswith("add-")
    del client.headers["X-API-KEY"]
    assert await post(client, action, body) == 204
    assert holds(world)


async def test_all_vms_are_deleted_at_once(client: httpx.AsyncClient, world: World) -> None:
    """As in the console; their reserves are back in the balance."""
    assert 204 == await post(client, "delete", {})
    assert ({}, world.deposited) == (world.machines, world.accounted)


async def test_money_added_counts(client: httpx.AsyncClient, world: World) -> None:
    before = world.balance
    await post(client, "refill", {"amount": 41})
    assert before + 41 == world.balance


@pytest.mark.parametrize(
    ("status", "path", "body"),
    [
        (404, "explode", {}),
        (404, "vanish", {"vm": "nobody"}),
        (404, "deploy", {"config": "cpu-9000"}),
        (404, "profile", {"name": "nightmare"}),
        (422, "vanish", {}),
        (422, "vanish", {"vm": "web-1", "when": "now"}),
        (422, "open-port", {"vm": "web-1", "port": "99999/tcp"}),
        (422, "refill", {"amount": 0}),
        (422, "market", {"percent": 0}),
        (422, "faults", {"kind": "gremlins"}),
    ],
)
async def test_a_bad_command_says_why(
    client: httpx.AsyncClient, status: int, path: str, body: dict
) -> None:
    response = await client.post(f"/_control/{path}", json=body)
    assert status == response.status_code
    assert response.json()["error"]


async def test_the_clock_can_be_moved(
    client: httpx.AsyncClient, world: World, clock: SettableClock
) -> None:
    """By seconds or to a time; the world follows at once."""
    start = clock()
    assert await post(client, "clock", {"advance": 86_400}) == 204
    assert start + timedelta(days=1) == world.now
    assert world.find("web-1").next_billing_at > world.now
    assert await post(client, "clock", {"set": "2025-04-20T00:00:00Z"}) == 204
    assert (await show(client))["now"] == "2025-04-20T00:00:00Z"


async def test_the_real_clock_cannot_be_moved(world: World) -> None:
    transport = httpx.ASGITransport(create_app(world, utc_now))
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as client:
        assert await post(client, "clock", {"advance": 1}) == 409


async def test_faults_are_queued_for_the_api_alone(
    client: httpx.AsyncClient, faults: FaultPlan
) -> None:
    """The next requests answer 503, those to the control do not count."""
    await post(client, "faults", {"kind": "status", "status": 503, "times": 2, "retry_after": "9"})
    assert (await show(client))["faults"] == {"profile": "none", "queued": 2}
    answers = [await client.get("/vms/v2") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["retry-after"] == "9"


async def test_a_profile_is_chosen_and_forgets_the_queue(
    client: httpx.AsyncClient, faults: FaultPlan
) -> None:
    await post(client, "faults", {"kind": "drop"})
    assert await post(client, "profile", {"name": "hostile"}) == 204
    assert (await show(client))["faults"] == {"profile": "hostile", "queued": 0}


async def test_requests_are_counted_with_the_last_headers(client: httpx.AsyncClient) -> None:
    """Refused ones count as well, looks at the world do not."""
    await client.get("/vms/v2")
    await client.get("/ssh_keys", headers={"X-API-KEY": "wrong", "X-Mark": "here"})
    requests = (await show(client))["requests"]
    assert (
        requests["count"],
        requests["last_method"],
        requests["last_path"],
    ) == (2, "GET", "/ssh_keys")
    assert (
        requests["last_headers"]["x-api-key"],
        requests["last_headers"]["x-mark"],
    ) == ("wrong", "here")


async def test_the_world_shows_what_the_list_hides(client: httpx.AsyncClient, world: World) -> None:
    """Vanished and ended VMs with their locked reserve."""
    world.vanish("web-1")
    world.terminate("db-2")
    shown = {vm["name"]: vm for vm in (await show(client))["vms"]}
    assert shown["web-1"]["vanished"]
    assert shown["db-2"]["state"] == "terminated"
    assert world.find("db-2").reserved == shown["db-2"]["reserved"] > 0
