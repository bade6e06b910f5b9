"""Everything that the simulator rents out has the going price of its market, in every dialect."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from fluence_watch.fluence import (
    ClientConfig,
    FluenceClient,
    GoingPrice,
    going_price,
)
from fluence_watch.fluence.dialects import DIALECTS
from fluence_watch.model.billing import METERED
from fluence_watch.model.resource import GPUS, Kind
from fluence_watch.simulator import World, build_world, create_app
from fluence_watch.simulator.actions import AddAddress, AddDisk, Deploy
from fluence_watch.simulator.catalog import CONFIGURATIONS, DATACENTERS, Datacenter
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu
from fluence_watch.simulator.gpu_plans import BASIC, HOME, offers
from fluence_watch.simulator.market import PriceList
from tests.unit.fluence.prices import (
    Json,
)

NOW = datetime(2025, 4, 16, 18, tzinfo=UTC)
PERCENT = 83


def world_of() -> World:
    """A metered world with VMs of all sizes, disks, an address and GPU instances of each kind."""
    world = build_world(seed=7, vms=8, epoch=timedelta(hours=24), now=NOW, metered=True)
    for size in CONFIGURATIONS:
        Deploy(f"new-{size.vcpus}", size.slug).apply(world)
    AddDisk("archive", gb=2_000).apply(world)
    AddAddress("spare").apply(world)
    for kind in GpuKind:
        AddGpu(f"a-{kind}", kind).apply(world)
    world.market_percent = PERCENT
    return world


def client_of(world: World, dialect: str, **config: Json) -> FluenceClient:
    app = create_app(world, lambda: NOW, dialect="all")
    settings = {"api_key": world.api_key, "base_url": "http://simulator", "dialect": dialect}
    return FluenceClient(
        ClientConfig(**settings | config), now=lambda: NOW, transport=httpx.ASGITransport(app)
    )


def expected(place: Datacenter, price: Callable[[Datacenter], int]) -> tuple[int, int, str]:
    """What a price list asks there, the least that it asks elsewhere, and where."""
    others = {name_of(each): price(each) for each in DATACENTERS if each != place}
    best = min(others, key=others.__getitem__)
    return price(place), others[best], best


def name_of(place: Datacenter) -> str:
    return f"{place.country}-{place.city}-{place.index}"


def parts(going: GoingPrice | None) -> tuple[int | None, int | None, str | None]:
    assert going
    return going.here, going.elsewhere, going.best_place


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_vms_of_the_simulator(dialect: str) -> None:
    """Each has the going price of its size, at its place and elsewhere."""
    world, prices = world_of(), PriceList(PERCENT)
    async with client_of(world, dialect) as client:
        market, vms = await client.market(), (await client.list_vms()).vms
        billing = client.billing or METERED

    assert {} == market.unknown
    assert len(world.listed()) == len(vms)
    machines = {machine.name: machine for machine in world.listed()}
    for vm in vms:
        machine = machines[vm.name or ""]
        size = machine.configuration
        assert expected(machine.datacenter, lambda place, size=size: prices.vm(size, place)) == (
            parts(going_price(market, vm, billing))
        )


async def test_resources_of_the_simulator() -> None:
    """Disks by their size, and addresses, in the places of their clusters."""
    world, prices = world_of(), PriceList(PERCENT)
    async with client_of(world, "cloud") as client:
        market = await client.market()
        disks, addresses = [
            (await client.list_resources(kind)).found for kind in (Kind.DISK, Kind.PUBLIC_IP)
        ]

    rentals = {each.uuid: each for each in world.rentals.values()}
    assert len(rentals) == len(disks) + len(addresses)
    for disk in disks:
        gb, place = rentals[disk.id].size_gb, rentals[disk.id].datacenter
        assert expected(place, lambda at, gb=gb: gb * prices.storage(at)) == parts(
            going_price(market, disk)
        )
    for address in addresses:
        going = going_price(market, address)
        assert expected(rentals[address.id].datacenter, prices.address) == parts(going)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", GPUS)
async def test_gpu_instances_of_the_simulator(dialect: str, kind: Kind) -> None:
    """Beside any dialect: the cheapest provider of a country."""
    async with client_of(world_of(), dialect, gpu=True) as client:
        market = await client.market()
        (instance,) = (await client.list_resources(kind)).found

    asked: dict[str, int] = {}
    for each in offers(PERCENT):
        if each.plan == BASIC:
            place = each.place.location
            asked[place] = min(24 * each.price, asked.get(place, 10**12))
    here = asked.pop(HOME.location)
    best = min(asked, key=asked.__getitem__)
    assert (here, asked[best], best) == parts(going_price(market, instance))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_gpu_plans_only_where_they_are_wanted(dialect: str) -> None:
    """An account without instances is not asked about them."""
    async with client_of(world_of(), dialect) as client:
        market = await client.market()
    assert GPUS
    assert not [kind for kind, _ in market.offers if kind in GPUS]
