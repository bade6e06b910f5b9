"""The Fluence API as the rest of fluence-watch sees it, and a library by itself.

    async with FluenceClient(ClientConfig(api_key="…", dialect="auto")) as client:
        listing = await client.list_vms()
        if listing.complete:
            ...

Every call has a budget of `ClientConfig.timeout` seconds. A GET is retried within it. A change is
retried only where the API cannot have received it. Where its answer leaves the outcome open, the
client reads the VM back, within a budget of its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import httpx
import msgspec
import structlog

from fluence_watch.errors import RefusedError
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.dialects import AUTO, DIALECTS, Dialect, check_dialect
from fluence_watch.fluence.dialects.choosing import choose
from fluence_watch.fluence.dialects.elements import Listing, Memo, read_elements
from fluence_watch.fluence.http.calls import Call
from fluence_watch.fluence.http.transport import RequestRecord, Transport
from fluence_watch.fluence.writes import reading_back
from fluence_watch.fluence.writes.changes import VmChange
from fluence_watch.fluence.writes.settling import ChangeWords, settle
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.ports import Port
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Vm
from fluence_watch.threads import DECODING

_log = structlog.get_logger(__name__)

_OF_ANOTHER_DIALECT = frozenset({404, 405})


def _ignore(record: RequestRecord) -> None:
    """The default hook: requests are not counted."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FluenceClient:
    """The API with the key of one account; an async context manager, or closed with `aclose`.

    `on_request` is called for every HTTP request, retries included. `now` is the clock for
    `Retry-After` dates. `transport` replaces the network connection.

    All methods raise `ApiError` and nothing else of their own.

    Raises:
        ValueError: the dialect is not known.
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
        """The dialect that is spoken; `auto` until the first call has found it."""
        return self._dialect.name if self._dialect else AUTO

    @property
    def billing_period(self) -> timedelta | None:
        """What `Vm.price` is the price of: an hour in `cloud`.

        `None` means an epoch, whose length the API does not report (24 hours), or that the dialect
        is not known yet.
        """
        return self._dialect.billing_period if self._dialect else None

    async def list_vms(self) -> Listing:
        """All VMs of the account; one that did not change since the last call is the same object.

        An incomplete listing does not show that a VM has vanished.

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
        # In a thread, so that 10,000 VMs do not hold up the event loop. The memo is replaced,
        # never changed: a call that was cancelled may still be decoding.
        listing, self._memo = await DECODING.run(read_elements, elements.raw, elements.decode, memo)
        self._decode = elements.decode
        return replace(listing, incomplete_because=elements.incomplete_because)

    async def update_vm(
        self, vm_id: str, *, name: str | None = None, ports: Sequence[Port] | None = None
    ) -> None:
        """Rename a VM, or set its open ports, or both; `None` leaves it as it is.

        `ports` is all of them: what is left out is closed, 22/tcp too. With neither, nothing is
        asked. In `cloud` the ports are those of the VM's security group, which is not changed
        when other VMs use it too.

        Raises:
            RefusedError: the API, or the dialect, cannot do it.
            OutcomeUnknownError: the VM may have been changed.
            ApiError: it was not changed, unless the text says otherwise.
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
        """Delete a VM, and all that is on its disk.

        Raises:
            RefusedError: the API refuses.
            OutcomeUnknownError: the VM may have been deleted.
            ApiError: it was not deleted.
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
            ApiError: not all of them could be read.
        """
        dialect = await self._chosen()
        return await dialect.ssh_keys(self._call(dialect))

    async def add_ssh_key(self, name: str, public_key: str) -> AddedKey:
        """Add a key; one that is there already, under whatever name, is left as it is.

        Raises:
            RefusedError: the API refuses it.
            OutcomeUnknownError: the key may have been added.
            ApiError: it was not added.
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
        """Remove a key, given itself or its fingerprint; VMs that have it keep it.

        Raises:
            RefusedError: the API refuses, or the account has no such key.
            OutcomeUnknownError: the key may have been removed.
            ApiError: it was not removed.
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
        """The balance of the account, where the dialect has one.

        Raises:
            ApiError: it could not be read.
        """
        dialect = await self._chosen()
        return await dialect.balance(self._call(dialect))

    async def service_status(self) -> ServiceStatus | NotReported:
        """Whether the API is in maintenance, where the dialect says so; the key is not sent.

        Raises:
            ApiError: it could not be read.
        """
        dialect = await self._chosen()
        return await dialect.service_status(self._call(dialect))

    def _explained(self, error: RefusedError) -> RefusedError:
        """The error, with what to do where the API does not know the list of the dialect."""
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


def _words(subject: str, done: str, command: str) -> ChangeWords:
    return ChangeWords(
        done=f"{inert(subject)} was {done}",
        undone=f"{inert(subject)} was not {done}",
        check=f"fluence-watch {inert(command)}",
    )
