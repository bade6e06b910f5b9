"""The generations of the Fluence API. A new one needs one module and one line in `DIALECTS`."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Protocol

from fluence_watch.fluence.dialects import v2, v3
from fluence_watch.fluence.dialects.elements import Resources
from fluence_watch.fluence.dialects.marketplace import Marketplace
from fluence_watch.fluence.dialects.wire import Elements
from fluence_watch.fluence.http.calls import Call
from fluence_watch.fluence.http.session import Signing
from fluence_watch.fluence.writes.changes import VmChange
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import Charge
from fluence_watch.model.resource import Kind
from fluence_watch.model.ssh_key import AddedKey, SshKey

if TYPE_CHECKING:
    from fluence_watch.fluence.dialects.quotes import Quotes


class Dialect(Protocol):
    """A generation of the API, for one client.

    Requests raise `ApiError`.
    Changes also raise `DoubtfulError` if the change was sent and its outcome is unknown.
    The client then reads it back.
    """

    @property
    def name(self) -> str:
        """The name in the settings: `v2`."""

    @property
    def signing(self) -> Signing:
        """How requests carry the key."""

    @property
    def billing(self) -> Billing:
        """How VMs are paid."""

    @property
    def lists_deleted(self) -> bool:
        """Whether a VM that its user deleted stays in the list as terminated."""

    async def probe(self, call: Call) -> None:
        """Request the smallest part of the list. Success means that the key works here."""

    async def list_vms(self, call: Call) -> Elements:
        """Request the list, without decoding its elements."""

    def vm_pages(self, call: Callable[[], Call]) -> AsyncIterator[Elements]:
        """Request the list page by page, in a new call each."""

    async def update_vm(self, call: Call, change: VmChange) -> None:
        """Change a VM; `change.ports` replaces the whole set."""

    async def delete_vm(self, call: Call, vm_id: str) -> None:
        """Delete a VM."""

    async def ssh_keys(self, call: Call) -> tuple[SshKey, ...]:
        """The keys of the account."""

    async def add_ssh_key(self, call: Call, name: str, public_key: str) -> AddedKey:
        """Add a key."""

    async def delete_ssh_key(self, call: Call, key: SshKey) -> None:
        """Remove a key."""

    async def balance(self, call: Call) -> AccountBalance | NotReported:
        """The account's balance."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is billed by itself beside VMs."""

    async def resources(self, call: Call, kind: Kind) -> Resources:
        """All resources of one of the `kinds`."""

    async def delete_resource(self, call: Call, kind: Kind, resource_id: str) -> None:
        """Delete a resource of one of the `kinds`."""

    @property
    def read_permissions(self) -> Mapping[str, str]:
        """The permission that a key needs to list something, by what it is in words."""

    async def permissions(self, call: Call) -> frozenset[str] | NotReported:
        """What the key may do, in the words of the API."""

    async def charges(
        self, call: Call, first: date, last: date
    ) -> tuple[Charge, ...] | NotReported:
        """What was charged on these days, both included, by resource and day."""

    async def quotes(self, call: Call) -> "Quotes":
        """What the market asks, requested at most every six hours."""

    async def service_status(self, call: Call) -> ServiceStatus | NotReported:
        """The status that the API reports of itself. The key is not sent."""


def _cloud() -> Dialect:
    """Load the dialect on demand: it takes a megabyte."""
    from fluence_watch.fluence.dialects.cloud import Cloud  # noqa: PLC0415 - see above

    return Cloud()


DIALECTS: dict[str, Callable[[], Dialect]] = {
    "cloud": _cloud,
    "v3": partial(Marketplace, v3),
    "v2": partial(Marketplace, v2),
}
"""Dialects by name, newest first; `auto` tries them in this order. Each client makes its own."""

AUTO = "auto"


def check_dialect(name: str) -> None:
    """Check that this is the name of a dialect, or `auto`.

    Raises:
        ValueError: it is something else.
    """
    if name not in {AUTO, *DIALECTS}:
        known = ", ".join([*DIALECTS, AUTO])
        raise ValueError(f"{name!r:.40} is not a dialect; known are: {known}")
