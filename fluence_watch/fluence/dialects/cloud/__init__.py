"""The dialect of the OpenAPI description 0.10.0: `GET /v2/vms`, in pages.

    pages.py    lists in pages, read to the end
    vms.py      an element of the list
    resources.py  disks and addresses
    rules.py    security groups as open ports, and back
    groups.py   the groups of an account, and the change of one
    charges.py  what was charged
    prices.py   what the market asks
    account.py  places, balance, SSH keys, status

Related objects are requested beside the list: security groups at each poll, clusters and
datacenters once an hour.
If such a request fails, ports and datacenter are unknown, and the list remains valid.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

import structlog

from fluence_watch.errors import (
    ApiError,
    MaintenanceError,
    RefusedError,
    ServerError,
    UnexpectedPayloadError,
    UnreachableError,
)
from fluence_watch.fluence.dialects.cloud import charges
from fluence_watch.fluence.dialects.cloud.account import (
    read_balance,
    read_key,
    read_keys,
    read_permissions,
    read_places,
    read_status,
)
from fluence_watch.fluence.dialects.cloud.groups import (
    group_by_interface,
    port_change,
    ports_by_group,
    read_groups,
)
from fluence_watch.fluence.dialects.cloud.pages import each_page, read_page, read_pages
from fluence_watch.fluence.dialects.cloud.resources import PATHS, request_resources
from fluence_watch.fluence.dialects.cloud.rules import Group
from fluence_watch.fluence.dialects.cloud.vms import EXPANDED, Surroundings
from fluence_watch.fluence.dialects.elements import Resources
from fluence_watch.fluence.dialects.quotes import PriceList, Quotes
from fluence_watch.fluence.dialects.wire import Elements, expected
from fluence_watch.fluence.http.calls import Call
from fluence_watch.fluence.http.session import Signing
from fluence_watch.fluence.http.transport import DoubtfulError
from fluence_watch.fluence.rarely import Rarely
from fluence_watch.fluence.writes.changes import VmChange
from fluence_watch.fluence.writes.settling import reworded
from fluence_watch.model.account import AccountBalance, NotReported, ServiceStatus
from fluence_watch.model.billing import METERED, Billing
from fluence_watch.model.charge import Charge
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Datacenter

T = TypeVar("T")

_EXPAND = "".join(f"&expand%5B{index}%5D={name}" for index, name in enumerate(EXPANDED))
# In the order of creation, so that a new VM moves no other to another page.
# Ended VMs hold no money in this dialect and stay in the list forever, so they are left out.
_LIST: Final = f"/v2/vms?excludeStatus%5B0%5D=terminated&sort=createdAt&order=asc{_EXPAND}"
_HOUR: Final = 3600.0  # seconds
_MAINTENANCE: Final = "the API is in maintenance"
_ID: Final = re.compile(r"[0-9A-Za-z-]{1,100}", re.ASCII)

_READ_PERMISSIONS: Final = MappingProxyType(
    {
        Kind.DISK.words: "storage:read",
        Kind.PUBLIC_IP.words: "public_ip:read",
        "SSH keys": "ssh_key:list",
        "ports": "security_groups:read",
        "charges": charges.PERMISSION,
        "market": "prices:read",
    }
)

_log = structlog.wrap_logger(logging.getLogger(__name__))  # not to stdout, where nobody set it up


class Cloud:
    """The dialect for one client. It remembers the datacenter of each cluster."""

    name = "cloud"
    billing: Billing = METERED
    kinds: tuple[Kind, ...] = (Kind.DISK, Kind.PUBLIC_IP)
    read_permissions: Mapping[str, str] = _READ_PERMISSIONS
    lists_deleted = True
    signing = Signing.KEY_HEADER

    def __init__(self) -> None:
        self._last_places: Mapping[str, Datacenter] = {}
        self._missing: set[str] = set()
        self._places: Rarely[Mapping[str, Datacenter]] = Rarely(_HOUR)
        self._permissions: Rarely[frozenset[str]] = Rarely(24 * _HOUR)
        self._charges: Rarely[tuple[Charge, ...]] = Rarely(_HOUR, refused=_HOUR, failed=_HOUR / 6)
        self._prices: Mapping[str, PriceList] = {}

    async def probe(self, call: Call) -> None:
        """Request a page of one VM."""
        body = await call.get("probe", "/v2/vms?perPage=1")
        expected("a page of a list", read_page, body)

    async def list_vms(self, call: Call) -> Elements:
        """All pages, with security groups and places. During maintenance the list is incomplete.

        Raises:
            MaintenanceError: the API is in maintenance and returns no list.
            ApiError: the list could not be read for another reason.
        """
        async with asyncio.TaskGroup() as group:
            pages = group.create_task(_attempt(read_pages(call, "list_vms", _LIST)))
            beside = group.create_task(self._beside(call))
        listed, found = pages.result(), beside.result()
        if isinstance(listed, ApiError):
            raise found.explained(listed)
        return Elements(listed.items, self._around(found), found.flaw or listed.flaw)

    async def vm_pages(self, call: Callable[[], Call]) -> AsyncIterator[Elements]:
        """A page at a time. What stands beside the list is requested before it."""
        found = await self._beside(call())
        around = self._around(found)
        try:
            async for page in each_page(call, "list_vms", _LIST):
                yield Elements(page.items, around, found.flaw or page.flaw)
        except ApiError as error:
            raise found.explained(error) from None

    async def _beside(self, call: Call) -> "_Beside":
        """Request what stands beside the list."""
        async with asyncio.TaskGroup() as group:
            groups = group.create_task(_attempt(read_groups(call)))
            places = group.create_task(_attempt(self._known_places(call)))
            status = group.create_task(_attempt(self.service_status(call)))
        return _Beside(groups.result(), places.result(), status.result())

    def _around(self, found: "_Beside") -> Surroundings:
        """What the VMs refer to. What is missing is logged."""
        self._or_else(found.status, None, "service status")
        groups = self._or_else(found.groups, [], "security groups")
        return Surroundings(
            groups=ports_by_group(groups),
            attached=group_by_interface(groups),
            places=self._or_else(found.places, self._last_places, "datacenters"),
        )

    def _or_else(self, result: T | ApiError, otherwise: T, what: str) -> T:
        """The result, or the default after a failure. The first failure in a row is logged."""
        if not isinstance(result, ApiError):
            self._missing.discard(what)
            return result
        if what not in self._missing:
            _log.warning("unknown for now", what=what, why=str(result))
            self._missing.add(what)
        return otherwise

    async def _known_places(self, call: Call) -> Mapping[str, Datacenter]:
        self._last_places = await self._places(partial(_request_places, call))
        return self._last_places

    async def update_vm(self, call: Call, change: VmChange) -> None:
        """Set the name and the ports in two requests. All checks come before the first."""
        vm_path = _vm_path(change.vm_id)
        ports = None if change.ports is None else await port_change(call, vm_path, change.ports)
        if change.name is not None:
            await call.send("update_vm", "PATCH", vm_path, {"name": change.name})
        if ports is None:
            return
        try:
            await call.send("update_security_group", "PATCH", ports.path, ports.body)
        except ApiError as error:
            if change.name is None:
                raise
            raise reworded(error, f"the name was changed, the ports were not: {error}") from None

    async def delete_vm(self, call: Call, vm_id: str) -> None:
        """Delete a VM. It stays in the list as terminated."""
        await call.send("delete_vm", "POST", f"{_vm_path(vm_id)}/terminate")

    async def ssh_keys(self, call: Call) -> tuple[SshKey, ...]:
        """The keys of all pages."""
        pages = await read_pages(call, "list_ssh_keys", "/v1/ssh_keys")
        if pages.flaw is not None:
            raise UnexpectedPayloadError(f"the list of SSH keys is incomplete: {pages.flaw}")
        return expected("a list of SSH keys", read_keys, pages.items)

    async def add_ssh_key(self, call: Call, name: str, public_key: str) -> AddedKey:
        """Add a key. The API answers an existing key with a conflict, so success is a new key."""
        body = {"name": name, "publicKey": public_key}
        answer = await call.send("add_ssh_key", "POST", "/v1/ssh_keys", body)
        try:
            return AddedKey(expected("an SSH key", read_key, answer.body), is_new=True)
        except UnexpectedPayloadError as error:
            raise DoubtfulError(error) from None

    async def delete_ssh_key(self, call: Call, key: SshKey) -> None:
        """Remove a key by its id. A missing id is looked up by the fingerprint."""
        known = [] if key.id else await self.ssh_keys(call)
        ids = [each.id for each in known if each.id and each.fingerprint == key.fingerprint]
        key_id = key.id or next(iter(ids), None)
        if key_id is None:
            raise RefusedError("the account has no SSH key with this fingerprint")
        await call.send("delete_ssh_key", "DELETE", f"/v1/ssh_keys/{_path_part(key_id)}")

    async def balance(self, call: Call) -> AccountBalance | NotReported:
        """The paid entitlement."""
        body = await call.get("balance", "/v2/users/balances")
        return expected("a list of balances", read_balance, body)

    async def resources(self, call: Call, kind: Kind) -> Resources:
        """All pages of the list, with the places that are known by now."""
        listed = await request_resources(call, kind)
        return replace(listed, found=tuple(map(self._placed, listed.found)))

    def _placed(self, resource: Resource) -> Resource:
        place = self._last_places.get(resource.location or "")
        return replace(resource, location=place.name) if place else resource

    async def delete_resource(self, call: Call, kind: Kind, resource_id: str) -> None:
        """Delete a disk with all that is on it, or give an address back."""
        await call.send(f"delete_{kind}", "DELETE", f"{PATHS[kind]}/{_path_part(resource_id)}")

    async def permissions(self, call: Call) -> frozenset[str] | NotReported:
        """The scopes of the key, requested once a day."""
        return await self._permissions(partial(_request_permissions, call))

    async def charges(
        self, call: Call, first: date, last: date
    ) -> tuple[Charge, ...] | NotReported:
        """What was charged on these days, requested once an hour, also if it is refused."""
        request = partial(charges.request_charges, call, first, last)
        return await self._charges(request, about=(first, last))

    async def quotes(self, call: Call) -> Quotes:
        """The prices of VMs, disks and addresses, each list requested every six hours."""
        from fluence_watch.fluence.dialects.cloud.prices import LISTS  # noqa: PLC0415 - few need it

        self._prices = self._prices or {what: PriceList(what) for what in LISTS}
        async with asyncio.TaskGroup() as group:
            places = group.create_task(_attempt(self._known_places(call)))
            tasks = [
                group.create_task(self._prices[what].quotes(partial(request, call)))
                for what, request in LISTS.items()
            ]
        known = self._or_else(places.result(), self._last_places, "datacenters")
        names = {cluster: place.name for cluster, place in known.items()}
        quotes = sum((task.result() for task in tasks), Quotes(places=names))
        named = (
            quote._replace(place=names.get(quote.place, quote.place)) for quote in quotes.found
        )
        return replace(quotes, found=tuple(named))

    async def service_status(self, call: Call) -> ServiceStatus | NotReported:
        """The status of the service. The key is not sent."""
        body = await call.get("service_status", "/v1/service/status", signed=False)
        return expected("a service status", read_status, body)


async def _request_places(call: Call) -> Mapping[str, Datacenter]:
    clusters = await call.get("list_clusters", "/v1/clusters")
    datacenters = await call.get("list_datacenters", "/v1/datacenters")
    return expected("a list of datacenters", partial(read_places, clusters), datacenters)


async def _request_permissions(call: Call) -> frozenset[str]:
    body = await call.get("permissions", "/v1/users/me")
    return expected("a user with permissions", read_permissions, body)


async def _attempt(asked: Awaitable[T]) -> T | ApiError:
    """The result or the error, so that one failed request does not fail the list."""
    try:
        return await asked
    except ApiError as error:
        return error


class _Beside(NamedTuple):
    """What was requested beside the list of VMs."""

    groups: list[Group] | ApiError
    places: Mapping[str, Datacenter] | ApiError
    status: ServiceStatus | NotReported | ApiError

    @property
    def flaw(self) -> str | None:
        """Why VMs may be missing from any list."""
        in_maintenance = isinstance(self.status, ServiceStatus) and self.status.maintenance
        return _MAINTENANCE if in_maintenance else None

    def explained(self, error: ApiError) -> ApiError:
        """The error of the list; a failure during maintenance is maintenance."""
        if self.flaw and isinstance(error, ServerError | UnreachableError):
            return MaintenanceError(f"{_MAINTENANCE}: {error}", status=error.status)
        return error


def _vm_path(vm_id: str) -> str:
    return f"/v2/vms/{_path_part(vm_id)}"


def _path_part(text: str) -> str:
    """An id as a part of a path.

    Raises:
        RefusedError: it is not an id, and would address something else.
    """
    if not _ID.fullmatch(text):
        raise RefusedError(f"{inert(text, 60)!r} is not an id of this dialect: ids are UUIDs")
    return text
