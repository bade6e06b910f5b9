"""What is rented beside VMs: each is created, billed and deleted by itself.

Source: the documentation of the generation `cloud`, and of the GPU cloud.
Ending a VM does not delete its disks and addresses. They are billed until they are deleted.
A GPU instance is prepaid by hours of the clock, from a reserve of two hours.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from fluence_watch.model.billing import HOURS, METERED, Billing
from fluence_watch.model.money import MicroUsdc


class Kind(StrEnum):
    """What a resource is."""

    DISK = "disk"
    PUBLIC_IP = "public_ip"
    GPU_CONTAINER = "gpu_container"
    GPU_VM = "gpu_vm"
    GPU_BARE_METAL = "gpu_bare_metal"

    @property
    def word(self) -> str:
        """One of them, in words."""
        return _WORDS[self][0]

    @property
    def words(self) -> str:
        """Several of them, in words."""
        return _WORDS[self][1]

    @property
    def command(self) -> str:
        """The group of commands that manage it: `disk`, `ip` or `gpu`."""
        return {Kind.DISK: "disk", Kind.PUBLIC_IP: "ip"}.get(self, "gpu")


_WORDS = {
    Kind.DISK: ("disk", "disks"),
    Kind.PUBLIC_IP: ("public IP", "public IPs"),
    Kind.GPU_CONTAINER: ("GPU container", "GPU containers"),
    Kind.GPU_VM: ("GPU VM", "GPU VMs"),
    Kind.GPU_BARE_METAL: ("GPU server", "GPU servers"),
}

GPUS = (Kind.GPU_CONTAINER, Kind.GPU_VM, Kind.GPU_BARE_METAL)
"""The kinds of the GPU cloud."""


class Forward(NamedTuple):
    """A port of a GPU instance, and the port of its address that leads there."""

    port: int
    external_port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """The parts of a resource that identify it in a message. `detail` is its size, address or GPU."""

    kind: Kind
    id: str
    name: str | None = None
    detail: str | None = None


_GONE = frozenset({"removing", "removed"})
_GONE_GPU = frozenset({"ended", "failed"})  # what a failed instance had reserved goes back


@dataclass(frozen=True, slots=True)
class Resource:
    """A disk, an address, or a GPU instance.

    `price` is in micro-USDC for `billing.price_is_for`, `None` if unknown.
    `attached_to` holds the ids of VMs in lower case. `size_bytes` is of a disk, `address` of a
    public IP, or where a GPU instance is reached.
    Only a prepaid one has `reserved` and `spent` (micro-USDC) and `next_billing_at`.
    `gpu` is its model and number, `changed_at` when the API last changed it. `is_running` is whether
    the program of a container has started. `forwards` are the ports that are open.
    `plan` identifies what resources of the same price have in common.
    """

    kind: Kind
    id: str
    name: str | None
    status_word: str
    price: MicroUsdc | None = None
    attached_to: tuple[str, ...] = ()
    created_at: datetime | None = None
    size_bytes: int | None = None
    address: str | None = None
    reserved: MicroUsdc | None = None
    spent: MicroUsdc | None = None
    next_billing_at: datetime | None = None
    changed_at: datetime | None = None
    gpu: str | None = None
    is_running: bool | None = None
    location: str | None = None
    forwards: tuple[Forward, ...] | None = None
    plan: str | None = None

    @property
    def key(self) -> str:
        """Identifies the resource in its account, also among those of other kinds."""
        return f"{self.kind}:{self.id.lower()}"

    @property
    def billing(self) -> Billing:
        """How it is paid, which depends on its kind alone."""
        return HOURS if self.is_gpu else METERED

    @property
    def is_billed(self) -> bool:
        """Whether it costs money from now on."""
        return self.status_word.lower() not in (_GONE_GPU if self.is_gpu else _GONE)

    @property
    def ref(self) -> ResourceRef:
        """The reference to it."""
        size = None if self.size_bytes is None else f"{self.size_bytes // 10**9} GB"
        return ResourceRef(self.kind, self.id, self.name, self.gpu or self.address or size)

    @property
    def is_idle(self) -> bool:
        """Whether it costs money and serves no VM."""
        return self.is_billed and not self.attached_to and not self.is_gpu

    @property
    def is_gpu(self) -> bool:
        """Whether it is an instance of the GPU cloud."""
        return self.kind in GPUS
