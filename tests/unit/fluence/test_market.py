"""What the market asks, as the API tells it: as published, and how often it is requested."""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import httpx
import pytest

from fluence_watch.fluence import ClientConfig, FluenceClient, Quote
from fluence_watch.model.charge import VM
from fluence_watch.model.market import GIB
from fluence_watch.model.resource import Kind
from tests.unit.fluence.prices import (
    CLUSTER,
    CONTAINERS,
    COST,
    GPU_PLAN,
    LISTS,
    OFFERS,
    PARIS,
    PLACES,
    SIZE,
    STORAGE_PRICES,
    VM_PRICES,
    FakeCloud,
    Json,
    answers,
    container_plan,
    cost,
    costs,
    extra,
    items,
    market_of,
    offer,
    quotes,
    room,
    storage_price,
    vm_price,
)

SIX_HOURS = 6 * 3600.0
TEN_MINUTES = 600


async def test_published_prices_of_the_cloud(asking: FakeCloud) -> None:
    """A day's, exactly; clusters by their places; a disk's for a GB."""
    market = await market_of(asking)

    assert ({}, {CLUSTER.lower(): PARIS}) == (market.unknown, market.places)
    assert {
        VM: [Quote(VM, SIZE.lower(), PARIS, Decimal(480_000))],
        Kind.PUBLIC_IP: [Quote(Kind.PUBLIC_IP, "V4", PARIS, Decimal(96_000))],
        Kind.DISK: [Quote(Kind.DISK, "SSD", PARIS, Decimal(864))],
        Kind.GPU_CONTAINER: [Quote(Kind.GPU_CONTAINER, GPU_PLAN, "US", Decimal(29_280_000))],
        Kind.GPU_VM: [Quote(Kind.GPU_VM, GPU_PLAN, "US", Decimal(29_280_000))],
        Kind.GPU_BARE_METAL: [Quote(Kind.GPU_BARE_METAL, GPU_PLAN, "US", Decimal(29_280_000))],
    } == quotes(market)


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_published_offers(asking: FakeCloud, dialect: str) -> None:
    """An epoch's, with the storage that is part of it and what a GiB more costs."""
    market = await market_of(asking, dialect, gpu=False)

    expected = Quote(VM, "cpu-2-ram-4gb", PARIS, Decimal(500_000), 25 * GIB, Decimal(1_000))
    assert ({}, {VM: [expected]}) == (market.unknown, quotes(market))
    assert [("POST", OFFERS, b"{}")] == [
        (each.method, each.url.path, each.content) for each in asking.asked
    ]


async def test_what_is_asked_about_disks(asking: FakeCloud) -> None:
    """1,000 GB of each kind that is listed, once."""
    nvme = {"storageType": "NVME", "replicated": True}
    asking.answers[STORAGE_PRICES] = items(storage_price(), storage_price(**nvme), storage_price())
    asking.answers[COST] = costs(cost(), cost("0.00003", **nvme))
    market = await market_of(asking)

    (request,) = [each for each in asking.asked if each.url.path == COST]
    assert "POST" == request.method
    assert {"resources": [cost()["resource"], cost(**nvme)["resource"]]} == json.loads(
        request.content
    )
    assert {"SSD": 864, "NVME replicated": 2_592} == {
        each.plan: each.per_day for each in quotes(market)[Kind.DISK]
    }


async def test_no_kinds_of_disks(asking: FakeCloud) -> None:
    """Nothing is asked about them."""
    asking.answers[STORAGE_PRICES] = items()
    market = await market_of(asking)
    assert ({}, 0) == (market.unknown, asking.count(COST))
    assert Kind.DISK not in quotes(market)


@pytest.mark.parametrize("body", [items(), None, (500, "no"), b"{"], ids=str)
@pytest.mark.parametrize("path", PLACES)
async def test_places_that_are_unknown(asking: FakeCloud, path: str, body: Json) -> None:
    """Prices are those of clusters then, whose names disks and addresses have."""
    asking.answers[path] = body
    market = await market_of(asking)
    assert ({}, {}) == (market.unknown, market.places)
    assert {CLUSTER.lower()} == {each.place for each in quotes(market)[Kind.DISK]}


@pytest.mark.parametrize(
    ("changes", "more"),
    [
        ({"servers": room(0)}, ()),
        ({"servers": room(0, 0)}, ()),
        ({"servers": room(0, 1)}, [None]),
        ({"servers": room(None)}, [None]),
        ({"servers": [{}]}, [None]),
        ({"servers": []}, [None]),
        ({"servers": None}, [None]),
        ({"slug": "gpu-1-cpu-2"}, ()),
        ({"slug": "cpu-2-ram-4gb-storage-25gb-fast"}, ()),
        ({"slug": "cpu-٢-ram-4gb-storage-25gb"}, ()),
        ({"slug": ""}, ()),
    ],
    ids=range(11),
)
async def test_offers_that_do_not_count(
    asking: FakeCloud, changes: dict[str, Json], more: Iterable[None]
) -> None:
    """Those without room, and those of other things; neither is an error."""
    dear = offer(slug="cpu-64-ram-128gb-storage-25gb")
    asking.answers[OFFERS] = [offer(**changes), dear]
    market = await market_of(asking, "v3")
    assert "VM prices" not in market.unknown
    found = [each for each in quotes(market)[VM] if each.plan == "cpu-2-ram-4gb"]
    assert [*more] == [each.more_storage for each in found]


async def test_offers_of_which_none_is_understood(asking: FakeCloud) -> None:
    """Then what VMs cost is unknown, not nothing."""
    asking.answers[OFFERS] = [offer(slug="small"), offer(slug="large")]
    market = await market_of(asking, "v3")
    assert market.unknown["VM prices"].startswith("[0].configuration.slug: it is no configuration")


@pytest.mark.parametrize(
    ("extras", "more"),
    [
        ([extra()], 1_000),
        ([extra(units="gib")], 1_000),
        ([extra(price="0.0010005")], Decimal("1000.5")),
        ([extra(), extra(price="0.0005"), extra(price="0.002")], 500),
        ([extra(units="GB")], None),
        ([extra(units="bananas")], None),
        ([extra(units=None)], None),
        ([extra(type="PUBLIC_IP")], None),
        ([extra(price=None)], None),
        ([extra(price=""), extra()], 1_000),
        ([], None),
        (None, None),
    ],
    ids=range(12),
)
async def test_more_storage(asking: FakeCloud, extras: Json, more: Decimal | None) -> None:
    """The least that a GiB costs; what is of another unit is not known."""
    server = {"availableBasicInstances": 1, "additionalResources": extras}
    asking.answers[OFFERS] = [offer(servers=[server])]
    (quote,) = quotes(await market_of(asking, "v2"))[VM]
    assert more == quote.more_storage


async def test_more_storage_of_a_server_without_room(asking: FakeCloud) -> None:
    """It is not to be had."""
    servers = [
        {"availableBasicInstances": room, "additionalResources": [extra(price=price)]}
        for room, price in ((0, "0.0005"), (1, "0.001"), (None, "0.002"))
    ]
    asking.answers[OFFERS] = [offer(servers=servers)]
    (quote,) = quotes(await market_of(asking, "v2"))[VM]
    assert 1_000 == quote.more_storage


async def test_the_cheapest_of_several(asking: FakeCloud) -> None:
    """Of providers in one place; the others are elsewhere."""
    asking.answers[CONTAINERS] = [
        container_plan(1.3),
        container_plan(1.1, ["US", "FI"]),
        container_plan(1.2, ["NO"]),
    ]
    market = await market_of(asking)
    assert {"US": 26_400_000, "FI": 26_400_000, "NO": 28_800_000} == {
        each.place: each.per_day for each in quotes(market)[Kind.GPU_CONTAINER]
    }


# how often

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Let so many seconds pass for the client."""

    def pass_by(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time
        monkeypatch.setattr(loop, "time", lambda: before() + seconds)

    return pass_by


def counted(cloud: FakeCloud) -> Mapping[str, int]:
    """How often each path was asked for since the last time."""
    found: dict[str, int] = {}
    for request in cloud.asked:
        found[request.url.path] = found.get(request.url.path, 0) + 1
    cloud.asked.clear()
    return found


ONCE = dict.fromkeys([*LISTS, COST], 1)


async def test_how_often_it_is_requested(asking: FakeCloud, later: Later) -> None:
    """Every six hours, the places every hour."""
    places = dict.fromkeys(PLACES, 1)
    async with asking.client(gpu=True) as client:
        first = await client.market()
        assert ONCE | places == counted(asking)
        assert first == await client.market()
        assert {} == counted(asking)
        later(SIX_HOURS - 60)
        assert first == await client.market()
        assert places == counted(asking)
        later(60)
        asking.answers[VM_PRICES] = items(vm_price("0.03"))
        assert first != await client.market()
        assert ONCE == counted(asking)


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_how_often_offers_are_requested(
    asking: FakeCloud, later: Later, dialect: str
) -> None:
    """Every six hours too."""
    async with asking.client(dialect=dialect) as client:
        for seconds, requests in ((0, 1), (SIX_HOURS - 60, 0), (60, 1), (0, 0)):
            later(seconds)
            await client.market()
            assert requests == counted(asking).get(OFFERS, 0)


@pytest.mark.parametrize(
    ("status", "again"), [(401, False), (403, False), (404, True), (422, True)]
)  # again after ten minutes
@pytest.mark.parametrize("path", [OFFERS, COST, *LISTS])
async def test_how_often_it_is_refused(
    asking: FakeCloud,
    later: Later,
    path: str,
    status: int,
    again: bool,  # noqa: FBT001 - a column
) -> None:
    """A key without the permission is not tried for six hours; another refusal after ten minutes."""
    asking.answers[path] = (status, "no")
    async with asking.client(dialect="v3" if path == OFFERS else "cloud", gpu=True) as client:
        first = await client.market()
        counted(asking)
        assert first.unknown == (await client.market()).unknown
        assert 0 == counted(asking).get(path, 0)
        later(TEN_MINUTES)
        await client.market()
        assert int(again) == counted(asking).get(path, 0)
        later(SIX_HOURS)
        await client.market()
        assert 1 == counted(asking)[path]


async def test_a_flaw_is_no_failure(asking: FakeCloud) -> None:
    """What could be read is kept for six hours, and what is odd with it."""
    asking.answers[VM_PRICES] = items(vm_price(), 5)
    async with asking.client() as client:
        first = await client.market()
        assert (first, 1) == (await client.market(), asking.count(VM_PRICES))
    assert ["VM prices"] == [*first.unknown]


async def test_the_poll_and_the_market_at_once(asking: FakeCloud) -> None:
    """Places are requested once for both."""
    async with asking.client() as client:
        await asyncio.gather(client.list_vms(), client.market(), client.market())
    assert dict.fromkeys((*PLACES, VM_PRICES), 1) == {
        path: asking.count(path) for path in (*PLACES, VM_PRICES)
    }


async def test_all_lists_at_once() -> None:
    """They share the budget of one call: the offers come when GPU plans are asked for, not before."""
    known, begun = answers(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == OFFERS:
            await begun.wait()
        begun.set()
        body = json.dumps(known[request.url.path]).encode()
        return httpx.Response(200, stream=httpx.ByteStream(body))

    config = ClientConfig("k", dialect="v2", gpu=True, timeout=2.0)
    async with FluenceClient(config, transport=httpx.MockTransport(answer)) as client:
        assert {} == (await client.market()).unknown
