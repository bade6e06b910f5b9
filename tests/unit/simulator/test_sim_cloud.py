"""Dialect `cloud`: VMs, pages, what belongs to a VM, keys, errors."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from fluence_watch.simulator import SettableClock, World
from fluence_watch.simulator.machine import State, in_state

Speak = Callable[..., httpx.AsyncClient]
KEY_LINE = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKgJIjnDg1DjqOOxINs78oU3f7PJXIyq9uiNocNVhXNx ada@home"
)


@pytest_asyncio.fixture
async def cloud(
    speak: Speak, world: World, clock: SettableClock
) -> AsyncIterator[httpx.AsyncClient]:
    async with speak(world, clock, "cloud") as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **query: object) -> Any:  # noqa: ANN401 - JSON
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def names(client: httpx.AsyncClient, **query: object) -> list[str]:
    return [vm["name"] for vm in (await get(client, "/v2/vms", **query))["items"]]


async def test_pages(cloud: httpx.AsyncClient, world: World) -> None:
    """Every VM is on one page, in order; what is told of the pages is right."""
    pages = [await get(cloud, "/v2/vms", page=page, perPage=4) for page in (1, 2, 3)]
    assert [4, 2, 0] == [len(page["items"]) for page in pages]
    listed = [vm["name"] for page in pages for vm in page["items"]]
    assert [machine.name for machine in world.listed()] == listed
    expected = {
        "totalRecords": 6, "filteredRecords": 6, "totalPages": 2, "currentPage": 2, "perPage": 4,
    }  # fmt: skip
    assert expected == pages[1]["pagination"]


async def test_the_first_page_may_be_zero(cloud: httpx.AsyncClient, world: World) -> None:
    """The API does not publish the number of its first page, so a world may count from 0."""
    world.first_page = 0
    first, second = [await get(cloud, "/v2/vms", page=page, perPage=4) for page in (0, 1)]
    assert [4, 2] == [len(page["items"]) for page in (first, second)]
    assert first == await get(cloud, "/v2/vms", perPage=4)
    assert 0 == first["pagination"]["currentPage"]


@pytest.mark.parametrize(("asked", "given"), [(None, 20), (0, 20), (7, 7), (5_000, 100)])
async def test_the_size_of_a_page(cloud: httpx.AsyncClient, asked: int | None, given: int) -> None:
    """A usual size, and a largest one, whatever is asked for."""
    query = {} if asked is None else {"perPage": asked}
    assert given == (await get(cloud, "/v2/vms", **query))["pagination"]["perPage"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "WEB-_"}, ["web-1"]),
        ({"name": "%-3"}, ["ci-3"]),
        ({"status[0]": "terminated", "status[1]": "suspended"}, ["web-1", "db-2"]),
        ({"status": "terminated"}, ["web-1"]),
        ({"status": "launched", "excludeStatus": "launched"}, []),
        ({"name": "%", "sort": "name", "order": "desc", "perPage": 2}, ["worker-5", "web-1"]),
        ({"sort": "name", "perPage": 2, "page": 2}, ["db-2", "dns-6"]),
    ],
)
async def test_filters_and_order(
    cloud: httpx.AsyncClient, world: World, query: dict, expected: list[str]
) -> None:
    """Filters, brackets, ILIKE; pages are those of what passes, in the order that is wished."""
    world.terminate("web-1")
    world.put(in_state(world.find("db-2"), State.STOPPED, world.now))
    assert expected == await names(cloud, **query)


async def test_filtered_records_are_fewer(cloud: httpx.AsyncClient, world: World) -> None:
    wanted = [world.find("web-1").uuid, world.find("ci-3").uuid]
    page = await get(cloud, "/v2/vms", **{"ids[0]": wanted[0], "ids[1]": wanted[1]})
    counts = page["pagination"]["totalRecords"], page["pagination"]["filteredRecords"]
    assert (6, 2, wanted) == (*counts, [vm["id"] for vm in page["items"]])


@pytest.mark.parametrize(
    ("path", "query", "count"),
    [
        ("/v1/storages", {"storageType": "NVMe"}, 6),
        ("/v1/storages", {"storageType": "HDD"}, 0),
        ("/v1/storages", {"excludeStatus[0]": "removed", "status[0]": "ready"}, 6),
        ("/v1/storages", {"excludeAttached": "true"}, 0),
        ("/v1/storages", {"excludeAttached": "false"}, 6),
        ("/v1/public_ips", {"addressType": "V4", "name": "web%"}, 1),
        ("/v1/public_ips", {"addressType": "V6"}, 0),
        ("/v1/security_groups", {"status": "ready"}, 6),
        ("/v1/ssh_keys", {"ids[]": "00000000-0000-0000-0000-000000000000"}, 0),
    ],
)
async def test_filters_of_other_lists(
    cloud: httpx.AsyncClient, path: str, query: dict, count: int
) -> None:
    """Each list knows those parameters that it publishes."""
    assert count == len((await get(cloud, path, **query))["items"])


async def test_vms_of_a_cluster_and_an_address(cloud: httpx.AsyncClient, world: World) -> None:
    """By the ids of what they belong to and what belongs to them."""
    vm = (await get(cloud, "/v2/vms", name="ci-3"))["items"][0]
    place = world.find("ci-3").datacenter
    expected = [machine.name for machine in world.listed() if machine.datacenter == place]
    assert expected == await names(cloud, clusterId=vm["clusterId"])
    assert ["ci-3"] == await names(cloud, publicIpId=vm["publicIp"])


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v2/vms", {"page": "x"}),
        ("/v2/vms", {"perPage": "-1"}),
        ("/v2/vms", {"sort": "price"}),
        ("/v2/vms", {"sort": "name", "order": "up"}),
        ("/v2/vms", {"expand": "everything"}),
        ("/v2/vms", {"expand[0]": "everything", "name": "nobody"}),
        ("/v2/vms", {"order": "up"}),
        ("/v2/vms", {"sort": "CreatedAt"}),
        ("/v2/vms", {"status": "active"}),
        ("/v2/vms", {"excludeStatus[0]": "terminated", "excludeStatus[1]": "removed"}),
        ("/v1/storages", {"status[]": "launched"}),
        ("/v1/storages", {"excludeStatus": "gone"}),
        ("/v1/storages", {"storageType": "NVME"}),  # the parameter is NVMe, though disks say NVME
        ("/v1/storages", {"excludeAttached": "yes"}),
        ("/v1/public_ips", {"status": "updating"}),
        ("/v1/public_ips", {"excludeStatus[0]": "Removed"}),
        ("/v1/public_ips", {"addressType": "V5"}),
        ("/v1/security_groups", {"status": "open"}),
        ("/v1/billing/charges/total", {"resourceType": "GPU"}),
        ("/v1/billing/charges/aggregated", {}),
        ("/v1/billing/charges/aggregated", {"startDate": "2025-04-01"}),
        ("/v1/billing/charges/aggregated", {"startDate": "2025-04-02", "endDate": "2025-04-01"}),
        ("/v1/billing/charges/total", {"startDate": "yesterday"}),
        (
            "/v1/billing/charges/aggregated",
            {"startDate": "2025-04-01", "endDate": "2025-04-02", "groupBy": "MOOD"},
        ),
    ],
)
async def test_wrong_parameters(cloud: httpx.AsyncClient, path: str, query: dict) -> None:
    """400, with the code for it."""
    response = await cloud.get(path, params=query)
    assert (400, "bad_request") == (response.status_code, response.json()["code"])


async def test_a_page_can_change_under_the_reader(cloud: httpx.AsyncClient) -> None:
    """A VM of the first page vanishes before the second is read: one is read by nobody."""
    plan = {"request": 2, "action": "vanish", "body": {"vm": "web-1"}}
    assert (await cloud.post("/_control/before", json=plan)).status_code == 204
    seen = [name for page in (1, 2) for name in await names(cloud, page=page, perPage=3)]
    assert ["web-1", "db-2", "ci-3", "worker-5", "dns-6"] == seen


async def test_a_vm_alone_has_no_plan(cloud: httpx.AsyncClient, world: World) -> None:
    """The list tells the plan of a VM, its own address does not; all else is the same."""
    listed = (await get(cloud, "/v2/vms", name="web-1"))["items"][0]
    alone = await get(cloud, f"/v2/vms/{world.find('web-1').uuid.upper()}")
    plan = {"configurationName", "configurationSlug", "vcpu", "ramGb"}
    assert plan == listed.keys() - alone.keys()
    assert alone == {key: listed[key] for key in alone}
    assert (2, 4, "cpu-regular-2vcpu-4gb") == tuple(
        listed[key] for key in ("vcpu", "ramGb", "configurationSlug")
    )


async def test_expansion_saves_requests(cloud: httpx.AsyncClient, world: World) -> None:
    """What is attached comes along in full, the same as when it is asked for itself."""
    wanted = ("bootDisk", "dataDisks", "publicIp", "subnets", "sshKeys", "networkInterfaces")
    query = {f"expand[{number}]": name for number, name in enumerate(wanted)}
    vm = (await get(cloud, "/v2/vms", name="web-1", **query))["items"][0]
    full = vm["expanded"]
    assert set(wanted) == full.keys()
    assert full["bootDisk"] == await get(cloud, f"/v1/storages/{vm['bootDisk']}")
    ips = await get(cloud, "/v1/public_ips", ids=vm["publicIp"])
    assert ([full["publicIp"]], world.find("web-1").public_ip) == (
        ips["items"],
        full["publicIp"]["address"],
    )
    assert full["networkInterfaces"] == await get(cloud, f"/v2/vms/{vm['id']}/interfaces")
    assert vm["sshKeys"] == [key["id"] for key in full["sshKeys"]]
    assert 25 == full["bootDisk"]["volumeGb"]


async def test_the_way_to_a_place(cloud: httpx.AsyncClient, world: World) -> None:
    """VM, cluster, datacenter."""
    vm = (await get(cloud, "/v2/vms", name="web-1"))["items"][0]
    clusters = {each["id"]: each for each in (await get(cloud, "/v1/clusters"))["items"]}
    places = {each["id"]: each for each in (await get(cloud, "/v1/datacenters"))["items"]}
    place, expected = places[clusters[vm["clusterId"]]["dcId"]], world.find("web-1").datacenter
    assert (expected.country, expected.city, expected.index, expected.tier) == tuple(
        place[key] for key in ("countryCode", "cityCode", "index", "tier")
    )


async def test_rename(cloud: httpx.AsyncClient, world: World) -> None:
    """The VM in its new form is the answer."""
    path = f"/v2/vms/{world.find('web-1').uuid}"
    response = await cloud.patch(path, json={"name": "front"})
    assert (200, "front") == (response.status_code, response.json()["name"])
    assert world.find("front").ports


@pytest.mark.parametrize(
    ("name", "is_fine"),
    [
        ("a", True),
        ("9", True),
        ("web-1", True),
        ("-", True),
        ("n" * 25, True),
        ("n" * 26, False),
        ("", False),
        (" ", False),
        ("Web", False),
        ("web_1", False),
        ("web.example", False),
        ("web 1", False),
        ("web\n", False),
        ("wéb", False),
        ("web-\u0661", False),
    ],
)
async def test_names(cloud: httpx.AsyncClient, world: World, name: str, is_fine: bool) -> None:  # noqa: FBT001 - a row
    """Lowercase letters, digits and hyphens, 1 to 25; a refusal says so and changes nothing."""
    machine = world.find("db-2")
    response = await cloud.patch(f"/v2/vms/{machine.uuid}", json={"name": name})
    if is_fine:
        assert (200, name) == (response.status_code, response.json()["name"])
        return
    assert (422, "unprocessable_entity") == (response.status_code, response.json()["code"])
    assert "1 to 25 lowercase letters, digits and hyphens" in response.json()["error"]
    assert "db-2" == world.owned(machine.id).name


@pytest.mark.parametrize("body", [{"name": "Old Name"}, {"name": None}, {}])
async def test_a_name_from_before_the_rule_stays(
    cloud: httpx.AsyncClient, world: World, body: dict
) -> None:
    """It was given in another way; only a new one has to follow the rule."""
    machine = world.find("web-1")
    world.update(machine.id, name="Old Name")
    response = await cloud.patch(f"/v2/vms/{machine.uuid}", json=body)
    assert (200, "Old Name") == (response.status_code, response.json()["name"])


async def test_termination(cloud: httpx.AsyncClient, world: World) -> None:
    """The reserve returns, the VM stays in the list without what belonged to it; once only."""
    machine, before = world.find("web-1"), world.balance
    path = f"/v2/vms/{machine.uuid}"
    response = await cloud.post(f"{path}/terminate")
    ended = response.json()
    assert (200, "terminated", []) == (
        response.status_code,
        ended["status"],
        ended["allowedActions"],
    )
    assert before + machine.reserved == world.balance
    assert (None, None, []) == (ended["bootDisk"], ended["publicIp"], ended["networkInterfaces"])
    assert "web-1" in await names(cloud)
    assert "web-1" not in await names(cloud, **{"excludeStatus[0]": "terminated"})
    assert ended == await get(cloud, path)
    again = await cloud.post(f"{path}/terminate")
    assert (406, "not_acceptable") == (again.status_code, again.json()["code"])
    assert 406 == (await cloud.patch(path, json={"name": "x"})).status_code
    assert [] == await get(cloud, f"{path}/interfaces")


async def test_what_the_provider_ended(
    cloud: httpx.AsyncClient, world: World, clock: SettableClock
) -> None:
    """It tells when; when its money ended it, that was at the boundary that was not paid."""
    world.drain("web-1")
    clock.advance(timedelta(days=3))
    vm = (await get(cloud, "/v2/vms", name="web-1"))["items"][0]
    assert ("terminated", vm["paidUntil"]) == (vm["status"], vm["terminatedAt"])
    assert 5 == len((await get(cloud, "/v1/storages"))["items"])


async def test_ssh_keys(cloud: httpx.AsyncClient, world: World) -> None:
    """Added once, listed, removed."""
    body = {"name": "home", "publicKey": KEY_LINE}
    key = (await cloud.post("/v1/ssh_keys", json=body)).json()
    twice = await cloud.post("/v1/ssh_keys", json=body)
    assert (409, "conflict") == (twice.status_code, twice.json()["code"])
    assert key in (await get(cloud, "/v1/ssh_keys"))["items"]
    removed = await cloud.delete(f"/v1/ssh_keys/{key['id']}")
    assert (200, key) == (removed.status_code, removed.json())
    assert (await cloud.delete(f"/v1/ssh_keys/{key['id']}")).status_code == 404
    assert 1 == len(world.ssh_keys)


@pytest.mark.parametrize(
    "headers", [{}, {"X-API-KEY": "wrong"}, {"Authorization": "Bearer simulator"}]
)
async def test_only_x_api_key(cloud: httpx.AsyncClient, headers: dict) -> None:
    """401, with the code for it; a bearer token is for other people's tokens."""
    del cloud.headers["X-API-KEY"]
    response = await cloud.get("/v2/vms", headers=headers)
    assert (401, "unauthorized") == (response.status_code, response.json()["code"])


async def test_maintenance(cloud: httpx.AsyncClient) -> None:
    """503 everywhere, and the status, which needs no key, says why; then all is well again."""
    answers = []
    for on in (True, False):
        assert (await cloud.post("/_control/maintenance", json={"on": on})).status_code == 204
        status = await cloud.get("/v1/service/status", headers={"X-API-KEY": ""})
        vms = await cloud.get("/v2/vms")
        answers.append((status.json()["maintenanceMode"], vms.status_code, vms.json().get("code")))
    assert [(True, 503, "service_unavailable"), (False, 200, None)] == answers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/vms/nobody"),
        ("GET", "/v1/storages/nothing"),
        ("DELETE", "/v1/ssh_keys/nothing"),
        ("PATCH", "/v1/security_groups/nothing"),
        ("GET", "/v1/nowhere"),
        ("GET", "/v1/prices"),
    ],
)
async def test_what_is_not_there(cloud: httpx.AsyncClient, method: str, path: str) -> None:
    response = await cloud.request(method, path, json={})
    assert (404, "not_found") == (response.status_code, response.json()["code"])
