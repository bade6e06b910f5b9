"""Dialect `v3`: its guide to the letter, its statuses, its writes."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
import pytest_asyncio

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port, port
from fluence_watch.simulator import AcceptedAuth, SettableClock, World, build_world
from fluence_watch.simulator.catalog import Configuration, Datacenter
from fluence_watch.simulator.machine import Machine, State, in_state

GUIDE = Path(__file__).parents[2] / "fixtures" / "v3" / "guide.json"
Speak = Callable[..., httpx.AsyncClient]


def guide_machines() -> list[Machine]:
    """The VMs of the guide's example: one runs, one was ended."""
    certifications = ("PCI DSS", "ISO 9001:2015", "ISO/IEC 27001:2022")
    image = (
        "https://cloud-images.ubuntu.com/releases/22.04/release/"
        "ubuntu-22.04-server-cloudimg-amd64.img"
    )
    runs = Machine(
        id="0x311edB209b61EaA8c3e67c6B96D03288DB5Bc020",
        name="vm-name",
        configuration=Configuration("guide", 2, 4096, 25_600, MicroUsdc(2_435_200)),
        datacenter=Datacenter(f"0x{5:064x}", "FR", "PAR", 1, 4, certifications),
        price=MicroUsdc(2_435_200),
        reserved=MicroUsdc(2_435_200),
        spent=MicroUsdc(2_435_200),
        created_at=datetime(2025, 4, 30, 11, 23, 5, tzinfo=UTC),
        next_billing_at=datetime(2025, 4, 30, 11, 55, 9, tzinfo=UTC),
        public_ip="154.42.3.159",
        os_image=image,
    )
    changes = {
        "id": "0x68bd60079721AE2A04759d00Fc516148aCF479e4",
        "name": "apricot-wolf-5354",
        "price": MicroUsdc(306_970),
        "reserved": MicroUsdc(306_970),
        "spent": MicroUsdc(2_455_760),
        "created_at": datetime(2025, 5, 7, 16, 20, 43, tzinfo=UTC),
        "state": State.TERMINATED,
    }
    fields = {name: getattr(runs, name) for name in Machine.__slots__} | changes
    return [runs, Machine(**fields)]


@pytest_asyncio.fixture
async def v3(speak: Speak, world: World, clock: SettableClock) -> AsyncIterator[httpx.AsyncClient]:
    async with speak(world, clock, "v3") as client:
        yield client


async def listed(client: httpx.AsyncClient) -> dict[str, dict]:
    response = await client.get("/vms/v3")
    assert response.status_code == 200
    return {vm["vmName"]: vm for vm in response.json()}


async def patch(client: httpx.AsyncClient, *updates: dict) -> httpx.Response:
    return await client.patch("/vms/v3", json={"updates": updates})


async def delete(client: httpx.AsyncClient, body: object) -> httpx.Response:
    return await client.request("DELETE", "/vms/v3", json=body)


async def test_the_guides_example_to_the_letter(speak: Speak) -> None:
    """VMs like those of the guide give the guide's JSON: names, types, forms of amounts."""
    now = datetime(2025, 4, 30, 11, 30, tzinfo=UTC)
    world = build_world(seed=0, vms=0, epoch=timedelta(hours=24), now=now)
    for machine in guide_machines():
        world.adopt(machine)
    async with speak(world, SettableClock(now), "v3") as client:
        response = await client.get("/vms/v3")
    assert json.loads(GUIDE.read_text("utf-8")) == response.json()


async def test_the_order_of_the_keys_is_the_guides(speak: Speak) -> None:
    """What runs has its keys in the order of the guide."""
    now = datetime(2025, 4, 30, 11, 30, tzinfo=UTC)
    world = build_world(seed=0, vms=0, epoch=timedelta(hours=24), now=now)
    world.adopt(guide_machines()[0])
    async with speak(world, SettableClock(now), "v3") as client:
        answered = (await client.get("/vms/v3")).json()[0]
    assert list(json.loads(GUIDE.read_text("utf-8"))[0]) == list(answered)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (State.NEW, "New"),
        (State.LAUNCHING, "Launching"),
        (State.ACTIVE, "Active"),
        (State.STOPPED, "Stopped"),
        (State.TERMINATED, "Terminated"),
    ],
)
async def test_status_words(v3: httpx.AsyncClient, world: World, state: State, word: str) -> None:
    """Each state has its word, and the time of the change is told."""
    world.put(in_state(world.find("web-1"), state, world.now))
    vm = (await listed(v3))["web-1"]
    assert (word, "2025-04-16T12:00:00Z") == (vm["status"], vm["statusChangedAt"])
    assert "statusChangedAt" not in (await listed(v3))["db-2"]


async def test_a_vm_that_runs_dry(
    v3: httpx.AsyncClient, world: World, clock: SettableClock
) -> None:
    """A dip is healthy, a failed top-up is not; then it ends, its reserve locked until deleted."""
    world.drain("web-1")
    words = []
    boundary = world.find("web-1").next_billing_at
    for at in (boundary, boundary + timedelta(minutes=1), boundary + timedelta(days=1)):
        clock.set(at)
        words.append((await listed(v3))["web-1"]["status"])
    assert ["Active", "SmallBalance", "Terminated"] == words


async def test_an_account_that_runs_dry(
    v3: httpx.AsyncClient, world: World, clock: SettableClock
) -> None:
    """Where the balance itself is too low, the word is another one."""
    world.balance = MicroUsdc(0)
    clock.set(world.find("web-1").next_billing_at + timedelta(minutes=1))
    vm = (await listed(v3))["web-1"]
    assert ("InsufficientFunds", "0") == (vm["status"], vm["reservedBalance"])


async def test_money_elsewhere_changes_the_word(
    v3: httpx.AsyncClient, world: World, clock: SettableClock
) -> None:
    """A VM whose own facts are the same gets another word when the account has run dry."""
    world.drain("web-1")
    clock.set(world.find("web-1").next_billing_at + timedelta(minutes=1))
    before = (await listed(v3))["web-1"]
    world.balance = MicroUsdc(0)
    after = (await listed(v3))["web-1"]
    assert ("SmallBalance", "InsufficientFunds") == (before["status"], after["status"])


async def test_what_was_ended_stays_until_deleted(v3: httpx.AsyncClient, world: World) -> None:
    """Nulls and gaps as in the guide; the delete frees what is locked."""
    world.terminate("web-1")
    vm = (await listed(v3))["web-1"]
    assert (None, None, []) == (vm["datacenter"], vm["publicIp"], vm["resources"])
    assert "nextBillingAt" not in vm
    assert ".30698" == vm["reservedBalance"]
    before = world.balance
    response = await delete(v3, {"vmIds": [vm["id"].lower(), "0x01"]})
    answered = response.json()
    assert (200, [vm["id"]]) == (response.status_code, answered["removed_ids"])
    assert len(answered["transactions"]) == 1
    assert before + 306_980 == world.balance
    assert "web-1" not in await listed(v3)


@pytest.mark.parametrize("body", [{"vmIds": ["0x01"]}, {"vmIds": []}, {"vmId": "0x01"}, {}])
async def test_nothing_to_delete(v3: httpx.AsyncClient, body: dict) -> None:
    """422 with a text when nothing matches."""
    response = await delete(v3, body)
    assert response.status_code == 422
    assert response.json()["error"]


async def test_several_updates_at_once(v3: httpx.AsyncClient, world: World) -> None:
    """204; each its own change, and an id that nobody has is passed over."""
    ids = {name: vm["id"] for name, vm in (await listed(v3)).items()}
    response = await patch(
        v3,
        {"id": ids["web-1"].upper().replace("0X", "0x"), "vmName": "front"},
        {"id": ids["db-2"], "openPorts": [{"port": 53, "protocol": "UDP"}]},
        {"id": "0x01", "vmName": "nobody"},
    )
    assert (204, b"") == (response.status_code, response.content)
    assert world.find("front").ports == (port(22), port(80), port(443))
    assert (port(53, "udp"),) == world.find("db-2").ports


@pytest.mark.parametrize(
    "update",
    [
        {"id": "0x01", "vmName": "nobody"},
        {"openPorts": [{"port": 10_250, "protocol": "tcp"}]},
        {"openPorts": [{"port": 80, "protocol": "any"}]},
        {"openPorts": [{"port": 0, "protocol": "tcp"}]},
        {"vmName": ""},
    ],
)
async def test_updates_that_are_refused(v3: httpx.AsyncClient, world: World, update: dict) -> None:
    """422 with a text; the VM is as it was."""
    before = world.find("web-1")
    response = await patch(v3, {"id": before.id} | update)
    assert response.status_code == 422
    assert response.json()["error"]
    assert before is world.find("web-1")


async def test_ranges_are_listed_port_by_port(v3: httpx.AsyncClient, world: World) -> None:
    """A range, one of both protocols, and what has no number at all."""
    icmp = Port(1, 65_535, "icmp")
    world.update(world.find("ci-3").id, ports=[Port(8000, 8001, "tcp"), Port(9, 9, "any"), icmp])
    ports = [(each["port"], each["protocol"]) for each in (await listed(v3))["ci-3"]["ports"]]
    assert [(9, "tcp"), (9, "udp"), (8000, "tcp"), (8001, "tcp")] == ports


async def test_ssh_keys_are_those_of_v2(
    v3: httpx.AsyncClient, speak: Speak, world: World, clock: SettableClock
) -> None:
    """The same answer to the letter."""
    async with speak(world, clock, "v2") as v2:
        assert (await v2.get("/ssh_keys")).content == (await v3.get("/ssh_keys")).content
    assert {"publicKey"} <= msgspec.json.decode((await v3.get("/ssh_keys")).content)[0].keys()


@pytest.mark.parametrize("accepted", AcceptedAuth)
async def test_the_key_is_needed(
    v3: httpx.AsyncClient, world: World, accepted: AcceptedAuth
) -> None:
    """403 without one; a bearer token does where the world accepts it."""
    world.accepted_auth = accepted
    del v3.headers["X-API-KEY"]
    refused = await v3.get("/vms/v3")
    bearer = await v3.get("/vms/v3", headers={"Authorization": "Bearer simulator"})
    assert (403, True) == (refused.status_code, bool(refused.json()["error"]))
    assert (403 if accepted is AcceptedAuth.X_API_KEY else 200) == bearer.status_code
