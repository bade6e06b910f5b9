"""The list of `cloud`: its pages, what stands beside it, and maintenance."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest
import structlog.testing

from fluence_watch.errors import (
    ApiError,
    BodyTooLargeError,
    MaintenanceError,
    ServerError,
    UnauthorizedError,
    UnexpectedPayloadError,
    UnreachableError,
)
from fluence_watch.fluence import FluenceClient
from fluence_watch.model.ports import SSH, parse_port
from fluence_watch.simulator import World

Simulated = Callable[..., Awaitable[tuple[World, FluenceClient]]]
Json = Any

LISTS = Path(__file__).parents[2] / "fixtures" / "cloud" / "lists"
ONE = json.loads((LISTS / "one.json").read_bytes())
(GROUP,) = ONE["/v1/security_groups"]["items"]


class FakeCloud(Protocol):
    """What the tests use of the fixture `cloud`."""

    answers: dict[str, Json]
    asked: list[httpx.Request]

    def count(self, path: str) -> int:
        """How often the path was asked for."""

    def client(self, **config: Json) -> FluenceClient:
        """A client of it."""


def page(number: int, items: list[Json], pages: int, records: int) -> Json:
    return {
        "items": items,
        "pagination": {
            "currentPage": number,
            "perPage": 2,
            "totalPages": pages,
            "totalRecords": records,
            "filteredRecords": records,
        },
    }


def vm(number: int) -> Json:
    return {"id": f"vm-{number}"}


def paged(first: int, *pages: Json) -> Callable[[httpx.Request], Json]:
    """Pages that are numbered from `first` on; without a number the first is given."""

    def answer(request: httpx.Request) -> Json:
        return pages[int(request.url.params.get("page", first)) - first]

    return answer


@pytest.mark.parametrize("first", [0, 1])
async def test_pages_are_read_to_the_end(cloud: FakeCloud, first: int) -> None:
    """All pages are asked for, wherever the API begins to count, and kept in order."""
    pages = [page(first + n, [vm(2 * n), vm(2 * n + 1)], 6, 12) for n in range(6)]
    cloud.answers["/v2/vms"] = paged(first, *pages)

    async with cloud.client() as client:
        listing = await client.list_vms()

    assert [f"vm-{n}" for n in range(12)] == [each.id for each in listing.vms]
    assert (True, None) == (listing.complete, listing.incomplete_because)
    asked = [r.url.params for r in cloud.asked if r.url.path == "/v2/vms"]
    assert {("createdAt", "asc", "100")} == {(p["sort"], p["order"], p["perPage"]) for p in asked}


@pytest.mark.parametrize(("vms", "first_page"), [(0, 1), (100, 0), (201, 1)])
async def test_pages_of_the_simulator(simulated: Simulated, vms: int, first_page: int) -> None:
    """The same against an API that gives 100 at most, at the edges of its pages."""
    world, client = await simulated("cloud", vms=vms)
    world.first_page = first_page

    listing = await client.list_vms()

    assert listing.complete
    assert {machine.uuid for machine in world.listed()} == {each.id for each in listing.vms}
    assert all(each.ports is not None for each in listing.vms)


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        ([page(1, [vm(1), vm(2)], 2, 3), page(2, [vm(3)], 2, 4)], "changed while its pages"),
        ([page(1, [vm(1), vm(2)], 2, 4), page(2, [vm(2), vm(3)], 2, 4)], "is on two pages"),
        ([page(1, [vm(1), vm(2)], 2, 4), page(2, [vm(3)], 2, 4)], "announces 4 records and has 3"),
        ([page(1, [vm(1), vm(2)], 2, 4), page(1, [vm(3), vm(4)], 2, 4)], "other pages"),
        ([page(1, [vm(1)], 1, 2)], "announces 2 records and has 1"),
        ([page(1, [], 0, 1)], "announces 1 records and has 0"),
        ([page(1, [vm(1), vm(2), vm(3)], 1, 2)], "announces 2 records and has 3"),
    ],
)
async def test_pages_that_change_under_the_reader(
    cloud: FakeCloud, pages: list[Json], why: str
) -> None:
    """What does not add up is told, so that no VM counts as vanished; what came is given."""
    cloud.answers["/v2/vms"] = paged(1, *pages)

    async with cloud.client() as client:
        listing = await client.list_vms()

    assert why in (listing.incomplete_because or "")
    assert not listing.complete
    assert sum(len(each["items"]) for each in pages) == len(listing.vms)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([], UnexpectedPayloadError),
        ({"items": []}, UnexpectedPayloadError),
        (page(1, [], 10**6, 1), UnexpectedPayloadError),
        (page(1, [], -1, "1"), UnexpectedPayloadError),
        ({"items": {}, "pagination": page(1, [], 0, 0)["pagination"]}, UnexpectedPayloadError),
        ((401, "no"), UnauthorizedError),
    ],
)
async def test_no_list(cloud: FakeCloud, answer: Json, error: type[ApiError]) -> None:
    """A page that cannot be had or read costs the list."""
    cloud.answers["/v2/vms"] = answer

    with pytest.raises(error):
        await cloud.client().list_vms()


async def test_later_page_that_fails(cloud: FakeCloud) -> None:
    """A list that lacks a page is not given at all."""
    cloud.answers["/v2/vms"] = paged(1, page(1, [vm(1)], 3, 3), page(2, [vm(2)], 3, 3), (403, "no"))

    with pytest.raises(UnauthorizedError, match="no"):
        await cloud.client().list_vms()


async def test_bound_of_all_pages(cloud: FakeCloud) -> None:
    """Pages that are small each and too large together are refused."""
    big = [{"id": f"vm-{n}", "name": "x" * 600} for n in range(4)]
    cloud.answers["/v2/vms"] = paged(1, page(1, big[:2], 2, 4), page(2, big[2:], 2, 4))

    with pytest.raises(BodyTooLargeError, match="together"):
        await cloud.client(max_body_bytes=2000).list_vms()


async def test_pages_after_the_bound(cloud: FakeCloud) -> None:
    """Once the pages are too large together, the rest of them is not asked for."""
    pages = [page(1 + n, [{"id": f"vm-{n}", "name": "x" * 600}], 100, 100) for n in range(100)]
    cloud.answers["/v2/vms"] = paged(1, *pages)

    with pytest.raises(BodyTooLargeError, match="together"):
        await cloud.client(max_body_bytes=2000).list_vms()

    assert cloud.count("/v2/vms") < 12


async def test_nothing_is_decoded_twice(cloud: FakeCloud) -> None:
    """Between polls a VM stays one object, and clusters and datacenters are not asked for again."""
    async with cloud.client() as client:
        first, second = await client.list_vms(), await client.list_vms()

    assert first.vms[0] is second.vms[0]
    assert [2, 2, 1, 1] == [
        cloud.count(path)
        for path in ("/v2/vms", "/v1/security_groups", "/v1/clusters", "/v1/datacenters")
    ]


async def test_ports_follow_their_group(cloud: FakeCloud) -> None:
    """A change of a group is seen, though nothing of the VM itself changed."""
    async with cloud.client() as client:
        before = await client.list_vms()
        opened = GROUP | {"ingressRules": {"type": "allowAll"}}
        cloud.answers["/v1/security_groups"] = page(1, [opened], 1, 1)
        after = await client.list_vms()

    assert (SSH, parse_port("8000-8100/tcp")) == before.vms[0].ports
    assert (parse_port("all/any"),) == after.vms[0].ports


@pytest.mark.parametrize(
    ("path", "unknown"),
    [
        ("/v1/security_groups", {"ports"}),
        ("/v1/clusters", {"datacenter"}),
        ("/v1/datacenters", {"datacenter"}),
        ("/v1/service/status", set()),
    ],
)
@pytest.mark.parametrize("answer", [(403, "no"), {"items": 7}])
async def test_what_stands_beside_the_list(
    cloud: FakeCloud, path: str, unknown: set[str], answer: Json
) -> None:
    """What cannot be had beside the list is unknown of the VMs, and costs nobody the list."""
    cloud.answers[path] = answer

    async with cloud.client(timeout=0.3) as client:
        listing = await client.list_vms()

    (found,) = listing.vms
    assert listing.complete
    assert unknown == {name for name in ("ports", "datacenter") if getattr(found, name) is None}


async def test_what_is_missing_is_logged_once(cloud: FakeCloud) -> None:
    """A key that may not read groups does not fill the log: a line when it begins, and that is it."""
    cloud.answers["/v1/security_groups"] = (403, "no")
    with structlog.testing.capture_logs() as lines:
        async with cloud.client() as client:
            for _ in range(3):
                await client.list_vms()

    assert ["security groups"] == [line["what"] for line in lines]


async def test_datacenters_that_were_known(cloud: FakeCloud) -> None:
    """What failed once is asked for again at the next poll."""
    cloud.answers["/v1/clusters"] = (500, "broken")
    async with cloud.client(timeout=0.3) as client:
        before = await client.list_vms()
        cloud.answers["/v1/clusters"] = ONE["/v1/clusters"]
        after = await client.list_vms()

    assert [None, "FR-PAR-1"] == [
        each.vms[0].datacenter and each.vms[0].datacenter.name for each in (before, after)
    ]


async def test_list_in_maintenance(cloud: FakeCloud) -> None:
    """A list that comes while the API is worked on is not taken for whole."""
    cloud.answers["/v1/service/status"] = {"maintenanceMode": True, "version": "1"}

    async with cloud.client() as client:
        listing = await client.list_vms()

    assert 1 == len(listing.vms)
    assert "the API is in maintenance" == listing.incomplete_because


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        ({"maintenanceMode": True, "version": "1"}, MaintenanceError, "maintenance"),
        ({"maintenanceMode": False, "version": "1"}, ServerError, "server_error"),
        ((503, "down"), ServerError, "server_error"),
    ],
)
async def test_failure_in_maintenance(
    cloud: FakeCloud, status: Json, error: type[ApiError], reason: str
) -> None:
    """A failure is maintenance when the API says so, and else what it looks like."""
    cloud.answers |= {"/v2/vms": (503, "down"), "/v1/service/status": status}

    with pytest.raises(error, match="down") as caught:
        await cloud.client(timeout=0.3).list_vms()

    assert (reason, 503) == (caught.value.reason, caught.value.status)


async def test_maintenance_of_the_simulator(simulated: Simulated) -> None:
    """The same over a real connection."""
    world, client = await simulated("cloud", timeout=0.3)
    world.maintenance = True

    with pytest.raises(MaintenanceError):
        await client.list_vms()


async def test_status_that_hangs(cloud: FakeCloud) -> None:
    """An answer that never comes beside the list leaves the list as it is."""

    def hang(request: httpx.Request) -> Json:
        raise httpx.ReadTimeout("", request=request)

    cloud.answers |= {"/v1/service/status": hang, "/v1/security_groups": hang}
    async with cloud.client(timeout=0.3) as client:
        listing = await client.list_vms()
        with pytest.raises(UnreachableError):
            await client.service_status()

    assert [None] == [each.ports for each in listing.vms]


def with_fractions(value: Json) -> Json:
    """The same, with each whole number written with a fraction of zero."""
    if isinstance(value, dict):
        return {name: with_fractions(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_fractions(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


async def test_whole_numbers_with_a_fraction(cloud: FakeCloud) -> None:
    """`2.0` is 2, in pages, VMs, disks, ports of groups and places."""
    async with cloud.client() as client:
        expected = await client.list_vms()
    assert expected.vms
    for path, answer in cloud.answers.items():
        cloud.answers[path] = with_fractions(answer)
    async with cloud.client() as client:
        assert expected == await client.list_vms()
