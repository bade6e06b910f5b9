"""Disks (`GET /v1/storages`) and addresses (`GET /v1/public_ips`), read to the end.

Each has its own `priceHourlyUsd`, to the nearest micro-USDC, and is billed until it is removed.
The price of a VM does not contain them. Sizes are in GB of 10**9 bytes.
"""

from collections.abc import Callable
from sys import intern
from typing import Final

import msgspec

from fluence_watch.fluence.dialects.cloud.pages import read_pages
from fluence_watch.fluence.dialects.elements import Resources, read_each
from fluence_watch.fluence.dialects.parts import (
    Id,
    Small,
    not_negative,
    optional_time,
    rounded_usd,
)
from fluence_watch.fluence.http.calls import Call
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource

_GB = 10**9
# In the order of creation, so that a new one moves no other to another page.
_ASKED: Final = "excludeStatus%5B0%5D=removed&sort=createdAt&order=asc"


class _Disk(msgspec.Struct, rename="camel"):
    id: Id
    status: str
    name: str | None = None
    attached_to: list[str] | None = None
    volume_gb: Small | None = None
    cluster_id: str | None = None
    storage_type: str | None = None
    replicated: bool | None = None
    price_hourly_usd: str | None = None
    created_at: str | None = None

    def model(self) -> Resource:
        return Resource(
            Kind.DISK,
            self.id,
            self.name or None,
            self.status,
            price=_price(self.price_hourly_usd),
            attached_to=tuple(vm_id.lower() for vm_id in self.attached_to or ()),
            created_at=optional_time(self.created_at, ".createdAt"),
            size_bytes=None if self.volume_gb is None else self.volume_gb * _GB,
            location=_cluster(self.cluster_id),
            plan=disk_plan(self.storage_type, self.replicated),
        )


class _Reference(msgspec.Struct):
    id: str


class _PublicIp(msgspec.Struct, rename="camel"):
    id: Id
    status: str
    name: str | None = None
    attached_to: _Reference | None = None
    address: str | None = None
    cluster_id: str | None = None
    address_type: str | None = None
    price_hourly_usd: str | None = None
    created_at: str | None = None

    def model(self) -> Resource:
        return Resource(
            Kind.PUBLIC_IP,
            self.id,
            self.name or None,
            self.status,
            price=_price(self.price_hourly_usd),
            attached_to=(self.attached_to.id.lower(),) if self.attached_to else (),
            created_at=optional_time(self.created_at, ".createdAt"),
            address=self.address or None,
            location=_cluster(self.cluster_id),
            plan=intern(self.address_type) if self.address_type else None,
        )


def disk_plan(storage_type: str | None, replicated: bool | None) -> str | None:  # noqa: FBT001 - as the API has it
    """What disks of the same price for a GB have in common."""
    if not storage_type or replicated is None:
        return None
    return intern(f"{storage_type.upper()}{' replicated' if replicated else ''}")


def _cluster(cluster_id: str | None) -> str | None:
    return intern(cluster_id.lower()) if cluster_id else None


def _price(text: str | None) -> MicroUsdc | None:
    path = ".priceHourlyUsd"
    return None if text is None else not_negative(rounded_usd(text, path), path)


async def request_resources(call: Call, kind: Kind) -> Resources:
    """All resources of the kind.

    Raises:
        ApiError: the list could not be read.
    """
    pages = await read_pages(call, f"list_{kind}s", f"{PATHS[kind]}?{_ASKED}")
    found, flaws = read_each(pages.items, _DECODE[kind])
    return Resources(tuple(found), (*flaws, pages.flaw) if pages.flaw else tuple(flaws))


WORDS: Final = {Kind.DISK: "STORAGE", Kind.PUBLIC_IP: "PUBLIC_IP"}
"""The kinds in the words of the API."""

PATHS: Final = {Kind.DISK: "/v1/storages", Kind.PUBLIC_IP: "/v1/public_ips"}

_DISK = msgspec.json.Decoder(_Disk)
_PUBLIC_IP = msgspec.json.Decoder(_PublicIp)
_DECODE: Final[dict[Kind, Callable[[msgspec.Raw], Resource]]] = {
    Kind.DISK: lambda raw: _DISK.decode(raw).model(),
    Kind.PUBLIC_IP: lambda raw: _PUBLIC_IP.decode(raw).model(),
}
