"""The VMs of `cloud` page by page: the same as in one list, requested as they are wanted."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest

from fluence_watch.errors import (
    ApiError,
    MaintenanceError,
    RefusedError,
    ServerError,
    UnauthorizedError,
    UnexpectedPayloadError,
)
from fluence_watch.fluence import FluenceClient
from fluence_watch.simulator import World

Json = Any
Simulated = Callable[..., Awaitable[tuple[World, FluenceClient]]]


class FakeCloud(Protocol):
    """What the tests use of the fixture `cloud`."""

    answers: dict[str, Json]

    def count(self, path: str) -> int:
        """How often the path was asked for."""

    def client(self, **config: Json) -> FluenceClient:
        """A client of it."""


def page(number: int, names: str, pages: int = 3, records: int = 5) -> Json:
    """A page with a VM for each letter."""
    totals = {"totalRecords": records, "filteredRecords": records}
    return {
        "items": [{"id": name} for name in names],
        "pagination": {"currentPage": number, "perPage": 2, "totalPages": pages, **totals},
    }


def answer(cloud: FakeCloud, *pages: Json) -> None:
    """Let the API give these pages, counted from 0."""
    cloud.answers["/v2/vms"] = lambda request: pages[int(request.url.params.get("page", 0))]


WHOLE = (page(0, "ab"), page(1, "cd"), page(2, "e"))


async def test_each_page_is_a_listing(cloud: FakeCloud) -> None:
    """In their order, with nothing left out, and requested when it is wanted."""
    answer(cloud, *WHOLE)
    read = []
    async with cloud.client() as client:
        async for each in client.vm_pages():
            read.append("".join(vm.id for vm in each.vms))
            assert each.complete
            assert len(read) == cloud.count("/v2/vms")

    assert ["ab", "cd", "e"] == read
    assert [1, 1] == [cloud.count(path) for path in ("/v1/security_groups", "/v1/clusters")]


@pytest.mark.parametrize(("vms", "sizes"), [(0, [0]), (100, [100]), (201, [100, 100, 1])])
async def test_they_add_up_to_the_list(simulated: Simulated, vms: int, sizes: list[int]) -> None:
    """With the ports and the places that the list has, also at the edges of pages."""
    _, client = await simulated("cloud", vms=vms)

    whole = await client.list_vms()
    pages = [each async for each in client.vm_pages()]

    assert sizes == [len(each.vms) for each in pages]
    assert whole.vms == tuple(vm for each in pages for vm in each.vms)
    assert all(vm.ports is not None and vm.datacenter for vm in whole.vms)


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (page(2, "e", records=6), "changed while its pages were read"),
        (page(2, "d"), "an id is on two pages"),
        (page(2, "ef"), "announces 5 records and has 6"),
        (page(1, "e"), "other pages than requested"),
    ],
)
async def test_pages_that_change_under_the_reader(cloud: FakeCloud, last: Json, why: str) -> None:
    """The last one says what does not add up."""
    answer(cloud, *WHOLE[:2], last)
    async with cloud.client() as client:
        *others, end = [each async for each in client.vm_pages()]

    assert [None, None] == [each.incomplete_because for each in others]
    assert why in (end.incomplete_because or "")
    assert not end.complete


@pytest.mark.parametrize(
    ("broken", "error"),
    [((403, "no"), UnauthorizedError), ((500, "no"), ServerError), (b"{", UnexpectedPayloadError)],
)
async def test_a_page_that_fails(cloud: FakeCloud, broken: Json, error: type[ApiError]) -> None:
    """What came before it was given; it and what follows is not."""
    answer(cloud, WHOLE[0], broken, WHOLE[2])
    async with cloud.client(timeout=0.3) as client:
        pages = client.vm_pages()
        assert ["a", "b"] == [vm.id for vm in (await anext(pages)).vms]
        with pytest.raises(error):
            await anext(pages)
        assert [] == [each async for each in pages]


async def test_pages_need_not_fit_together(cloud: FakeCloud) -> None:
    """Each alone is bounded, since nobody holds them all."""
    names = {"ab": "x" * 500, "cd": "y" * 500, "e": "z" * 500}
    pages = [page(number, each) for number, each in enumerate(names)]
    for each, long in zip(pages, names.values(), strict=True):
        each["items"][0]["name"] = long
    answer(cloud, *pages)
    async with cloud.client(max_body_bytes=1000) as client:
        assert 5 == sum([len(each.vms) async for each in client.vm_pages()])


async def test_a_bad_element_stands_in_its_page(cloud: FakeCloud) -> None:
    pages = [page(0, "ab"), page(1, "cd"), page(2, "e")]
    pages[1]["items"][1]["vcpu"] = "many"
    answer(cloud, *pages)
    async with cloud.client() as client:
        rejected = [each.rejected async for each in client.vm_pages()]

    assert [[], ["[1].vcpu"], []] == [[each.where for each in some] for some in rejected]


async def test_pages_in_maintenance(cloud: FakeCloud) -> None:
    """None of them is taken for whole, and one that fails is no surprise."""
    answer(cloud, WHOLE[0], (503, "down"))
    cloud.answers["/v1/service/status"] = {"maintenanceMode": True, "version": "1"}
    async with cloud.client(timeout=0.3) as client:
        pages = client.vm_pages()
        assert "the API is in maintenance" == (await anext(pages)).incomplete_because
        with pytest.raises(MaintenanceError, match="down"):
            await anext(pages)


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_dialects_without_pages(simulated: Simulated, dialect: str) -> None:
    """One listing, with everything."""
    _, client = await simulated(dialect, vms=201)

    assert [await client.list_vms()] == [each async for each in client.vm_pages()]


async def test_the_wrong_dialect(simulated: Simulated) -> None:
    """The error has the same hint as that of the whole list."""
    _, client = await simulated("cloud", spoken="v3")

    with pytest.raises(RefusedError, match='try dialect = "auto"'):
        await anext(client.vm_pages())
