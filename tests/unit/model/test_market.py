from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.billing import EPOCHS, HOURS, METERED, EpochBilling
from fluence_watch.model.charge import VM
from fluence_watch.model.market import (
    GIB,
    GoingPrice,
    Market,
    Quote,
    going_price,
    offers_of,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm

PARIS, WARSAW, VILNIUS = "FR-PAR-1", "PL-WAW-1", "LT-VNO-1"
PLAN, SSD, V4, A100 = "cpu-2-ram-4gb", "SSD", "V4", "1 x a100 80gi sxm, 14 vCPU, 119gi, 582gi"
CLUSTER = "00000000-0000-4000-8000-000000000001"
GB = 10**9


def vm_quote(
    place: str, per_day: Decimal | int, gib: int | None = 25, more: Decimal | int | None = 960
) -> Quote:
    storage, extra = None if gib is None else gib * GIB, None if more is None else Decimal(more)
    return Quote(VM, PLAN, place, Decimal(per_day), storage, extra)


def quote(kind: Kind, plan: str, place: str, per_day: Decimal | int) -> Quote:
    return Quote(kind, plan, place, Decimal(per_day))


def market(*quotes: Quote) -> Market:
    return Market(offers_of(quotes), {CLUSTER: PARIS})


def sized(vm: Vm, gib: int | None = 25, plan: str | None = PLAN) -> Vm:
    return replace(vm, plan=plan, storage_bytes=None if gib is None else gib * GIB)


DISK = Resource(
    Kind.DISK, "d", "data", "ready", MicroUsdc(1_000), size_bytes=100 * GB, location=CLUSTER, plan=SSD
)  # fmt: skip
ADDRESS = Resource(Kind.PUBLIC_IP, "a", "ip", "ready", MicroUsdc(4_000), location=CLUSTER, plan=V4)
GPU = Resource(
    Kind.GPU_CONTAINER, "g", "train", "ACTIVE", MicroUsdc(1_220_000), location="US", plan=A100
)


@pytest.mark.parametrize(
    ("quotes", "here", "elsewhere", "best_place"),
    [
        ([(PARIS, 200)], 200, None, None),
        ([(WARSAW, 200)], None, 200, WARSAW),
        ([(PARIS, 200), (WARSAW, 100), (VILNIUS, 150)], 200, 100, WARSAW),
        ([(PARIS, 100), (WARSAW, 300), (VILNIUS, 200)], 100, 200, VILNIUS),
        ([(PARIS, 300), (PARIS, 100), (PARIS, 200)], 100, None, None),
        ([(PARIS, 0)], 0, None, None),
        ([(WARSAW, 0), (PARIS, 5)], 5, 0, WARSAW),
        ([(PARIS.lower(), 200)], None, 200, PARIS.lower()),
        ([("", 200)], None, 200, ""),
    ],
)
def test_places(
    web: Vm,
    quotes: Sequence[tuple[str, int]],
    here: int | None,
    elsewhere: int | None,
    best_place: str | None,
) -> None:
    """The cheapest quote of its own place, and the cheapest of all others."""
    asked = market(*(vm_quote(*each) for each in quotes))
    assert GoingPrice(MicroUsdc(298_160), PARIS, here, elsewhere, best_place) == going_price(
        asked, sized(web)
    )


def test_a_vm_whose_place_is_unknown(web: Vm) -> None:
    """All that is offered is elsewhere."""
    lost = replace(sized(web), datacenter=None)
    going = going_price(market(vm_quote(PARIS, 5), vm_quote(WARSAW, 7)), lost)
    assert going
    assert (None, None, 5, PARIS) == (going.place, going.here, going.elsewhere, going.best_place)


@pytest.mark.parametrize(
    "changes",
    [
        {"price": None},
        {"plan": None},
        {"plan": ""},
        {"plan": "cpu-2-ram-8gb"},
        {"status": Status.TERMINATED},
        {"storage_bytes": None},
    ],
    ids=str,
)
def test_vms_without_a_going_price(web: Vm, changes: dict[str, object]) -> None:
    """An unknown price, plan or size, a plan that nobody offers, one that is not billed."""
    offered = [vm_quote(PARIS, 100), Quote(VM, "", PARIS, Decimal(1))]
    assert going_price(market(*offered), replace(sized(web), **changes)) is None


@pytest.mark.parametrize(
    ("gib", "quotes", "here"),
    [
        (25, [(100, 25, 960)], 100),
        (25, [(100, 25, None)], 100),
        (20, [(100, 25, None)], 100),
        (35, [(100, 25, 960)], 9_700),
        (35, [(100, 25, None)], None),
        (35, [(100, None, None)], 100),
        (None, [(100, None, None)], 100),
        (None, [(100, 25, 960)], None),
        (100, [(100, 25, None), (150, 100, None)], 150),
        (100, [(100, 25, 1), (200, 100, None)], 175),
        (100, [(100, 25, 2), (200, 100, None)], 200),
        (25, [(100, 25, 960), (150, 100, None)], 100),
        (25, [(150, 25, 960), (100, 100, None)], 100),
        (35, [(100, 25, 960), (90, 25, None)], 9_700),
    ],
)
def test_storage(
    web: Vm, gib: int | None, quotes: Sequence[tuple[int, int | None, int | None]], here: int | None
) -> None:
    """What is beyond that of the plan costs by the GiB; without a price for it nobody offers it."""
    going = going_price(market(*(vm_quote(PARIS, *each) for each in quotes)), sized(web, gib))
    assert here == (going and going.here)


def test_a_place_that_offers_too_little(web: Vm) -> None:
    """Does not count; the others do."""
    quotes = vm_quote(PARIS, 1, more=None), vm_quote(WARSAW, 100)
    going = going_price(market(*quotes), sized(web, 26))
    assert going
    assert (None, 1_060, WARSAW) == (going.here, going.elsewhere, going.best_place)


@pytest.mark.parametrize(
    ("per_day", "here"),
    [("100.5", 100), ("101.5", 102), ("100.51", 101), ("0.5", 0), ("1.4999999999999999999", 1)],
)
def test_rounding(web: Vm, per_day: str, here: int) -> None:
    """Once, half to even, after the storage is added."""
    going = going_price(market(vm_quote(PARIS, Decimal(per_day))), sized(web))
    assert going
    assert here == going.here
    half = Decimal("0.25")
    more = going_price(market(vm_quote(PARIS, Decimal(per_day) - half, more=half)), sized(web, 26))
    assert more
    assert here == more.here


@pytest.mark.parametrize(
    ("thing", "quotes", "going"),
    [
        (DISK, [(SSD, PARIS, "200.004"), (SSD, WARSAW, 100)], (24_000, PARIS, 20_000, 10_000, WARSAW)),
        (DISK, [("SSD replicated", PARIS, 1), (SSD, WARSAW, 100)], (24_000, PARIS, None, 10_000, WARSAW)),
        (replace(DISK, size_bytes=0), [(SSD, PARIS, 200)], (24_000, PARIS, 0, None, None)),
        (replace(DISK, size_bytes=GB // 2), [(SSD, PARIS, 3)], (24_000, PARIS, 2, None, None)),
        (replace(DISK, location="odd"), [(SSD, "odd", 1)], (24_000, "odd", 100, None, None)),
        (replace(DISK, location=None), [(SSD, PARIS, 1)], (24_000, None, None, 100, PARIS)),
        (ADDRESS, [(V4, PARIS, 96_000), (V4, WARSAW, 97_000)], (96_000, PARIS, 96_000, 97_000, WARSAW)),
        (GPU, [(A100, "US", 30_000_000), (A100, "FI", 24_000_000)], (29_280_000, "US", 30_000_000, 24_000_000, "FI")),
    ],
)  # fmt: skip
def test_resources(
    thing: Resource,
    quotes: Sequence[tuple[str, str, Decimal | int]],
    going: tuple[int, str | None, int | None, int | None, str | None],
) -> None:
    """Disks by the GB of 10**9 bytes, whatever the billing of VMs; a cluster by the name of its place."""
    asked = market(*(quote(thing.kind, *each) for each in quotes))
    for billing in (EPOCHS, HOURS, METERED):
        assert GoingPrice(*going) == going_price(asked, thing, billing)


@pytest.mark.parametrize(
    "thing",
    [
        replace(DISK, size_bytes=None),
        replace(DISK, price=None),
        replace(DISK, status_word="removed"),
        replace(DISK, plan=None),
        replace(GPU, status_word="ENDED"),
        replace(GPU, kind=Kind.GPU_VM),
        replace(ADDRESS, plan="V6"),
    ],
)
def test_resources_without_a_going_price(thing: Resource) -> None:
    """One of unknown size, price or type, one that is over; what is asked for another kind."""
    offered = market(
        quote(Kind.DISK, SSD, PARIS, 1),
        quote(Kind.DISK, "", PARIS, 1),
        quote(Kind.PUBLIC_IP, V4, PARIS, 1),
        quote(Kind.GPU_CONTAINER, A100, "US", 1),
    )
    assert going_price(offered, thing) is None


def test_the_billing_of_vms(web: Vm) -> None:
    """A price of an hour is compared for a day; an epoch is a day, also where the simulator's is short."""
    vm, asked = sized(web, None), market(vm_quote(PARIS, 100, None))
    for billing, per_day in (
        (EPOCHS, 298_160), (EpochBilling(timedelta(minutes=3)), 298_160), (METERED, 24 * 298_160),
    ):  # fmt: skip
        going = going_price(asked, vm, billing)
        assert going
        assert per_day == going.per_day


def test_an_empty_market(web: Vm) -> None:
    """As it is before it was read."""
    assert going_price(Market(), sized(web)) is None


@pytest.mark.parametrize("thing", [DISK, replace(DISK, size_bytes=2**31 * GB)])
def test_amounts_that_are_none(web: Vm, thing: Resource) -> None:
    """What nobody would believe is no price; it stops nothing."""
    most = Decimal(2**63 - 1)
    assert going_price(market(quote(Kind.DISK, SSD, PARIS, most)), thing) is None
    large = replace(sized(web), storage_bytes=2**63 - 1)
    assert going_price(market(vm_quote(PARIS, 1, more=most)), large) is None
    assert going_price(market(vm_quote(PARIS, 24 * most)), sized(web)) is None


@pytest.mark.parametrize(
    ("per_day", "asked", "saving"),
    [(100, 90, 300), (100, 100, 0), (100, 110, 0), (100, None, 0), (100, 0, 3_000)],
)
def test_savings(per_day: int, asked: int | None, saving: int) -> None:
    """Of 30 days; nothing where the market asks more, or its price is unknown."""
    going = GoingPrice(MicroUsdc(per_day), PARIS, None, None, None)
    assert saving == going.saving(None if asked is None else MicroUsdc(asked))


@pytest.mark.parametrize(
    ("here", "elsewhere", "best"),
    [(1, 2, 1), (2, 1, 1), (0, 1, 0), (1, None, 1), (None, 1, 1), (None, None, None)],
)
def test_the_best(here: int | None, elsewhere: int | None, best: int | None) -> None:
    """The least that is known."""
    assert best == GoingPrice(MicroUsdc(5), PARIS, here, elsewhere, WARSAW).best


def test_quotes_of_the_same_storage() -> None:
    """Only the cheapest is kept."""
    dear, cheap = vm_quote(PARIS, 2), vm_quote(PARIS, 1)
    large = vm_quote(PARIS, 3, 100)
    assert {(VM, PLAN): {PARIS: [cheap, large]}} == offers_of([large, dear, cheap, dear])


amounts = st.decimals(0, 10**15, places=6, allow_nan=False, allow_infinity=False)
vm_quotes = st.lists(
    st.builds(
        vm_quote,
        st.sampled_from([PARIS, WARSAW, VILNIUS]),
        amounts,
        st.integers(1, 200) | st.none(),
        amounts | st.none(),
    ),
    min_size=1,
)
sizes = st.integers(1, 500)


def asked_of(web: Vm, quotes: Sequence[Quote], gib: int) -> GoingPrice | None:
    return going_price(market(*quotes), sized(web, gib))


@given(vm_quotes, sizes)
def test_the_best_is_no_dearer_and_saves_no_less(web: Vm, quotes: list[Quote], gib: int) -> None:
    """Than anything here or elsewhere; no saving is negative."""
    going = asked_of(web, quotes, gib)
    if going is None:
        return
    asked = [each for each in (going.here, going.elsewhere) if each is not None]
    assert going.best == min(asked)
    assert 0 <= min(map(going.saving, asked)) <= going.saving(going.best)
    assert (going.elsewhere is None) == (going.best_place is None)
    assert going.best_place != going.place


@given(vm_quotes, sizes, st.randoms(use_true_random=False))
def test_the_order_of_quotes_changes_nothing(
    web: Vm, quotes: list[Quote], gib: int, shuffle: object
) -> None:
    """Nor do quotes that are there twice, but for the name of a place that asks the same."""
    mixed = [*quotes, *quotes]
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = asked_of(web, quotes, gib), asked_of(web, mixed, gib)
    assert (one and (one.here, one.elsewhere)) == (other and (other.here, other.elsewhere))


@given(vm_quotes, vm_quotes, sizes)
def test_another_quote_makes_nothing_dearer(
    web: Vm, quotes: list[Quote], more: list[Quote], gib: int
) -> None:
    """Nor does it take a price away."""
    before, after = asked_of(web, quotes, gib), asked_of(web, quotes + more, gib)
    if before is not None:
        assert after is not None
        assert after.best <= before.best
        assert before.here is None or after.here <= before.here


@given(vm_quotes, sizes)
def test_doubling_every_quote(web: Vm, quotes: list[Quote], gib: int) -> None:
    """Doubles what is asked, but for what is rounded."""
    double = [
        each._replace(
            per_day=2 * each.per_day, more_storage=each.more_storage and 2 * each.more_storage
        )
        for each in quotes
    ]
    one, two = asked_of(web, quotes, gib), asked_of(web, double, gib)
    assert (one is None) is (two is None)
    if one and two:
        assert one.best is not None
        assert two.best is not None
        assert abs(two.best - 2 * one.best) <= 1


@given(vm_quotes, sizes, sizes)
def test_more_storage_is_never_cheaper(web: Vm, quotes: list[Quote], gib: int, more: int) -> None:
    """And what is offered with more is offered with less."""
    small, large = asked_of(web, quotes, gib), asked_of(web, quotes, gib + more)
    if large is not None:
        assert small is not None
        assert small.best <= large.best


@given(amounts, st.integers(1, 10_000), st.integers(1, 10_000))
def test_disks_add_up(per_gb: Decimal, one: int, other: int) -> None:
    """Two disks cost what one of their size costs, but for what is rounded."""
    asked = market(quote(Kind.DISK, SSD, PARIS, per_gb))
    prices = [
        going.here
        for size in (one, other, one + other)
        if (going := going_price(asked, replace(DISK, size_bytes=size * GB)))
    ]
    if len(prices) == 3:
        first, second, both = prices
        assert abs(first + second - both) <= 2
