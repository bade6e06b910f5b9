"""Dialect `v2`, as the Fluence guide "Managing your Virtual Machines" publishes it.

Amounts are micro-USDC: the price is an integer, reserve and total spent are strings of integers.
Times are ISO 8601 with an expanded year and nanoseconds.
Only running VMs are listed, but an ended VM can still be deleted by its id.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator.catalog import Part
from fluence_watch.simulator.dialects.marketplace import offers_route
from fluence_watch.simulator.dialects.plain import (
    FORBIDDEN,
    Listing,
    PortBody,
    chosen_ports,
    datacenter_json,
    deletion_route,
    listed_ports,
)
from fluence_watch.simulator.dialects.ssh_keys import expanded_timestamp, ssh_key_routes
from fluence_watch.simulator.dialects.view import Dialect, json_bytes, plain_error, read
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.world import World


class _Update(Struct, rename="camel"):
    id: str
    vm_name: str | None = None
    open_ports: list[PortBody] | None = None


def vm_json(machine: Machine, status: str) -> bytes:
    """A VM as an element of the list."""
    return msgspec.json.encode(
        {
            "id": machine.id,
            "vmName": machine.name,
            "status": status,
            "pricePerEpoch": machine.price,
            "resources": _resources(machine),
            "createdAt": expanded_timestamp(machine.created_at),
            "nextBillingAt": expanded_timestamp(machine.next_billing_at),
            "osImage": machine.os_image,
            "datacenter": {"id": machine.datacenter.id, **datacenter_json(machine.datacenter)},
            "publicIp": machine.public_ip,
            "ports": listed_ports(machine),
            "reservedBalance": str(machine.reserved),
            "totalSpent": str(machine.spent),
        }
    )


def fleet_payload(world: World) -> bytes:
    """A newly built body of `GET /vms/v2`."""
    return Listing(vm_json).body(_running(world))


def _running(world: World) -> list[tuple[Machine, str]]:
    listed = (machine for machine in world.listed() if machine.state is not State.TERMINATED)
    return [(machine, machine.state.upper()) for machine in listed]


def _routes(world: World) -> Sequence[Route]:
    listing = Listing(vm_json)

    async def list_vms(_request: Request) -> Response:
        return json_bytes(listing.body(_running(world)))

    async def update_vm(request: Request) -> Response:
        wanted = await read(request, _Update)
        world.update(wanted.id, name=wanted.vm_name, ports=chosen_ports(wanted.open_ports))
        return Response(status_code=204)

    return (
        Route("/vms/v2", list_vms, methods=["GET"]),
        Route("/vms/v2", update_vm, methods=["PATCH"]),
        deletion_route(world),
        offers_route(world),
        *ssh_key_routes(world),
    )


V2 = Dialect(
    paths=("/vms/v2", "/ssh_keys", "/marketplace"),
    routes=_routes,
    error=plain_error,
    unauthorized=FORBIDDEN,
)


_MBITS = 1_000


def _resources(machine: Machine) -> list[dict[str, object]]:
    size, hardware = machine.configuration, machine.hardware
    return [
        _resource("VCPU", size.vcpus, hardware.cpu),
        _resource("RAM", size.memory_mb, hardware.ram),
        _resource("STORAGE", size.storage_mb, hardware.storage),
        _resource("PUBLIC_IP", 1, Part({"version": "4"}, {})),
        # published for some VMs
        *([_resource("NETWORK_BANDWIDTH", _MBITS, Part({}, {}))] * (1 - int(machine.id, 16) % 2)),
    ]


def _resource(kind: str, quantity: int, part: Part) -> dict[str, object]:
    return {
        "type": kind,
        "quantity": quantity,
        "details": part.details,
        "metadata": part.metadata,
    }
