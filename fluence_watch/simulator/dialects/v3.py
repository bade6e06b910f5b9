"""Dialect `v3`: the list, the update and the deletion of several VMs under `/vms/v3`.

Amounts are decimal USDC in strings, without a leading zero below one (`.30697`).
Times are RFC 3339 in whole seconds.
An ended VM stays in the list, with its reserve, until it is deleted.
RAM and STORAGE have `supply` in `units`. SSH keys are those of `v2`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.catalog import Part
from fluence_watch.simulator.dialects.amounts import decimal
from fluence_watch.simulator.dialects.marketplace import offers_route
from fluence_watch.simulator.dialects.plain import (
    FORBIDDEN,
    UNPROCESSABLE,
    Listing,
    PortBody,
    chosen_ports,
    datacenter_json,
    deletion_route,
    listed_ports,
)
from fluence_watch.simulator.dialects.ssh_keys import ssh_key_routes
from fluence_watch.simulator.dialects.view import Dialect, json_bytes, plain_error, read
from fluence_watch.simulator.errors import UnknownError
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.world import World

_GIB_IN_MB: Final = 1024
_WORDS: Final = {
    State.DRAFT: "New",
    State.NEW: "New",
    State.LAUNCHING: "Launching",
    State.ACTIVE: "Active",
    State.STOPPED: "Stopped",
    State.TERMINATED: "Terminated",
}


class _Update(Struct, rename="camel"):
    id: str
    vm_name: str | None = None
    open_ports: list[PortBody] | None = None


class _Updates(Struct):
    updates: list[_Update]


def status_word(world: World, machine: Machine) -> str:
    """The word for the VM's status; a shortage of money takes precedence.

    `InsufficientFunds` if the account cannot fill the reserve, `SmallBalance` if it was not filled
    for another reason.
    """
    if not machine.is_short:
        return _WORDS[machine.state]
    return "InsufficientFunds" if machine.shortfall > world.balance else "SmallBalance"


def timestamp(at: datetime) -> str:
    """`2025-04-30T11:55:09Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def vm_json(machine: Machine, status: str) -> bytes:
    """A VM as an element of the list."""
    runs = machine.state is not State.TERMINATED
    changed = machine.state_changed_at
    return msgspec.json.encode(
        {
            "id": machine.id,
            "vmName": machine.name,
            "status": status,
            "pricePerEpoch": decimal(machine.price),
            "resources": _resources(machine) if runs else [],
            "createdAt": timestamp(machine.created_at),
            **({"nextBillingAt": timestamp(machine.next_billing_at)} if runs else {}),
            **({} if changed is None else {"statusChangedAt": timestamp(changed)}),
            "osImage": machine.os_image,
            "datacenter": datacenter_json(machine.datacenter) if runs else None,
            "publicIp": machine.public_ip if runs else None,
            "ports": listed_ports(machine),
            "reservedBalance": _balance(machine.reserved),
            "totalSpent": _balance(machine.spent),
        }
    )


def _routes(world: World) -> Sequence[Route]:
    listing = Listing(vm_json)

    async def list_vms(_request: Request) -> Response:
        return json_bytes(listing.body((m, status_word(world, m)) for m in world.listed()))

    async def update_vms(request: Request) -> Response:
        updates = (await read(request, _Updates)).updates
        known = [update for update in updates if _is_owned(world, update.id)]
        if not known:
            return plain_error(UNPROCESSABLE, "no such VM")
        # the ports of all VMs are checked before the first VM is changed
        ports = [chosen_ports(update.open_ports) for update in known]
        for update, opened in zip(known, ports, strict=True):
            world.update(update.id, name=update.vm_name, ports=opened)
        return Response(status_code=204)

    return (
        Route("/vms/v3", list_vms, methods=["GET"]),
        Route("/vms/v3", update_vms, methods=["PATCH"]),
        deletion_route(world),
        offers_route(world),
        *ssh_key_routes(world),
    )


V3 = Dialect(
    paths=("/vms/v3", "/ssh_keys", "/marketplace"),
    routes=_routes,
    error=plain_error,
    unauthorized=FORBIDDEN,
)


def _is_owned(world: World, vm_id: str) -> bool:
    try:
        world.owned(vm_id)
    except UnknownError:
        return False
    return True


def _balance(amount: MicroUsdc) -> str:
    text = decimal(amount)
    return text.removeprefix("0") if text.startswith("0.") else text


def _resources(machine: Machine) -> list[dict[str, object]]:
    size, hardware = machine.configuration, machine.hardware
    # published payloads have either: by the id, so that a VM has the same one in each list
    amount = "supply" if int(machine.id, 16) % 2 else "quantity"
    return [
        _resource("VCPU", {amount: size.vcpus}, hardware.cpu),
        _resource("RAM", _supply(size.memory_mb), hardware.ram),
        _resource("STORAGE", _supply(size.storage_mb), hardware.storage),
        _resource("PUBLIC_IP", {"quantity": 1}, Part({"version": "4"}, {})),
    ]


def _supply(megabytes: int) -> dict[str, object]:
    return {"supply": megabytes // _GIB_IN_MB, "units": "GiB"}


def _resource(kind: str, amount: dict[str, object], part: Part) -> dict[str, object]:
    return {"type": kind, **amount, "details": part.details, "metadata": part.metadata}
