"""`POST /v1/prices/cost`: what a set of resources would cost, a second and over a period."""

from typing import Annotated

from msgspec import Meta, Struct

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.catalog import CONFIGURATIONS, Configuration, Datacenter
from fluence_watch.simulator.dialects.amounts import for_a_second, for_seconds
from fluence_watch.simulator.dialects.cloud.configurations import configuration_id
from fluence_watch.simulator.dialects.cloud.paging import Item
from fluence_watch.simulator.dialects.cloud.places import cluster_id, places
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.market import STORAGE, PriceList
from fluence_watch.simulator.world import World

_HOUR_SECONDS = 3_600
_Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _VmType(Struct, rename="camel"):
    vm_configuration_id: str
    cluster_id: str


class _StorageType(Struct, rename="camel"):
    storage_type: str
    replicated: bool
    cluster_id: str


class _AddressType(Struct, rename="camel"):
    address_type: str
    cluster_id: str


class _Vm(Struct):
    resource_id: _VmType


class _Storage(Struct):
    resource_id: _StorageType
    volume_gb: _Count


class _PublicIp(Struct):
    resource_id: _AddressType


class Priced(Struct, rename="camel", omit_defaults=True):
    """A resource that is asked about: one of the three."""

    vm: _Vm | None = None
    storage: _Storage | None = None
    public_ip: _PublicIp | None = None


class CostRequest(Struct):
    """What is asked about. The period is an hour by default."""

    resources: list[Priced]
    secs: _Count | None = None


def cost_json(world: World, wanted: CostRequest) -> Item:
    """The cost of each resource a second, and of all in the period.

    Raises:
        RefusedError: the market has no such thing, or a resource is not exactly one thing.
    """
    seconds = _HOUR_SECONDS if wanted.secs is None else wanted.secs
    prices = [_price(world, each) for each in wanted.resources]
    total = MicroUsdc(sum(prices))
    return {
        "costOfResources": [
            {"resource": each, "costPerSec": for_a_second(price, world.epoch)}
            for each, price in zip(wanted.resources, prices, strict=True)
        ],
        "totalCostPerSec": for_a_second(total, world.epoch),
        "periodSecs": seconds,
        "totalCost": for_seconds(total, world.epoch, seconds),
    }


def _price(world: World, wanted: Priced) -> MicroUsdc:
    prices = PriceList(world.market_percent)
    match wanted:
        case Priced(vm=_Vm(asked), storage=None, public_ip=None):
            return prices.vm(_size(asked), _place(world, asked.cluster_id))
        case Priced(vm=None, storage=_Storage(kind, volume), public_ip=None):
            return MicroUsdc(volume * _gigabyte(world, prices, kind))
        case Priced(vm=None, storage=None, public_ip=_PublicIp(address)):
            if address.address_type != "V4":
                raise RefusedError(f"the market has no addresses {address.address_type!r:.20}")
            return prices.address(_place(world, address.cluster_id))
        case _:
            raise RefusedError("a resource is one of vm, storage and publicIp")


def _gigabyte(world: World, prices: PriceList, kind: _StorageType) -> MicroUsdc:
    if kind.storage_type not in STORAGE:
        raise RefusedError(f"the market has no storage {kind.storage_type!r:.20}")
    place = _place(world, kind.cluster_id)
    return prices.storage(place, kind.storage_type, replicated=kind.replicated)


def _size(wanted: _VmType) -> Configuration:
    for size in CONFIGURATIONS:
        if configuration_id(size) == wanted.vm_configuration_id.lower():
            return size
    raise RefusedError(f"no configuration {wanted.vm_configuration_id!r:.60}")


def _place(world: World, wanted: str) -> Datacenter:
    for place in places(world):
        if cluster_id(place) == wanted.lower():
            return place
    raise RefusedError(f"no cluster {wanted!r:.60}")
