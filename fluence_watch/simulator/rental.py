"""Disks and addresses: in a metered world each is rented, billed and removed by itself."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.catalog import Datacenter
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.machine import Machine

_GB_IN_MB = 1024
_DISK_PRICE = MicroUsdc(960)  # of a GB and an epoch
ADDRESS_PRICE = MicroUsdc(96_000)
"""The price of an epoch of an address."""


class RentalKind(StrEnum):
    """What is rented."""

    DISK = "storage"
    ADDRESS = "public-ip"


@dataclass(frozen=True, slots=True)
class Rental:
    """A disk or an address. `price` is in micro-USDC for an epoch.

    `attached_to` is the key of a VM, or empty. `boots` is whether a VM was started from the disk.
    """

    kind: RentalKind
    key: str
    name: str
    price: MicroUsdc
    created_at: datetime
    datacenter: Datacenter
    attached_to: str = ""
    size_gb: int = 0
    address: str = ""
    os_image: str = ""
    boots: bool = False

    @property
    def uuid(self) -> str:
        """The id on the wire."""
        return uuid_of(self.kind, self.key)


def boot_disk(machine: Machine, *, metered: bool) -> Rental:
    """The disk that a VM is created with. It costs nothing by itself where VMs are prepaid."""
    size = machine.configuration.storage_mb // _GB_IN_MB
    return Rental(
        RentalKind.DISK,
        machine.key,
        f"{machine.name}-boot",
        disk_price(size) if metered else MicroUsdc(0),
        machine.created_at,
        machine.datacenter,
        attached_to=machine.key,
        size_gb=size,
        os_image=machine.os_image,
        boots=True,
    )


def public_address(machine: Machine, *, metered: bool) -> Rental:
    """The address that a VM is created with."""
    return Rental(
        RentalKind.ADDRESS,
        machine.key,
        f"{machine.name}-ip",
        ADDRESS_PRICE if metered else MicroUsdc(0),
        machine.created_at,
        machine.datacenter,
        attached_to=machine.key,
        address=machine.public_ip,
    )


def disk_price(size_gb: int) -> MicroUsdc:
    """The price of an epoch of a disk."""
    return MicroUsdc(size_gb * _DISK_PRICE)
