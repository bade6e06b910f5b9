"""The client of the Fluence API, usable as a library by itself.

    async with FluenceClient(ClientConfig(api_key="…", dialect="auto")) as client:
        listing = await client.list_vms()
        if listing.complete:
            ...

Every call has a budget of `ClientConfig.timeout` seconds. A GET is retried within it.
A change is retried only if the API cannot have received it.
If the response leaves the outcome open, the client reads the VM back, with a separate budget.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from types import TracebackType
from typing import Self

import httpx
import msgspec

from fluence_watch.errors import RefusedError, UnexpectedPayloadError
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.connection import Connection
from fluence_watch.fluence.dialects.elements import Listing, Memo, Resources, read_elements
from fluence_watch.fluence.dialects.quotes import Quotes
from fluence_watch.fluence.http.transport import RequestRecord, Transport
from fluence_watch.fluence.writes import making
from fluence_watch.fluence.writes.changes import VmChange
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import Charge
from fluence_watch.model.market import Market, offers_of
from fluence_watch.model.ports import Port
from fluence_watch.model.resource import Kind
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.vm import Vm
from fluence_watch.threads import DECODING


def _ignore(record: RequestRecord) -> None:
    """The default hook: requests are not counted."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FluenceClient:
    """A client for one account. Use it as an async context manager, or close it with `aclose`.

    `on_request` is called for every HTTP request, retries included.
    `now` is the clock for `Retry-After` dates. `transport` replaces the network connection.

    All methods raise `ApiError` and its subclasses only.

    Raises:
        ValueError: the dialect is unknown.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        now: Callable[[], datetime] = _utc_now,
        on_request: Callable[[RequestRecord], None] = _ignore,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        http = Transport(config, on_request=on_request, transport=transport, now=now)
        self._api = Connection(config, http)
        self._memo: Memo = {}
        self._decode: Callable[[msgspec.Raw], Vm] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    @property
    def dialect(self) -> str:
        """The dialect in use; `auto` until the first call has detected it."""
        return self._api.name

    @property
    def billing(self) -> Billing | None:
        """How VMs are paid. `None` before the first request with the dialect `auto`."""
        return self._api.known.billing if self._api.known else None

    async def list_vms(self) -> Listing:
        """List all VMs of the account. An unchanged VM is the same object as in the last call.

        A VM that is missing from an incomplete listing has not necessarily vanished.

        Raises:
            MaintenanceError: the API is in maintenance.
            ApiError: the list could not be read within the budget of the call.
        """
        dialect = await self._api.dialect()
        try:
            elements = await dialect.list_vms(self._api.call(dialect))
        except RefusedError as error:
            raise self._api.explained(error) from None
        memo = self._memo if elements.decode == self._decode else {}
        # In a thread, so that 10,000 VMs do not block the event loop. The memo is replaced,
        # never changed, because a cancelled call may still be decoding.
        listing, self._memo = await DECODING.run(read_elements, elements.raw, elements.decode, memo)
        self._decode = elements.decode
        return replace(listing, incomplete_because=elements.incomplete_because)

    async def vm_pages(self) -> AsyncIterator[Listing]:
        """List the VMs page by page, so that they need not all be held at once.

        In `cloud` each page is requested when it is wanted, with a budget of its own; the other
        dialects have one page. The list is complete if all its pages are: that VMs were added or
        removed meanwhile is `incomplete_because` of the last one. Rejected elements are named by
        their place in their page.

        Raises:
            MaintenanceError: the API is in maintenance.
            ApiError: a page could not be read within its budget; there are no more after it.
        """
        dialect = await self._api.dialect()
        try:
            async for elements in dialect.vm_pages(lambda: self._api.call(dialect)):
                page, _ = await DECODING.run(read_elements, elements.raw, elements.decode, {})
                yield replace(page, incomplete_because=elements.incomplete_because)
        except RefusedError as error:
            raise self._api.explained(error) from None

    async def get_vm(self, vm_id: str) -> Vm | None:
        """The VM with that id, in any case, or `None` if the account has none.

        No dialect publishes a request for one VM, so the whole list is read.

        Raises:
            UnexpectedPayloadError: it is not in the list, and the list is not complete or has an
                element without an id; or its element could not be read.
            ApiError: the list could not be read.
        """
        listing, key = await self.list_vms(), vm_id.lower()
        if found := next((vm for vm in listing.vms if vm.key == key), None):
            return found
        for each in listing.rejected:
            if (each.vm_id or key).lower() == key:
                raise UnexpectedPayloadError(each.why, where=each.where)
        if listing.incomplete_because:
            raise UnexpectedPayloadError(f"the list is incomplete: {listing.incomplete_because}")
        return None

    async def update_vm(
        self, vm_id: str, *, name: str | None = None, ports: Sequence[Port] | None = None
    ) -> None:
        """Rename a VM, set its open ports, or both; `None` leaves a value unchanged.

        `ports` is the whole set: ports that are left out are closed, 22/tcp included.
        With neither, no request is sent.
        In `cloud` the ports belong to the VM's security group, which is not changed if other VMs
        use it too.

        Raises:
            RefusedError: the API or the dialect refuses the change.
            OutcomeUnknownError: the VM may have been changed.
            ApiError: the VM was not changed, unless the text says otherwise.
        """
        change = VmChange(vm_id, name, None if ports is None else tuple(ports))
        if not change.is_empty:
            await making.update_vm(self._api, self.list_vms, change)

    async def delete_vm(self, vm_id: str) -> None:
        """Delete a VM. Its disk goes with it where it is part of the VM, not in `cloud`.

        Raises:
            RefusedError: the API refuses.
            OutcomeUnknownError: the VM may have been deleted.
            ApiError: the VM was not deleted.
        """
        await making.delete_vm(self._api, self.list_vms, vm_id)

    async def list_ssh_keys(self) -> tuple[SshKey, ...]:
        """The SSH keys of the account, in the order of the API.

        Raises:
            ApiError: the list could not be read in full.
        """
        dialect = await self._api.dialect()
        return await dialect.ssh_keys(self._api.call(dialect))

    async def add_ssh_key(self, name: str, public_key: str) -> AddedKey:
        """Add a key. A key that the account already has, under any name, is left unchanged.

        Raises:
            RefusedError: the API refuses the key.
            OutcomeUnknownError: the key may have been added.
            ApiError: the key was not added.
        """
        return await making.add_ssh_key(self._api, self.list_ssh_keys, name, public_key)

    async def delete_ssh_key(self, key: SshKey | str) -> None:
        """Remove a key, given as a key or a fingerprint. VMs that have the key keep it.

        Raises:
            RefusedError: the API refuses, or the account has no such key.
            OutcomeUnknownError: the key may have been removed.
            ApiError: the key was not removed.
        """
        chosen = SshKey("", key, "") if isinstance(key, str) else key
        await making.delete_ssh_key(self._api, self.list_ssh_keys, chosen)

    async def account_balance(self) -> AccountBalance | NotReported:
        """The balance of the account, if the dialect reports it.

        Raises:
            ApiError: the balance could not be read.
        """
        dialect = await self._api.dialect()
        return await dialect.balance(self._api.call(dialect))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is billed by itself beside VMs, as far as the dialect is known."""
        return self._api.kinds

    async def list_resources(self, kind: Kind) -> Resources:
        """All disks, public IPs or GPU instances, also those that no VM uses and that are over.

        Raises:
            RefusedError: the dialect has none.
            UnauthorizedError: the key may not list them.
            ApiError: the list could not be read.
        """
        dialect = await self._api.dialect()
        billed = self._api.gpu_of(kind) or dialect
        return await billed.resources(self._api.call(dialect), kind)

    async def delete_resource(self, kind: Kind, resource_id: str) -> None:
        """Delete a disk or a GPU instance and everything on it, or give a public IP back.

        Raises:
            RefusedError: the API refuses, for example while it is attached to a VM.
            OutcomeUnknownError: it may have been deleted.
            ApiError: it was not deleted.
        """
        rented = partial(self.list_resources, kind)
        await making.delete_resource(self._api, rented, kind, resource_id)

    async def rename_gpu(self, kind: Kind, instance_id: str, name: str) -> None:
        """Rename a GPU VM or a GPU server.

        Raises:
            RefusedError: the API refuses, or it is a container, which cannot be renamed.
            OutcomeUnknownError: it may have been renamed.
            ApiError: it was not renamed.
        """
        rented = partial(self.list_resources, kind)
        await making.rename_gpu(self._api, rented, kind, instance_id, name)

    @property
    def read_permissions(self) -> Mapping[str, str]:
        """The permission that a key needs to list something: `storage:read` for `disks`."""
        return self._api.known.read_permissions if self._api.known else {}

    async def permissions(self) -> frozenset[str] | NotReported:
        """What the key may do, in the words of the API: `storage:read`.

        Raises:
            ApiError: it could not be read.
        """
        dialect = await self._api.dialect()
        return await dialect.permissions(self._api.call(dialect))

    async def charges(self, first: date, last: date) -> tuple[Charge, ...] | NotReported:
        """What was charged on these days (UTC), both included, by resource and day.

        It is requested at most once an hour. Later charges may still be added to a recent day.

        Raises:
            UnauthorizedError: the key may not read it.
            ApiError: it could not be read.
        """
        dialect = await self._api.dialect()
        return await dialect.charges(self._api.call(dialect), first, last)

    async def market(self) -> Market:
        """What the market asks now for VMs, disks, public IPs and GPU instances.

        It is requested at most every six hours. A part that cannot be read is `Market.unknown`.

        Raises:
            ApiError: the dialect could not be detected.
        """
        dialect, gpu = await self._api.dialect(), self._api.gpu
        call = self._api.call(dialect)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(each.quotes(call)) for each in (dialect, gpu) if each]
        quotes = sum((task.result() for task in asked), Quotes())
        return Market(offers_of(quotes.found), quotes.places, quotes.unknown)

    async def service_status(self) -> ServiceStatus | NotReported:
        """Whether the API is in maintenance, if the dialect reports it. The key is not sent.

        Raises:
            ApiError: the status could not be read.
        """
        dialect = await self._api.dialect()
        return await dialect.service_status(self._api.call(dialect))
