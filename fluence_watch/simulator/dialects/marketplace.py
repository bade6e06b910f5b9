"""`POST /marketplace/offers`, the same in `v2` and `v3`: what the market asks, by place and size.

Source: Fluence guide, "Find compute resources on the marketplace". Every filter is optional, and
no match is an empty list. Amounts are decimal USDC for an epoch. Disks grow by the GiB, up to a
limit for each VM.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.model.money import MicroUsdc, micro_from_decimal
from fluence_watch.simulator.catalog import (
    CONFIGURATIONS,
    DATACENTERS,
    HARDWARE,
    Configuration,
    Datacenter,
    Hardware,
)
from fluence_watch.simulator.dialects.amounts import decimal
from fluence_watch.simulator.dialects.plain import datacenter_json
from fluence_watch.simulator.dialects.view import answer, read
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.market import PriceList
from fluence_watch.simulator.world import World

_GIB_IN_MB: Final = 1024
_EXTRA: Final = {"type": "NVMe"}
_EXTRA_LIMIT: Final = 2_000  # GiB for a VM
_SERVERS: Final = ((64, 4_000), (32, 1_500))  # cores, and GiB to spare
_CORES_PERCENT: Final = 60  # of what is left of a price after its disk and address
_Description = dict[str, str]


class _Disk(Struct):
    """More storage: `megabytes`, or `supply` in GiB."""

    type: str
    megabytes: Annotated[int, Meta(ge=0)] = 0
    supply: Annotated[int, Meta(ge=0)] = 0

    @property
    def gib(self) -> int:
        return self.supply + -(-self.megabytes // _GIB_IN_MB)


class _Extra(Struct):
    storage: list[_Disk] | None = None


class _Parts(Struct):
    cpu: list[_Description] | None = None
    memory: list[_Description] | None = None
    storage: list[_Description] | None = None


class _Place(Struct):
    countries: list[str] | None = None


class Wanted(Struct, rename="camel"):
    """The filters."""

    basic_configuration: str | None = None
    additional_resources: _Extra | None = None
    hardware: _Parts | None = None
    datacenter: _Place | None = None
    max_total_price_per_epoch_usd: str | None = None


def offers_route(world: World) -> Route:
    """The endpoint."""

    async def offers(request: Request) -> Response:
        wanted, prices = await read(request, Wanted), PriceList(world.market_percent)
        return answer([_offer_json(prices, *each) for each in _fitting(wanted, prices)])

    return Route("/marketplace/offers", offers, methods=["POST"])


def _fitting(wanted: Wanted, prices: PriceList) -> Iterator[tuple[Configuration, Datacenter]]:
    most, extra = _most(wanted), _extra_gib(wanted)
    if extra is None:
        return
    for place, size in product(DATACENTERS, CONFIGURATIONS):
        total = prices.vm(size, place) + extra * prices.storage(place)
        if (
            wanted.basic_configuration in {None, size.slug}
            and _is_in(wanted.datacenter, place)
            and _has_parts(wanted.hardware, _hardware(place))
            and (most is None or total <= most)
        ):
            yield size, place


def _most(wanted: Wanted) -> MicroUsdc | None:
    text = wanted.max_total_price_per_epoch_usd
    try:
        return None if text is None else micro_from_decimal(text)
    except ValueError as error:
        raise RefusedError(f"maxTotalPricePerEpochUsd: {error}") from None


def _extra_gib(wanted: Wanted) -> int | None:
    """The storage that is wanted beyond the configuration; `None` if no server has it."""
    disks = (wanted.additional_resources or _Extra()).storage or []
    total = sum(disk.gib for disk in disks)
    is_there = all(disk.type == _EXTRA["type"] for disk in disks) and total <= _EXTRA_LIMIT
    return total if is_there else None


def _is_in(wanted: _Place | None, place: Datacenter) -> bool:
    countries = None if wanted is None else wanted.countries
    return countries is None or place.country in countries


def _has_parts(wanted: _Parts | None, hardware: Hardware) -> bool:
    parts = wanted or _Parts()
    return all(
        choices is None or any(choice.items() <= metadata.items() for choice in choices)
        for choices, metadata in (
            (parts.cpu, hardware.cpu.metadata),
            (parts.memory, hardware.ram.metadata),
            (parts.storage, hardware.storage.metadata),
        )
    )


def _hardware(place: Datacenter) -> Hardware:
    return HARDWARE[int(place.id, 16) % len(HARDWARE)]


def _offer_json(prices: PriceList, size: Configuration, place: Datacenter) -> dict[str, object]:
    extra = [_extra_json(prices, place, gib) for _, gib in _SERVERS]
    return {
        "configuration": {"slug": size.slug, "price": decimal(prices.vm(size, place))},
        "resources": _resources(prices, size, place),
        "datacenter": datacenter_json(place),
        "servers": [
            {"availableBasicInstances": cores // size.vcpus, "additionalResources": [each]}
            for (cores, _), each in zip(_SERVERS, extra, strict=True)
        ],
        "maxAdditionalSupply": [extra[0]],
    }


def _extra_json(prices: PriceList, place: Datacenter, gib: int) -> dict[str, object]:
    return {
        "supply": gib,
        "units": "GiB",
        "perVmLimit": _EXTRA_LIMIT,
        "type": "STORAGE",
        "metadata": _EXTRA,
        "price": decimal(prices.storage(place)),
    }


def _resources(
    prices: PriceList, size: Configuration, place: Datacenter
) -> Sequence[Mapping[str, object]]:
    """The parts of a configuration; together they cost its price."""
    hardware, address = _hardware(place), prices.address(place)
    disk = size.storage_mb // _GIB_IN_MB * prices.storage(place)
    rest = prices.vm(size, place) - disk - address
    cores = rest * _CORES_PERCENT // 100
    return [
        _resource("VCPU", hardware.cpu.metadata, cores),
        _resource("RAM", hardware.ram.metadata, rest - cores),
        _resource("STORAGE", hardware.storage.metadata, disk),
        _resource("PUBLIC_IP", {"version": "4"}, address),
    ]


def _resource(kind: str, metadata: Mapping[str, str | int], price: int) -> Mapping[str, object]:
    return {"type": kind, "metadata": metadata, "price": decimal(price)}
