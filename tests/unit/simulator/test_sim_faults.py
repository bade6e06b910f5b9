"""Each fault, seen by a real client over a real socket."""

import asyncio
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import httpx
import msgspec
import pytest

from fluence_watch.simulator import (
    PROFILES,
    Fault,
    FaultKind,
    FaultPlan,
    SettableClock,
    World,
    create_app,
    fleet_payload,
)
from fluence_watch.simulator.spoil import HOSTILE_TEXTS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_status_with_and_without_retry_after(
    client: httpx.AsyncClient, faults: FaultPlan
) -> None:
    """429 with seconds, with a date, without; then all is well again."""
    date = "Wed, 21 Oct 2015 07:28:00 GMT"
    for waits in ("7", date, None):
        faults.queue(Fault(FaultKind.STATUS, status=429, retry_after=waits))
    answers = [await client.get("/vms/v2") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 429, 429, 200]
    assert ["7", date, None, None] == [answer.headers.get("retry-after") for answer in answers]
    assert parsedate_to_datetime(date).year == 2015
    assert answers[0].json()["error"]


async def test_a_dropped_connection(client: httpx.AsyncClient, faults: FaultPlan) -> None:
    """No byte comes; the next request finds a new connection."""
    faults.queue(Fault(FaultKind.DROP))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await client.patch("/vms/v2", json={"id": "0x01"})
    assert (await client.get("/vms/v2")).status_code == 200


async def test_a_body_cut_off(client: httpx.AsyncClient, faults: FaultPlan) -> None:
    """The connection ends before the announced length."""
    faults.queue(Fault(FaultKind.TRUNCATED_BODY))
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
        await client.get("/vms/v2")


async def test_a_drop_needs_a_real_connection(world: World, clock: SettableClock) -> None:
    """Without a server there is nothing to cut but the call itself."""
    plan = FaultPlan()
    plan.queue(Fault(FaultKind.DROP))
    transport = httpx.ASGITransport(create_app(world, clock, faults=plan))
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as inside:
        with pytest.raises(ConnectionResetError):
            await inside.get("/vms/v2")


async def test_latency(client: httpx.AsyncClient, faults: FaultPlan) -> None:
    """The answer is right, but late: a client with less patience gives up."""
    faults.queue(Fault(FaultKind.LATENCY, seconds=0.2), times=2)
    with pytest.raises(httpx.ReadTimeout):
        await client.get("/vms/v2", timeout=0.05)
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert (await client.get("/vms/v2")).status_code == 200
    assert loop.time() - start >= 0.19


async def test_json_that_ends_early(client: httpx.AsyncClient, faults: FaultPlan) -> None:
    """A complete answer of the right length, with half a document in it."""
    faults.queue(Fault(FaultKind.TRUNCATED_JSON))
    response = await client.get("/vms/v2")
    assert response.status_code == 200
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(response.content)


@pytest.mark.parametrize(
    ("kind", "holds"),
    [
        (FaultKind.EMPTY_LIST, lambda _good, bad: bad == []),
        (
            FaultKind.SHORT_LIST,
            lambda good, bad: 0 < len(bad) < len(good) and all(vm in good for vm in bad),
        ),
        (
            FaultKind.DUPLICATE_IDS,
            lambda good, bad: bad[:-1] == good and bad[-1]["id"] in {vm["id"] for vm in good},
        ),
        (
            FaultKind.MALFORMED_ELEMENT,
            lambda good, bad: sum(a != b for a, b in zip(good, bad, strict=True)) == 1,
        ),
    ],
)
async def test_a_list_that_is_wrong_for_one_poll(
    client: httpx.AsyncClient,
    world: World,
    faults: FaultPlan,
    kind: FaultKind,
    holds: Callable[[list, list], bool],
) -> None:
    """The fault shows once; the world itself is as it was."""
    good = msgspec.json.decode(fleet_payload(world))
    faults.queue(Fault(kind))
    bad = (await client.get("/vms/v2")).json()
    assert holds(good, bad)
    assert good == (await client.get("/vms/v2")).json()


async def test_hostile_text_is_in_every_text_and_nowhere_else(
    client: httpx.AsyncClient, world: World, faults: FaultPlan
) -> None:
    """Ids, times and money stay readable; a name is the same attack at each poll."""
    faults.profile = PROFILES["hostile"]
    first, second = [(await client.get("/vms/v2")).json() for _ in range(2)]
    good = msgspec.json.decode(fleet_payload(world))
    assert first == second
    for before, after in zip(good, first, strict=True):
        assert {after["vmName"], after["osImage"], after["publicIp"]} <= set(HOSTILE_TEXTS)
        assert set(after["datacenter"]["certifications"]) <= set(HOSTILE_TEXTS)
        assert after["resources"][0]["metadata"]["brand"] in HOSTILE_TEXTS
        for kept in ("id", "status", "pricePerEpoch", "nextBillingAt", "totalSpent", "ports"):
            assert before[kept] == after[kept]


@pytest.mark.parametrize("kind", [FaultKind.HUGE_BODY, FaultKind.GZIP_BOMB])
async def test_a_flood_is_a_valid_empty_list(
    client: httpx.AsyncClient, faults: FaultPlan, kind: FaultKind
) -> None:
    """What makes it dangerous: a reader without a bound would believe it."""
    faults.queue(Fault(kind, megabytes=2))
    response = await client.get("/vms/v2")
    assert len(response.content) == 2 * 1_048_576 + 2
    assert response.json() == []


async def test_updates_survive_list_faults(
    client: httpx.AsyncClient, world: World, faults: FaultPlan
) -> None:
    """An answer without a body has nothing to spoil."""
    faults.queue(Fault(FaultKind.SHORT_LIST))
    response = await client.patch("/vms/v2", json={"id": world.find("web-1").id, "vmName": "x"})
    assert (response.status_code, response.content) == (204, b"")
