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
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx
import msgspec
import structlog

from fluence_watch.errors import RefusedError, UnexpectedPayloadError
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects import AUTO, DIALECTS, Dialect, check_dialect
from fluence_watch.fluence.dialects.choosing import choose
from fluence_watch.fluence.dialects.elements import Listing, Memo, Resources, read_elements
from fluence_watch.fluence.http.calls import Call
from fluence_watch.fluence.http.transport import RequestRecord, Transport
from fluence_watch.fluence.writes import reading_back
from fluence_watch.fluence.writes.changes import VmChange
from fluence_watch.fluence.writes.settling import ChangeWords, settle
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.billing import Billing
from fluence_watch.model.ports import Port
from fluence_watch.model.resource import Kind
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm
from fluence_watch.threads import DECODING

if TYPE_CHECKING:
    from fluence_watch.fluence.gpu import GpuCloud

_log = structlog.get_logger(__name__)

_OF_ANOTHER_DIALECT = frozenset({404, 405})


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
        check_dialect(config.dialect)
        self._config = config
        self._transport = Transport(config, on_request=on_request, transport=transport, now=now)
        self._dialect = None if config.dialect == AUTO else DIALECTS[config.dialect]()
        self._gpu = _gpu_cloud() if config.gpu else None
        self._choosing = asyncio.Lock()
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
        await self._transport.aclose()

    @property
    def dialect(self) -> str:
        """The dialect in use; `auto` until the first call has detected it."""
        return self._dialect.name if self._dialect else AUTO

    @property
    def billing(self) -> Billing | None:
        """How VMs are paid. `None` before the first request with the dialect `auto`."""
        return self._dialect.billing if self._dialect else None

    async def list_vms(self) -> Listing:
        """List all VMs of the account. An unchanged VM is the same object as in the last call.

        A VM that is missing from an incomplete listing has not necessarily vanished.

        Raises:
            MaintenanceError: the API is in maintenance.
            ApiError: the list could not be read within the budget of the call.
        """
        dialect = await self._chosen()
        try:
            elements = await dialect.list_vms(self._call(dialect))
        except RefusedError as error:
            raise self._explained(error) from None
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
        dialect = await self._chosen()
        try:
            async for elements in dialect.vm_pages(lambda: self._call(dialect)):
                page, _ = await DECODING.run(read_elements, elements.raw, elements.decode, {})
                yield replace(page, incomplete_because=elements.incomplete_because)
        except RefusedError as error:
            raise self._explained(error) from None

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
        if change.is_empty:
            return
        dialect = await self._chosen()
        await settle(
            lambda: dialect.update_vm(self._call(dialect), change),
            lambda: reading_back.updated(self.list_vms, change),
            _words(f"the VM {vm_id}", "changed", f"vm show {vm_id}"),
            self._pause,
        )

    async def delete_vm(self, vm_id: str) -> None:
        """Delete a VM. Its disk goes with it where it is part of the VM, not in `cloud`.

        Raises:
            RefusedError: the API refuses.
            OutcomeUnknownError: the VM may have been deleted.
            ApiError: the VM was not deleted.
        """
        dialect = await self._chosen()
        stays = dialect.lists_deleted
        await settle(
            lambda: dialect.delete_vm(self._call(dialect), vm_id),
            lambda: reading_back.deleted(self.list_vms, vm_id, stays=stays),
            _words(f"the VM {vm_id}", "deleted", f"vm show {vm_id}"),
            self._pause,
        )

    async def list_ssh_keys(self) -> tuple[SshKey, ...]:
        """The SSH keys of the account, in the order of the API.

        Raises:
            ApiError: the list could not be read in full.
        """
        dialect = await self._chosen()
        return await dialect.ssh_keys(self._call(dialect))

    async def add_ssh_key(self, name: str, public_key: str) -> AddedKey:
        """Add a key. A key that the account already has, under any name, is left unchanged.

        Raises:
            RefusedError: the API refuses the key.
            OutcomeUnknownError: the key may have been added.
            ApiError: the key was not added.
        """
        there = reading_back.with_material(await self.list_ssh_keys(), public_key)
        if there is not None:
            return AddedKey(there, is_new=False)
        dialect = await self._chosen()
        return await settle(
            lambda: dialect.add_ssh_key(self._call(dialect), name, public_key),
            lambda: reading_back.key_added(self.list_ssh_keys, public_key),
            _words(f"the SSH key {name}", "added", "ssh-key ls"),
            self._pause,
        )

    async def delete_ssh_key(self, key: SshKey | str) -> None:
        """Remove a key, given as a key or a fingerprint. VMs that have the key keep it.

        Raises:
            RefusedError: the API refuses, or the account has no such key.
            OutcomeUnknownError: the key may have been removed.
            ApiError: the key was not removed.
        """
        chosen = SshKey("", key, "") if isinstance(key, str) else key
        dialect = await self._chosen()
        await settle(
            lambda: dialect.delete_ssh_key(self._call(dialect), chosen),
            lambda: reading_back.key_deleted(self.list_ssh_keys, chosen.fingerprint),
            _words(f"the SSH key {chosen.fingerprint}", "removed", "ssh-key ls"),
            self._pause,
        )

    async def account_balance(self) -> AccountBalance | NotReported:
        """The balance of the account, if the dialect reports it.

        Raises:
            ApiError: the balance could not be read.
        """
        dialect = await self._chosen()
        return await dialect.balance(self._call(dialect))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is billed by itself beside VMs, as far as the dialect is known."""
        own = self._dialect.kinds if self._dialect else ()
        return (*own, *self._gpu.kinds) if self._gpu else own

    async def list_resources(self, kind: Kind) -> Resources:
        """All disks, public IPs or GPU instances, also those that no VM uses and that are over.

        Raises:
            RefusedError: the dialect has none.
            UnauthorizedError: the key may not list them.
            ApiError: the list could not be read.
        """
        dialect = await self._chosen()
        if self._gpu and kind in self._gpu.kinds:
            return await self._gpu.resources(self._call(dialect), kind)
        return await dialect.resources(self._call(dialect), kind)

    async def delete_resource(self, kind: Kind, resource_id: str) -> None:
        """Delete a disk or a GPU instance and everything on it, or give a public IP back.

        Raises:
            RefusedError: the API refuses, for example while it is attached to a VM.
            OutcomeUnknownError: it may have been deleted.
            ApiError: it was not deleted.
        """
        dialect, gpu = await self._chosen(), self._gpu

        async def delete() -> None:
            if gpu and kind in gpu.kinds:
                await gpu.delete(self._call(dialect), kind, resource_id)
            else:
                await dialect.delete_resource(self._call(dialect), kind, resource_id)

        await settle(
            delete,
            lambda: reading_back.resource_deleted(lambda: self.list_resources(kind), resource_id),
            _words(f"the {kind.word} {resource_id}", "deleted", f"{_group(kind)} ls"),
            self._pause,
        )

    async def rename_gpu(self, kind: Kind, instance_id: str, name: str) -> None:
        """Rename a GPU VM or a GPU server.

        Raises:
            RefusedError: the API refuses, or it is a container, which cannot be renamed.
            OutcomeUnknownError: it may have been renamed.
            ApiError: it was not renamed.
        """
        dialect, gpu = await self._chosen(), self._gpu
        if gpu is None:
            raise RefusedError("GPU instances are not part of this account: see `gpu`")
        await settle(
            lambda: gpu.rename(self._call(dialect), kind, instance_id, name),
            lambda: reading_back.resource_renamed(
                lambda: self.list_resources(kind), instance_id, name
            ),
            _words(f"the {kind.word} {instance_id}", "renamed", "gpu ls"),
            self._pause,
        )

    @property
    def read_permissions(self) -> Mapping[str, str]:
        """The permission that a key needs to list something: `storage:read` for `disks`."""
        return self._dialect.read_permissions if self._dialect else {}

    async def permissions(self) -> frozenset[str] | NotReported:
        """What the key may do, in the words of the API: `storage:read`.

        Raises:
            ApiError: it could not be read.
        """
        dialect = await self._chosen()
        return await dialect.permissions(self._call(dialect))

    async def service_status(self) -> ServiceStatus | NotReported:
        """Whether the API is in maintenance, if the dialect reports it. The key is not sent.

        Raises:
            ApiError: the status could not be read.
        """
        dialect = await self._chosen()
        return await dialect.service_status(self._call(dialect))

    def _explained(self, error: RefusedError) -> RefusedError:
        """The error, with a hint if the API does not know the dialect's list."""
        if self._config.dialect == AUTO or error.status not in _OF_ANOTHER_DIALECT:
            return error
        hint = f'this API may not speak {self.dialect}: try dialect = "{AUTO}" for the account'
        return RefusedError(f"{error}; {hint}", status=error.status)

    @property
    def _pause(self) -> float:
        """Seconds between the two reads after a change with an unknown outcome."""
        return self._config.timeout / 5

    async def _chosen(self) -> Dialect:
        async with self._choosing:
            if self._dialect is None:
                self._dialect = await choose(DIALECTS, self._call)
                _log.info("dialect found", dialect=self.dialect, api=self._config.base_url)
            return self._dialect

    def _call(self, dialect: Dialect) -> Call:
        deadline = self._transport.deadline()
        return Call(self._transport, deadline, self._config.max_body_bytes, dialect.signing)


def _gpu_cloud() -> "GpuCloud":
    from fluence_watch.fluence.gpu import GpuCloud  # noqa: PLC0415 - few accounts have instances

    return GpuCloud()


def _group(kind: Kind) -> str:
    """The command for resources of the kind."""
    return {Kind.DISK: "disk", Kind.PUBLIC_IP: "ip"}.get(kind, "gpu")


def _words(subject: str, done: str, command: str) -> ChangeWords:
    return ChangeWords(
        done=f"{inert(subject)} was {done}",
        undone=f"{inert(subject)} was not {done}",
        check=f"fluence-watch {inert(command)}",
    )
