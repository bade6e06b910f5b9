"""An element of `GET /v2/vms`, with the parts of `?expand=` and of the other lists.

`price` is the VM's own `priceHourlyUsd`, to the nearest micro-USDC. The API calls it a snapshot,
not a bill, and prices disks and addresses separately.
`paidUntil` is the next billing. There is no reserve and no total spent.
RAM and disks are in GB of 10**9 bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fluence_watch.fluence.dialects.parts import (
    MOST,
    Id,
    Small,
    cached_status,
    not_negative,
    optional_time,
    rounded_usd,
)
from fluence_watch.fluence.dialects.wire import FieldError
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Ports
from fluence_watch.model.vm import Datacenter, Vm

EXPANDED: Final = ("publicIp", "bootDisk", "dataDisks", "networkInterfaces")

_GB = 10**9


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a VM refers to, by ids in lower case.

    `groups` holds the open ports of each security group, `None` if its rules cannot be read.
    `attached` holds the groups of network interfaces, `places` the datacenter of each cluster.
    A list that could not be read is empty, so its values are unknown for the VMs.
    """

    groups: Mapping[str, Ports | None]
    attached: Mapping[str, str]
    places: Mapping[str, Datacenter]

    def __call__(self, raw: msgspec.Raw) -> Vm:
        """Decode one element of the list.

        Raises:
            ValueError, RecursionError: it cannot be read.
        """
        wire = _VM.decode(raw)
        more = wire.expanded or _NOTHING
        return Vm(
            id=wire.id,
            name=wire.name or None,
            status=cached_status(wire.status),
            status_word=intern(wire.status or ""),
            price=_price(wire.price_hourly_usd),
            created_at=optional_time(wire.created_at, ".createdAt"),
            next_billing_at=optional_time(wire.paid_until, ".paidUntil"),
            datacenter=self.places.get((wire.cluster_id or "").lower()),
            public_ip=(more.public_ip and more.public_ip.address) or None,
            ports=self._ports(wire),
            os_image=_os_image(more.boot_disk),
            vcpus=wire.vcpu,
            memory_bytes=None if wire.ram_gb is None else wire.ram_gb * _GB,
            storage_bytes=_storage(wire, more),
            plan=intern(wire.configuration_id.lower()) if wire.configuration_id else None,
        )

    def _ports(self, wire: "_WireVm") -> Ports | None:
        """The ports open to the public; unknown if the group of one interface is unknown."""
        interfaces = self._interfaces(wire)
        sets = [self.groups.get(self._group(each)) for each in interfaces]
        if not sets or None in sets:
            return None
        if len(sets) == 1:
            return sets[0]
        return tuple(sorted({port for ports in sets for port in ports or ()}))

    def _interfaces(self, wire: "_WireVm") -> "Sequence[Interface]":
        given = wire.expanded.network_interfaces if wire.expanded else None
        if given is None:
            return [Interface(each) for each in wire.network_interfaces or ()]
        return outward(given)

    def _group(self, interface: "Interface") -> str:
        return (interface.security_group or self.attached.get(interface.id.lower(), "")).lower()


class _Image(msgspec.Struct):
    slug: str | None = None


class _Disk(msgspec.Struct, rename="camel"):
    volume_gb: Small | None = None
    image: _Image | None = None
    init_url: str | None = None


class _Address(msgspec.Struct):
    address: str | None = None


class Interface(msgspec.Struct, rename="camel"):
    """A network interface of a VM; the key of `kind` is `public` or `private`."""

    id: str
    kind: dict[str, msgspec.Raw] | None = None
    security_group: str | None = None


class _Expanded(msgspec.Struct, rename="camel"):
    public_ip: _Address | None = None
    boot_disk: _Disk | None = None
    data_disks: list[_Disk] | None = None
    network_interfaces: list[Interface] | None = None


class _WireVm(msgspec.Struct, gc=False, rename="camel"):
    id: Id
    name: str | None = None
    status: str | None = None
    price_hourly_usd: str | None = None
    created_at: str | None = None
    paid_until: str | None = None
    cluster_id: str | None = None
    configuration_id: str | None = None
    vcpu: Small | None = None
    ram_gb: Annotated[int, Meta(ge=0, le=2**32)] | None = None
    boot_disk: str | None = None
    data_disks: list[str] | None = None
    network_interfaces: list[str] | None = None
    expanded: _Expanded | None = None


def outward(interfaces: Sequence[Interface]) -> Sequence[Interface]:
    """The public interfaces, or all if none is marked public."""
    return [each for each in interfaces if "public" in (each.kind or ())] or interfaces


def _price(text: str | None) -> MicroUsdc | None:
    path = ".priceHourlyUsd"
    return None if text is None else not_negative(rounded_usd(text, path), path)


def _os_image(disk: _Disk | None) -> str | None:
    """The catalog's name, `ubuntu-24-04-x64`, or the URL of the user's own image."""
    if disk is None:
        return None
    name = (disk.image.slug if disk.image else None) or disk.init_url
    return intern(name) if name else None


def _storage(wire: _WireVm, more: _Expanded) -> int | None:
    """The size of all disks; unknown if one size is unknown, or there are no disks."""
    disks = [more.boot_disk, *(more.data_disks or ())]
    if wire.boot_disk is None:
        disks = disks[1:]
    sizes = [None if disk is None else disk.volume_gb for disk in disks]
    if not sizes or None in sizes or len(more.data_disks or ()) != len(wire.data_disks or ()):
        return None
    total = sum(size or 0 for size in sizes) * _GB
    if total > MOST:
        raise FieldError(".expanded", "implausibly large disks")
    return total


_NOTHING = _Expanded()
_VM = msgspec.json.Decoder(_WireVm)
