"""Disks (`GET /v1/storages`) and addresses (`GET /v1/public_ips`), read to the end.

Each has its own `priceHourlyUsd`, to the nearest micro-USDC, and is billed until it is removed.
The price of a VM does not contain them. Sizes are in GB of 10**9 bytes.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from fluence_watch.fluence.dialects.cloud.pages import read_pages
from fluence_watch.fluence.dialects.elements import Resources, read_resources
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
        )


class _Reference(msgspec.Struct):
    id: str


class _PublicIp(msgspec.Struct, rename="camel"):
    id: Id
    status: str
    name: str | None = None
    attached_to: _Reference | None = None
    address: str | None = None
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
        )


def _price(text: str | None) -> MicroUsdc | None:
    path = ".priceHourlyUsd"
    return None if text is None else not_negative(rounded_usd(text, path), path)


async def request_resources(call: Call, kind: Kind) -> Resources:
    """All resources of the kind.

    Raises:
        ApiError: the list could not be read.
    """
    pages = await read_pages(call, f"list_{kind}s", f"{PATHS[kind]}?{_ASKED}")
    found, flaws = read_resources(pages.items, _DECODE[kind])
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
