"""Datacenters and their clusters. A datacenter has one cluster, and a VM belongs to a cluster."""

from collections.abc import Iterable
from typing import Final

from fluence_watch.simulator.catalog import DATACENTERS, Datacenter
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.world import World

_CITIES: Final = {
    "PAR": "Paris", "FRA": "Frankfurt", "WAW": "Warsaw", "NYC": "New York", "HEL": "Helsinki",
    "AMS": "Amsterdam", "VNO": "Vilnius",
}  # fmt: skip


def cluster_id(datacenter: Datacenter) -> str:
    """The id of a datacenter's cluster."""
    return uuid_of("cluster", datacenter.id)


def places(world: World) -> Iterable[Datacenter]:
    """The datacenters of the catalog, and those of all VMs."""
    used = (machine.datacenter for machine in world.machines.values())
    return dict.fromkeys((*DATACENTERS, *used))


def datacenter_json(datacenter: Datacenter) -> dict[str, object]:
    """A datacenter."""
    return {
        "id": uuid_of("datacenter", datacenter.id),
        "countryCode": datacenter.country,
        "cityCode": datacenter.city,
        "cityName": _CITIES.get(datacenter.city, datacenter.city),
        "index": datacenter.index,
        "tier": datacenter.tier,
        "certifications": datacenter.certifications,
        "slug": _slug(datacenter).lower(),
    }


def cluster_json(datacenter: Datacenter) -> dict[str, object]:
    """The cluster of a datacenter."""
    return {
        "id": cluster_id(datacenter),
        "name": _slug(datacenter),
        "dcId": uuid_of("datacenter", datacenter.id),
    }


def _slug(datacenter: Datacenter) -> str:
    return f"{datacenter.country}-{datacenter.city}-{datacenter.index}"
