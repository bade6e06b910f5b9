import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import httpx
import pytest

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import (
    AcceptedAuth,
    SettableClock,
    World,
    build_world,
    create_app,
    fleet_payload,
)
from fluence_watch.simulator.catalog import Configuration, Datacenter
from fluence_watch.simulator.machine import Machine

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = Path(__file__).parents[2] / "fixtures" / "v2" / "guide.json"
GUIDE_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKgJIjnDg1DjqOOxINs78oU3f7PJXIyq9uiNocNVhXNx"
    " folex@mac.local"
)
GUIDE_FINGERPRINT = "SHA256:sINcLA/hlKG0nDpE9n233xEnXAgSISxq0/nVWbbx5A4"


def guide_machine() -> Machine:
    """The VM of the guide's example."""
    certifications = ("PCI DSS", "ISO 9001:2015", "ISO/IEC 27001:2022")
    return Machine(
        id="0x0000000000000000000000000000000000000001",
        name="vm-name",
        configuration=Configuration("guide", 2, 4096, 25_600, MicroUsdc(298_160)),
        datacenter=Datacenter(f"0x{5:064x}", "FR", "PAR", 1, 4, certifications),
        price=MicroUsdc(298_160),
        reserved=MicroUsdc(359_440),
        spent=MicroUsdc(17_846_000),
        created_at=datetime(2025, 4, 1, 16, 50, 57, tzinfo=UTC),
        next_billing_at=datetime(2025, 4, 16, 17, 59, 55, tzinfo=UTC),
        public_ip="154.42.3.159",
        os_image="https://cloud-images.ubuntu.com/releases/22.04/release/"
        "ubuntu-22.04-server-cloudimg-amd64.img",
    )


@pytest.fixture
def vm(world: World) -> Machine:
    return world.find("web-1")


async def listed(client: httpx.AsyncClient) -> dict[str, dict]:
    response = await client.get("/vms/v2")
    assert response.status_code == 200
    return {vm["vmName"]: vm for vm in response.json()}


async def delete(client: httpx.AsyncClient, path: str, body: object) -> httpx.Response:
    return await client.request("DELETE", path, json=body)


async def test_the_guides_example_to_the_letter() -> None:
    """A VM like the guide's encodes to the guide's JSON: names, types, order."""
    world = build_world(seed=0, vms=0, epoch=timedelta(hours=24), now=datetime.now(UTC))
    world.adopt(guide_machine())
    expected = json.dumps(json.loads(GUIDE.read_text("utf-8")), separators=(",", ":"))
    assert expected == fleet_payload(world).decode()


async def test_the_list_is_over_http_what_it_is_in_memory(
    client: httpx.AsyncClient, world: World
) -> None:
    """JSON in the body, every VM in it."""
    response = await client.get("/vms/v2")
    assert fleet_payload(world) == response.content
    assert response.headers["content-type"] == "application/json"
    assert len(response.json()) == 6


async def test_wire_types(client: httpx.AsyncClient) -> None:
    """Price an integer, balances strings, times with nine decimals, ids in mixed case."""
    for vm in (await listed(client)).values():
        assert isinstance(vm["pricePerEpoch"], int)
        assert vm["reservedBalance"].isdigit()
        assert vm["totalSpent"].isdigit()
        assert re.fullmatch(r"\+00\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", vm["nextBillingAt"])
        assert re.fullmatch(r"0x[0-9a-fA-F]{40}", vm["id"])


async def test_the_list_follows_the_world(
    client: httpx.AsyncClient, world: World, clock: SettableClock
) -> None:
    """A kept element is not kept longer than the VM is the same, nor is one that is gone."""
    before = await listed(client)
    clock.set(world.find("web-1").next_billing_at)
    world.vanish("db-2")
    world.terminate("ci-3")
    after = await listed(client)
    assert tuple(v["web-1"]["reservedBalance"] for v in (before, after)) == ("306980", "0")
    assert {"db-2", "ci-3"} == before.keys() - after.keys()


async def test_patch_replaces_ports_and_name(client: httpx.AsyncClient, vm: Machine) -> None:
    """What is left out is closed; the id's case does not matter; 204 without a body."""
    ports = [{"port": 9000, "protocol": "tcp"}, {"port": 53, "protocol": "UDP"}]
    body = {"id": vm.id.lower(), "vmName": "renamed", "openPorts": ports}
    response = await client.patch("/vms/v2", json=body)
    assert (response.status_code, response.content) == (204, b"")
    expected = [{"port": 53, "protocol": "udp"}, {"port": 9000, "protocol": "tcp"}]
    assert expected == (await listed(client))["renamed"]["ports"]


async def test_patch_of_the_name_keeps_the_ports(client: httpx.AsyncClient, vm: Machine) -> None:
    """The guide's first scenario."""
    before = (await listed(client))["web-1"]["ports"]
    await client.patch("/vms/v2", json={"id": vm.id, "vmName": "renamed"})
    assert before == (await listed(client))["renamed"]["ports"]


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (404, {"id": "0x01"}),
        (422, {"openPorts": [{"port": 10_250, "protocol": "tcp"}]}),
        (422, {"openPorts": [{"port": 0, "protocol": "tcp"}]}),
        (422, {"openPorts": [{"port": 70_000, "protocol": "tcp"}]}),
        (422, {"openPorts": [{"port": 80, "protocol": "gopher"}]}),
        (422, {"openPorts": ["22/tcp"]}),
        (422, {"vmName": " "}),
    ],
)
async def test_patch_refuses_with_an_error_text(
    client: httpx.AsyncClient, world: World, vm: Machine, status: int, change: dict
) -> None:
    response = await client.patch("/vms/v2", json={"id": vm.id} | change)
    assert status == response.status_code
    assert isinstance(response.json()["error"], str)
    assert vm is world.find("web-1")


async def test_a_body_that_is_no_json(client: httpx.AsyncClient) -> None:
    """400, with the same shape of error."""
    response = await client.patch("/vms/v2", content=b"{")
    assert response.status_code == 400
    assert response.json()["error"]


async def test_delete_removes_the_vm(client: httpx.AsyncClient, world: World, vm: Machine) -> None:
    """200 and gone; a second time nothing matches."""
    balance = world.balance
    assert (await delete(client, "/vms/v3", {"vmId": vm.id})).status_code == 200
    assert "web-1" not in await listed(client)
    assert balance + vm.reserved == world.balance
    again = await delete(client, "/vms/v3", {"vmId": vm.id})
    assert again.status_code == 422
    assert again.json()["error"]


async def test_a_terminated_vm_can_be_deleted(
    client: httpx.AsyncClient, world: World, vm: Machine
) -> None:
    """It is not shown any more, but its money can be freed."""
    world.terminate("web-1")
    assert (await delete(client, "/vms/v3", {"vmId": vm.id})).status_code == 200


async def test_ssh_key_is_added_once(client: httpx.AsyncClient) -> None:
    """201 then 200, `public_key` in the answer, with the fingerprint that the guide gives."""
    body = {"name": "first", "publicKey": GUIDE_KEY}
    new = await client.post("/ssh_keys", json=body)
    known = await client.post("/ssh_keys", json=body | {"name": "second"})
    expected = {
        "active": True,
        "algorithm": "ssh-ed25519",
        "comment": "folex@mac.local",
        "fingerprint": GUIDE_FINGERPRINT,
        "name": "first",
        "public_key": GUIDE_KEY,
    }
    assert (201, expected) == (new.status_code, new.json())
    assert (200, expected) == (known.status_code, known.json())


async def test_ssh_keys_are_listed_and_removed(client: httpx.AsyncClient) -> None:
    """`publicKey` in the list, with the time of its adding; gone after the delete."""
    await client.post("/ssh_keys", json={"name": "first", "publicKey": GUIDE_KEY})
    seeded, added = (await client.get("/ssh_keys")).json()
    assert seeded["name"] == "laptop"
    expected = {
        "name": "first",
        "fingerprint": GUIDE_FINGERPRINT,
        "algorithm": "ssh-ed25519",
        "comment": "folex@mac.local",
        "publicKey": GUIDE_KEY,
        "active": True,
        "createdAt": "+002025-04-16T12:00:00.000000000Z",
    }
    assert expected == added
    removal = {"fingerprint": GUIDE_FINGERPRINT}
    assert (await delete(client, "/ssh_keys", removal)).status_code == 200
    assert [seeded] == (await client.get("/ssh_keys")).json()
    assert (await delete(client, "/ssh_keys", removal)).status_code == 404


@pytest.mark.parametrize(
    "line",
    ["", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIKgJ", "rot13 abc"],
)
async def test_what_is_no_key_is_refused(client: httpx.AsyncClient, line: str) -> None:
    response = await client.post("/ssh_keys", json={"name": "bad", "publicKey": line})
    assert response.status_code == 422


@pytest.mark.parametrize("accepted", AcceptedAuth)
@pytest.mark.parametrize(
    ("header", "value", "fits"),
    [
        ("X-API-KEY", "simulator", {AcceptedAuth.BOTH, AcceptedAuth.X_API_KEY}),
        ("Authorization", "Bearer simulator", {AcceptedAuth.BOTH, AcceptedAuth.BEARER}),
        ("Authorization", "simulator", set()),
        ("X-API-KEY", "wrong", set()),
        ("X-Other", "simulator", set()),
    ],
)
async def test_the_key_is_needed(
    world: World,
    clock: SettableClock,
    accepted: AcceptedAuth,
    header: str,
    value: str,
    fits: set[AcceptedAuth],
) -> None:
    """403 with an error, unless an accepted header carries the key."""
    world.accepted_auth = accepted
    transport = httpx.ASGITransport(create_app(world, clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as stranger:
        response = await stranger.get("/vms/v2", headers={header: value})
    assert (200 if accepted in fits else 403) == response.status_code
    assert accepted in fits or response.json()["error"]


@pytest.mark.parametrize(("status", "path"), [(404, "/nowhere"), (405, "/vms/v3"), (404, "/docs")])
async def test_other_routes(client: httpx.AsyncClient, status: int, path: str) -> None:
    """An unknown path or method is an error in the API's shape; there are no docs pages."""
    response = await client.get(path)
    assert status == response.status_code
    assert response.json()["error"]


async def test_a_large_fleet_is_quick_the_second_time() -> None:
    """Listing again costs a fraction of making every VM's JSON."""
    now = datetime(2025, 4, 16, tzinfo=UTC)
    world = build_world(seed=1, vms=2_000, epoch=timedelta(hours=24), now=now)
    transport = httpx.ASGITransport(create_app(world, SettableClock(now)))
    headers = {"X-API-KEY": "simulator"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as client:
        seconds = []
        for _ in range(4):
            start = perf_counter()
            response = await client.get("/vms/v2", headers=headers)
            seconds.append(perf_counter() - start)
    assert len(response.json()) == 2_000
    assert min(seconds[1:]) < seconds[0]


async def test_some_vms_have_a_bandwidth(client: httpx.AsyncClient) -> None:
    """Beside what the guide shows; a client must not mind."""
    listed = (await client.get("/vms/v2")).json()
    kinds = {tuple(each["type"] for each in vm["resources"]) for vm in listed}
    assert {"NETWORK_BANDWIDTH" in each for each in kinds} == {True, False}
