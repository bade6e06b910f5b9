"""What is rented beside VMs: each is created, billed and deleted by itself.

Source: the documentation of the generation `cloud`.
Ending a VM does not delete its disks and addresses. They are billed until they are deleted.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fluence_watch.model.billing import METERED, Billing
from fluence_watch.model.money import MicroUsdc


class Kind(StrEnum):
    """What a resource is."""

    DISK = "disk"
    PUBLIC_IP = "public_ip"

    @property
    def word(self) -> str:
        """One of them, in words."""
        return _WORDS[self][0]

    @property
    def words(self) -> str:
        """Several of them, in words."""
        return _WORDS[self][1]


_WORDS = {Kind.DISK: ("disk", "disks"), Kind.PUBLIC_IP: ("public IP", "public IPs")}


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """The parts of a resource that identify it in a message. `detail` is its size or its address."""

    kind: Kind
    id: str
    name: str | None = None
    detail: str | None = None


GONE = frozenset({"removing", "removed"})
"""The words of the API for a resource that is billed no more."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A disk or an address.

    `price` is in micro-USDC for `billing.price_is_for`, `None` if unknown.
    `attached_to` holds the ids of VMs in lower case. `size_bytes` is of a disk, `address` of a
    public IP.
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
    billing: Billing = METERED

    @property
    def key(self) -> str:
        """Identifies the resource in its account, also among those of other kinds."""
        return f"{self.kind}:{self.id.lower()}"

    @property
    def is_billed(self) -> bool:
        """Whether it costs money from now on."""
        return self.status_word.lower() not in GONE

    @property
    def ref(self) -> ResourceRef:
        """The reference to it."""
        size = None if self.size_bytes is None else f"{self.size_bytes // 10**9} GB"
        return ResourceRef(self.kind, self.id, self.name, self.address or size)

    @property
    def is_idle(self) -> bool:
        """Whether it costs money and serves no VM."""
        return self.is_billed and not self.attached_to
