"""What the market asks: exact amounts, by place and percentage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import World
from fluence_watch.simulator.catalog import CONFIGURATIONS, DATACENTERS
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.market import STORAGE, PriceList, asked
from fluence_watch.simulator.market_actions import Market

PARIS, VILNIUS = DATACENTERS[0], DATACENTERS[-1]
SMALL = CONFIGURATIONS[0]


def test_the_first_place_asks_the_catalogs_prices() -> None:
    """A world that nobody changed."""
    prices = PriceList(100)
    assert [size.price for size in CONFIGURATIONS] == [
        prices.vm(size, PARIS) for size in CONFIGURATIONS
    ]
    assert (960, 96_000) == (prices.storage(PARIS), prices.address(PARIS))


@pytest.mark.parametrize(
    ("percent", "vm", "gb", "address"),
    [
        (100, 260_933, 816, 81_600),
        (80, 208_746, 653, 65_280),  # 208 746.4 and 652.8
        (250, 652_333, 2_040, 204_000),  # 652 332.5
        (1, 2_609, 8, 816),
    ],
)
def test_a_cheaper_place(percent: int, vm: int, gb: int, address: int) -> None:
    """Both percentages count, and only the product is rounded."""
    prices = PriceList(percent)
    seen = prices.vm(SMALL, VILNIUS), prices.storage(VILNIUS), prices.address(VILNIUS)
    assert (vm, gb, address) == seen


@pytest.mark.parametrize(
    ("kind", "replicated", "expected"),
    [("NVME", True, 2_400), ("SSD", False, 720), ("HDD", False, 288), ("HDD", True, 720)],
)
def test_kinds_of_storage(kind: str, replicated: bool, expected: int) -> None:  # noqa: FBT001 - a row
    assert expected == PriceList(100).storage(PARIS, kind, replicated=replicated)


def test_places_differ() -> None:
    """Each place has a price of its own, and some are cheaper than the first."""
    percents = [place.percent for place in DATACENTERS]
    assert 100 == percents[0]
    assert len(percents) == len(set(percents))
    assert 85 <= min(percents) < 100 < max(percents) <= 120


@given(
    st.integers(0, 10**9),
    st.integers(1, 10_000),
    st.integers(1, 10_000),
    st.sampled_from([*STORAGE]),
)
def test_a_price_is_off_by_half_a_micro_usdc_at_most(
    price: int, market: int, place: int, kind: str
) -> None:
    """However many percentages are applied."""
    percents = market, place, STORAGE[kind]
    exact = price * market * place * STORAGE[kind]
    assert 2 * abs(exact - asked(MicroUsdc(price), *percents) * 10**6) <= 10**6


@pytest.mark.parametrize("percent", [0, -5, 10_001])
def test_a_market_that_cannot_be(world: World, percent: int) -> None:
    """Nothing is free, and nothing is paid for being taken."""
    with pytest.raises(RefusedError):
        Market(percent).apply(world)
    assert 100 == world.market_percent


def test_what_runs_keeps_its_price(world: World) -> None:
    before = {machine.id: machine.price for machine in world.listed()}
    Market(50).apply(world)
    assert (50, before) == (
        world.market_percent,
        {machine.id: machine.price for machine in world.listed()},
    )
