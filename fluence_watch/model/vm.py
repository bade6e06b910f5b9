"""A virtual machine as the API last described it, in every dialect.

A field that the API does not report is `None`: unknown, never zero.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Ports


class Status(StrEnum):
    """The status of a VM, in every dialect. `Vm.status_word` keeps the API's own word."""

    DRAFT = "draft"
    NEW = "new"
    LAUNCHING = "launching"
    ACTIVE = "active"
    UPDATING = "updating"
    RESTARTING = "restarting"
    SMALL_BALANCE = "small_balance"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    SUSPENDING = "suspending"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    FAILED = "failed"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    UNKNOWN = "unknown"


_WORDS = {status.value.replace("_", ""): status for status in Status} | {
    "launched": Status.ACTIVE,
    "softrebooting": Status.RESTARTING,
}

OUT_OF_FUNDS = frozenset({Status.SMALL_BALANCE, Status.INSUFFICIENT_FUNDS})
STARTING = frozenset({Status.DRAFT, Status.NEW, Status.LAUNCHING})
HALTED = frozenset({Status.SUSPENDING, Status.SUSPENDED, Status.STOPPED})
ENDED = frozenset({Status.TERMINATING, Status.TERMINATED, Status.FAILED})
OVER = ENDED - {Status.TERMINATING}
"""Nothing comes any more: what such a VM reserves stays locked until somebody deletes it."""
NOT_BILLED = ENDED | {Status.DRAFT}
"""A draft is configured and not provisioned yet."""


def status_of(word: str | None) -> Status:
    """The canonical status for the API's word: `ACTIVE`, `SmallBalance`, `softRebooting`."""
    return _WORDS.get((word or "").replace("_", "").lower(), Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Datacenter:
    """Where a VM runs. `country` is ISO 3166 alpha-2, `city` a UN/LOCODE place code."""

    country: str
    city: str
    index: int
    tier: int | None = None

    @property
    def name(self) -> str:
        """The display name: `FR-PAR-1`."""
        return f"{self.country}-{self.city}-{self.index}"


@dataclass(frozen=True, slots=True)
class Vm:
    """A virtual machine.

    `price` is per epoch. `reserved` is the money set aside for future epochs. Both are micro-USDC.
    Times are aware UTC, sizes are bytes. `ports` is sorted. It is `()` if all are closed.
    `plan` identifies what VMs of the same price have in common, in the dialect's own way.
    """

    id: str
    name: str | None
    status: Status
    status_word: str
    price: MicroUsdc | None = None
    reserved: MicroUsdc | None = None
    spent: MicroUsdc | None = None
    created_at: datetime | None = None
    next_billing_at: datetime | None = None
    datacenter: Datacenter | None = None
    public_ip: str | None = None
    ports: Ports | None = None
    os_image: str | None = None
    vcpus: int | None = None
    memory_bytes: int | None = None
    storage_bytes: int | None = None
    plan: str | None = None

    @property
    def key(self) -> str:
        """Identifies the VM: its id in lower case, because the case differs between endpoints."""
        return self.id.lower()

    @property
    def is_billed(self) -> bool:
        """Whether the VM is charged from now on."""
        return self.status not in NOT_BILLED
