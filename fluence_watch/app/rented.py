"""Fetch what an account rents beside VMs, and what its key may do."""

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from fluence_watch.errors import ApiError
from fluence_watch.fluence import FluenceClient, Resources
from fluence_watch.model.account import NotReported
from fluence_watch.model.charge import Charge
from fluence_watch.model.resource import Resource

T = TypeVar("T")

_ALWAYS = frozenset({"SSH keys", "ports"})


@dataclass(frozen=True, slots=True)
class Rented:
    """Disks, addresses and GPU instances.

    `unknown` says of each kind why its list is not complete, and why `permissions` or `charges` are
    unknown.
    """

    found: Sequence[Resource] = ()
    unknown: dict[str, str] = field(default_factory=dict)
    permissions: Mapping[str, bool] = field(default_factory=dict)
    charges: tuple[Charge, ...] | None = None


async def fetch_resources(
    client: FluenceClient,
    days: tuple[date, date] | None = None,
    beside: Collection[str] = _ALWAYS,
) -> Rented:
    """Everything of the kinds that the dialect has. What fails is unknown, and the rest goes on.

    If `days` are given, also what was charged from the first of them to the last. `beside` names what
    else the poll requests, in the words of `FluenceClient.read_permissions`.
    """
    if not client.kinds:
        return Rented()
    async with asyncio.TaskGroup() as requests:
        asked = {
            kind: requests.create_task(attempt(client.list_resources(kind)))
            for kind in client.kinds
        }
        may = requests.create_task(attempt(client.permissions()))
        bill = requests.create_task(attempt(client.charges(*days))) if days else None
    held, charges = may.result(), bill.result() if bill else None
    needs = _needs(client, {*beside, "charges"} if days else beside)
    permissions = (
        {} if isinstance(held, ApiError | NotReported) else {each: each in held for each in needs}
    )
    results = {kind: task.result() for kind, task in asked.items()}
    flaws = {
        kind.words: _flaw(result, client.read_permissions.get(kind.words), permissions)
        for kind, result in results.items()
    }
    needed = client.read_permissions.get("charges")
    refused = _why(charges, needed, permissions) if isinstance(charges, ApiError) else None
    lists = [result.found for result in results.values() if isinstance(result, Resources)]
    return Rented(
        [resource for found in lists for resource in found],
        {words: why for words, why in flaws.items() if why}
        | ({"permissions": str(held)} if isinstance(held, ApiError) else {})
        | ({"charges": refused} if refused else {}),
        permissions,
        charges if isinstance(charges, tuple) else None,
    )


def _needs(client: FluenceClient, beside: Collection[str]) -> list[str]:
    """The permissions that a poll needs, those for disks and public IPs among them."""
    always = {kind.words for kind in client.kinds} | {*beside}
    return [permission for what, permission in client.read_permissions.items() if what in always]


def _flaw(
    result: Resources | ApiError, permission: str | None, permissions: Mapping[str, bool]
) -> str | None:
    """Why a list is not complete."""
    if isinstance(result, Resources):
        return result.flaw
    return _why(result, permission, permissions)


def _why(error: ApiError, permission: str | None, permissions: Mapping[str, bool]) -> str:
    if permission and not permissions.get(permission, True):
        return f"the key has no permission {permission} ({error})"
    return str(error)


async def attempt(request: Coroutine[Any, Any, T]) -> T | ApiError:
    """The result, or the error."""
    try:
        return await request
    except ApiError as error:
        return error
