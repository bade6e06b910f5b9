"""Price lists in which something is odd: the rest is read."""

import json
from collections.abc import Callable
from decimal import Decimal

import pytest

from fluence_watch.model.charge import VM
from fluence_watch.model.resource import GPUS, Kind
from tests.unit.fluence.prices import (
    ADDRESS_PRICES,
    CONTAINERS,
    CONTROLS,
    COST,
    GPU_VMS,
    LISTS,
    MODEL,
    OFFERS,
    SERVERS,
    STORAGE_PRICES,
    VM_PRICES,
    FakeCloud,
    Json,
    address_price,
    container_plan,
    cost,
    extra,
    group,
    market_of,
    offer,
    pricing,
    quotes,
    room,
    sizes,
    storage_price,
    vm_price,
)

NOT_OBJECTS: list[tuple[Json, str]] = [
    (17, "[1]: Expected `object`"),
    (None, "[1]: Expected `object`"),
    ("two", "[1]: Expected `object`"),
    ([], "[1]: Expected `object`"),
    ({}, "[1]: Object missing required field"),
]
NO_AMOUNTS: list[tuple[Json, str]] = [
    ("-0.5", "a price is never negative"),
    ("1e9", "'1e9' is not a decimal amount"),
    ("", "'' is not a decimal amount"),
    ("NaN", "'NaN' is not a decimal amount"),
    ("٣", "'٣' is not a decimal amount"),
    ("9" * 40, "the amount is more than ten billion USD"),
    ("9" * 10**5, "'9999"),
    (CONTROLS, "'"),
    (0.5, "Expected `str`"),
    (None, "Expected `str`"),
    ([], "Expected `str`"),
]
NO_NUMBERS: list[tuple[Json, str]] = [
    (-1, "a price is never negative"),
    (10**30, "the amount is more than ten billion USD"),
    ("much", "Invalid decimal string"),
    (None, "Expected `decimal`"),
    ([], "Expected `decimal`"),
    ({}, "Expected `decimal`"),
    ("NaN", "NaN is not an amount"),
    ("1e999999999", "the amount is more than ten billion USD"),
]
Case = tuple[str, Json, str]


def priced(path: str, make: Callable[[Json], Json], at: str, odd: list[tuple[Json, str]]) -> list[Case]:  # fmt: skip
    return [(path, make(amount), f"[1]{at}: {why}") for amount, why in odd]


IN_ITEMS = (VM_PRICES, ADDRESS_PRICES, STORAGE_PRICES, COST)
PRICE = ".priceInfo.pricePerHourPerQty"
CASES: list[Case] = [
    *((path, *case) for path in (OFFERS, COST, *LISTS) for case in NOT_OBJECTS),
    *priced(OFFERS, lambda price: offer(price=price), ".configuration.price", NO_AMOUNTS),
    *priced(VM_PRICES, vm_price, PRICE, NO_AMOUNTS),
    *priced(ADDRESS_PRICES, address_price, PRICE, NO_AMOUNTS),
    *priced(COST, cost, ".costPerSec", NO_AMOUNTS),
    *priced(CONTAINERS, container_plan, ".plan.pricing.hour", NO_NUMBERS),
    (OFFERS, offer(slug=None), "[1].configuration.slug: Expected `str`"),
    (OFFERS, offer(datacenter=None), "[1].datacenter: Expected `object`"),
    (OFFERS, offer(datacenter={"countryCode": "FR"}), "[1].datacenter: Object missing"),
    (OFFERS, offer(servers={}), "[1].servers: Expected `array | null`"),
    (OFFERS, offer(servers=[None]), "[1].servers[0]: Expected `object`"),
    (
        OFFERS,
        offer(servers=[{"additionalResources": [extra(price="much")]}]),
        "[1].servers[].additionalResources[].price: 'much' is not",
    ),
    (
        OFFERS,
        offer(servers=room("many")),
        "[1].servers[0].availableBasicInstances: Expected `int | null`",
    ),
    (VM_PRICES, vm_price(clusterId=None), "[1].vmTypeId.clusterId: Expected `str`"),
    (VM_PRICES, vm_price(vmConfigurationId=5), "[1].vmTypeId.vmConfigurationId: Expected `str`"),
    (ADDRESS_PRICES, address_price(addressType=4), "[1].publicIpTypeId.addressType: Expected"),
    (STORAGE_PRICES, storage_price(replicated="no"), "[1].storageTypeId.replicated: Expected"),
    (STORAGE_PRICES, storage_price(storageType=None), "[1].storageTypeId.storageType: Expected"),
    (COST, cost(gb=0), "[1].resource.storage.volume_gb: it is not a size"),
    (COST, cost(gb=-1), "[1].resource.storage.volume_gb: it is not a size"),
    (COST, cost(gb="1"), "[1].resource.storage.volume_gb: Expected `int`"),
    (COST, {"resource": {"vm": {}}, "costPerSec": "1"}, "[1].resource: Object missing"),
    (CONTAINERS, container_plan(pricing=None), "[1].plan.pricing: Expected `object`"),
    (CONTAINERS, container_plan(supply=[]), "[1].plan.supply: Expected `object | null`"),
    (CONTAINERS, container_plan(places=["US", None]), "[1].attributes.location[1]: Expected"),
    *(
        (path, element, f"[1].{why}")
        for path in (GPU_VMS, SERVERS)
        for element, why in (
            (group("much"), "availability_by_number[0].options[0].pricing.hour: Invalid"),
            (group(-1), "pricing.hour: a price is never negative"),
            (group(gpus=None), "availability_by_number[0].gpu_count: Expected `int`"),
            (group(location=None), "availability_by_number[0].options[0].location: Expected"),
            (group(vcpu={"count": "14"}), "availability_by_number[0].options[0].vcpu.count"),
            ({"gpu_model": MODEL, "availability_by_number": {}}, "availability_by_number: Expected"),
        )
    ),
]  # fmt: skip


def with_second(answer: Json, *elements: Json) -> Json:
    """The list with these elements after its first, and the first once more after them."""
    if isinstance(answer, list):
        return [answer[0], *elements, answer[0]]
    (name,) = (name for name in ("items", "costOfResources", "data") if name in answer)
    first = answer[name][0]
    return {**answer, name: [first, *elements, first]}


@pytest.mark.parametrize(("path", "element", "why"), CASES, ids=range(len(CASES)))
async def test_one_bad_element(asking: FakeCloud, path: str, element: Json, why: str) -> None:
    """It is a flaw that names its position; those before and after it are read, and all else."""
    dialect = "v3" if path == OFFERS else "cloud"
    before = await market_of(asking, dialect)
    asking.answers[path] = with_second(asking.answers[path], element)
    market = await market_of(asking, dialect)

    assert before.offers == market.offers
    ((what, flaw),) = market.unknown.items()
    assert {OFFERS: "VM prices", COST: "disk prices", **LISTS}[path] == what
    assert flaw.startswith(why)
    assert flaw.isprintable()
    assert len(flaw) < 300


@pytest.mark.parametrize("path", [OFFERS, COST, *LISTS])
async def test_several_bad_elements(asking: FakeCloud, path: str) -> None:
    """The first is named, and how many more there are."""
    asking.answers[path] = with_second(asking.answers[path], 5, {}, None)
    market = await market_of(asking, "v2" if path == OFFERS else "cloud")
    (flaw,) = market.unknown.values()
    assert flaw.startswith("[1]: Expected `object`")
    assert flaw.endswith(", and 2 more")


@pytest.mark.parametrize(
    "element",
    [
        container_plan(places=None),
        container_plan(places=[]),
        container_plan(supply=None),
        container_plan(gpu_model=None),
        container_plan(supply={"gpu_count": 1}),
        container_plan(supply=sizes()),
        container_plan(gpu_model={"model": "a100"}),
        {"plan": {"pricing": pricing()}},
    ],
    ids=range(8),
)
async def test_gpu_plans_without_a_part(asking: FakeCloud, element: Json) -> None:
    """They are nobody's price, and no error, unless there are no others."""
    asking.answers[CONTAINERS] = [element, container_plan()]
    market = await market_of(asking)
    assert ({}, 1) == (market.unknown, len(quotes(market)[Kind.GPU_CONTAINER]))
    asking.answers[CONTAINERS] = [element]
    (*why,) = (await market_of(asking)).unknown.values()
    assert [] == [each for each in why if "a part of what it offers is missing" not in each]


@pytest.mark.parametrize(
    ("number", "per_day"),
    [("1.22", 29_280_000), ("1", 24_000_000), ("0", 0), ("1.22e0", 29_280_000), ("1e-12", "0.000024")],
)  # fmt: skip
async def test_numbers_are_exact(asking: FakeCloud, number: str, per_day: Decimal) -> None:
    """JSON numbers are read as they are written, never through a float."""
    body = json.dumps([container_plan(12345)]).replace("12345", number)
    asking.answers[CONTAINERS] = body.encode()
    (quote,) = quotes(await market_of(asking))[Kind.GPU_CONTAINER]
    assert Decimal(per_day) == quote.per_day


async def test_names_full_of_controls(asking: FakeCloud) -> None:
    """A name is data, kept as it is; who shows it makes it harmless."""
    asking.answers[CONTAINERS] = [container_plan(places=[CONTROLS])]
    asking.answers[OFFERS] = [
        offer(datacenter={"countryCode": CONTROLS, "cityCode": "PAR", "cityIndex": 1})
    ]
    market = await market_of(asking, "v2")
    assert {} == {name: why for name, why in market.unknown.items() if not why.isprintable()}
    assert {CONTROLS, f"{CONTROLS}-PAR-1"} <= {
        each.place for found in quotes(market).values() for each in found
    }


@pytest.mark.parametrize("path", [OFFERS, COST, *LISTS])
@pytest.mark.parametrize("cut", [0, 1, 15, -1])
async def test_a_list_that_ends_early(asking: FakeCloud, path: str, cut: int) -> None:
    """What came of it could be anything, so it is unknown; the others are known."""
    asking.answers[path] = json.dumps(asking.answers[path]).encode()[:cut]
    await only_unknown(asking, path, "body: not ")


@pytest.mark.parametrize(
    "body", [{}, {"items": None}, "text", 5, b"[" * 100_000, b"\xff"], ids=range(6)
)
@pytest.mark.parametrize("path", [OFFERS, COST, *LISTS])
async def test_what_is_no_list(asking: FakeCloud, path: str, body: Json) -> None:  # fmt: skip
    """It is unknown too."""
    asking.answers[path] = body
    await only_unknown(asking, path, "body")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 500, 503])
@pytest.mark.parametrize("path", [OFFERS, COST, *LISTS])
async def test_a_list_that_is_refused(asking: FakeCloud, path: str, status: int) -> None:
    """That list is unknown, for a reason that names the status, and nothing else."""
    asking.answers[path] = (status, "no")
    await only_unknown(asking, path, str(status))


async def only_unknown(asking: FakeCloud, path: str, why: str) -> None:
    """Nothing but this list is unknown, for that reason."""
    market = await market_of(asking, "v2" if path == OFFERS else "cloud", timeout=0.3)
    ((what, told),) = market.unknown.items()
    assert {OFFERS: "VM prices", COST: "disk prices", **LISTS}[path] == what
    assert why in told
    kinds = {VM, *GPUS} if path == OFFERS else {VM, Kind.DISK, Kind.PUBLIC_IP, *GPUS}
    missing = {"VM prices": VM} | {f"{kind.word} prices": kind for kind in Kind}
    assert kinds - {missing[what]} == quotes(market).keys()


@pytest.mark.parametrize(("path", "what"), [(VM_PRICES, "VM"), (CONTAINERS, "GPU container")])
async def test_implausibly_many_prices(asking: FakeCloud, path: str, what: str) -> None:
    """Each would be compared at each poll."""
    one = asking.answers[path]
    many = one * 10_001 if isinstance(one, list) else {"items": one["items"] * 10_001}
    asking.answers[path] = many
    market = await market_of(asking)
    assert "prices are implausible" in market.unknown[f"{what} prices"]
