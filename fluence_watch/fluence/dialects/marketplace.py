"""What `v2` and `v3` have in common: one list of all VMs, its changes, and `/ssh_keys`.

Source: Fluence guide, "Managing your Virtual Machines". Neither reports the account's balance.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from fluence_watch.errors import RefusedError, UnexpectedPayloadError
from fluence_watch.fluence.dialects.elements import Resources
from fluence_watch.fluence.dialects.parts import SSH_KEY, SSH_KEYS
from fluence_watch.fluence.dialects.wire import Elements, Page, decoded, expected
from fluence_watch.fluence.http.calls import Call
from fluence_watch.fluence.http.session import Signing
from fluence_watch.fluence.http.transport import DoubtfulError
from fluence_watch.fluence.writes.changes import VmChange
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.charge import Charge
from fluence_watch.model.ports import MAX_SINGLE, Port, count, expanded
from fluence_watch.model.resource import Kind
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.vm import Vm

if TYPE_CHECKING:
    from fluence_watch.fluence.dialects.quotes import PriceList, Quotes

_CREATED: Final = 201
_UNWRITABLE: Final = frozenset({"any", "icmp"})


class Generation(Protocol):
    """The differences between generations, implemented by a module with pure functions.

    `split` and `decode_vm` raise `ValueError` (as msgspec does) or `RecursionError` on unreadable
    input.
    """

    @property
    def name(self) -> str:
        """The name in the settings."""

    @property
    def list_path(self) -> str:
        """The path of the list, and of updates."""

    def split(self, body: bytes, /) -> Page:
        """Split the list into elements, which are not decoded yet."""

    def decode_vm(self, raw: msgspec.Raw, /) -> Vm:
        """Decode one element of the list."""

    def update_body(self, update: dict[str, object], /) -> object:
        """The body of an update of one VM."""

    def delete_body(self, vm_id: str, /) -> object:
        """The body of a deletion of one VM."""


class _Removed(msgspec.Struct):
    removed_ids: list[str] | None = None


class Marketplace:
    """A dialect of the marketplace, whose VMs are billed by the epoch."""

    billing: Billing = EPOCHS
    kinds: tuple[Kind, ...] = ()
    read_permissions: Mapping[str, str] = MappingProxyType({})
    lists_deleted = False
    signing = Signing.CONFIGURED

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._offers: PriceList | None = None

    @property
    def name(self) -> str:
        """The name in the settings."""
        return self._generation.name

    async def probe(self, call: Call) -> None:
        """Request the whole list, because it has no pages."""
        await self._elements(call, "probe")

    async def list_vms(self, call: Call) -> Elements:
        """Request the whole list, in one response."""
        page = await self._elements(call, "list_vms")
        return Elements(page.elements, self._generation.decode_vm)

    async def vm_pages(self, call: Callable[[], Call]) -> AsyncIterator[Elements]:
        """The whole list, because it has no pages."""
        yield await self.list_vms(call())

    async def _elements(self, call: Call, endpoint: str) -> Page:
        body = await call.get(endpoint, self._generation.list_path)
        return expected("a list of VMs", self._generation.split, body)

    async def update_vm(self, call: Call, change: VmChange) -> None:
        """Set the name and the ports in one request."""
        update: dict[str, object] = {"id": change.vm_id}
        if change.name is not None:
            update["vmName"] = change.name
        if change.ports is not None:
            update["openPorts"] = _ports_json(change.ports)
        body = self._generation.update_body(update)
        await call.send("update_vm", "PATCH", self._generation.list_path, body)

    async def delete_vm(self, call: Call, vm_id: str) -> None:
        """Delete a VM. `v2` uses the path of `v3` with its own body."""
        body = self._generation.delete_body(vm_id)
        answer = await call.send("delete_vm", "DELETE", "/vms/v3", body)
        removed = _removed_ids(answer.body)
        if removed is not None and vm_id.lower() not in map(str.lower, removed):
            text = "the API did not confirm that it removed the VM"
            raise DoubtfulError(UnexpectedPayloadError(text, where="removed_ids"))

    async def ssh_keys(self, call: Call) -> tuple[SshKey, ...]:
        """The keys; the field is `publicKey` here."""
        body = await call.get("list_ssh_keys", "/ssh_keys")
        return expected("a list of SSH keys", _read_keys, body)

    async def add_ssh_key(self, call: Call, name: str, public_key: str) -> AddedKey:
        """Add a key. The status tells a new key from an existing one; the field is `public_key`."""
        body = {"name": name, "publicKey": public_key}
        answer = await call.send("add_ssh_key", "POST", "/ssh_keys", body)
        try:
            key = expected("an SSH key", _read_key, answer.body)
        except UnexpectedPayloadError as error:
            raise DoubtfulError(error) from None
        return AddedKey(key, answer.status == _CREATED)

    async def delete_ssh_key(self, call: Call, key: SshKey) -> None:
        """Remove a key by its fingerprint."""
        body = {"fingerprint": key.fingerprint}
        await call.send("delete_ssh_key", "DELETE", "/ssh_keys", body)

    async def balance(self, _call: Call) -> AccountBalance | NotReported:
        """Not published."""
        return NotReported(f"dialect {self.name} does not report the balance of an account")

    async def resources(self, _call: Call, kind: Kind) -> Resources:
        """There are none."""
        raise RefusedError(f"dialect {self.name} has no {kind.words}")

    async def delete_resource(self, _call: Call, kind: Kind, _resource_id: str) -> None:
        """There are none."""
        raise RefusedError(f"dialect {self.name} has no {kind.words}")

    async def permissions(self, _call: Call) -> frozenset[str] | NotReported:
        """Not published."""
        return NotReported(f"dialect {self.name} does not report what a key may do")

    async def charges(
        self, _call: Call, _first: date, _last: date
    ) -> tuple[Charge, ...] | NotReported:
        """Not published: each VM has its total."""
        return NotReported(f"dialect {self.name} does not report charges by day")

    async def quotes(self, call: Call) -> "Quotes":
        """What the marketplace offers, requested every six hours."""
        from fluence_watch.fluence.dialects.offers import request_offers  # noqa: PLC0415 - few ask
        from fluence_watch.fluence.dialects.quotes import PriceList  # noqa: PLC0415 - few ask

        self._offers = self._offers or PriceList("VM prices")
        return await self._offers.quotes(partial(request_offers, call))

    async def service_status(self, _call: Call) -> ServiceStatus | NotReported:
        """Not published."""
        return NotReported(f"dialect {self.name} does not report the status of the service")


def _ports_json(ports: Iterable[Port]) -> list[dict[str, object]]:
    """Single ports, because these dialects have no ranges.

    An unknown protocol is written as it was read; the API decides whether it is valid.

    Raises:
        RefusedError: a port cannot be written in this form.
    """
    wanted = tuple(ports)
    if odd := [each for each in wanted if each.protocol in _UNWRITABLE]:
        raise RefusedError(
            f"{odd[0]}: this dialect opens single ports of tcp, udp or another protocol"
        )
    if count(wanted) > MAX_SINGLE:
        raise RefusedError(
            f"this dialect opens ports one by one, and these are more than {MAX_SINGLE}"
        )
    return [{"port": each.first, "protocol": each.protocol} for each in expanded(wanted)]


def _removed_ids(body: bytes) -> list[str] | None:
    """The ids that `v3` reports as removed; `None` when it reports none, as in `v2`."""
    try:
        return _REMOVED.decode(body).removed_ids
    except (ValueError, RecursionError):
        return None


def _read_keys(body: bytes) -> tuple[SshKey, ...]:
    keys = decoded(SSH_KEYS, body)
    return tuple(key.model(f"[{index}]") for index, key in enumerate(keys))


def _read_key(body: bytes) -> SshKey:
    return decoded(SSH_KEY, body).model("")


_REMOVED = msgspec.json.Decoder(_Removed)
