"""Dialect `v2`, as the Fluence guide "Managing your Virtual Machines" publishes it.

Money is micro-USDC: an integer for the price, a string of an integer for the reserve and what was
spent. Times are ISO 8601 with an expanded year and nanoseconds. Only running VMs are shown, but
one that was ended can still be deleted by its id.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.model.vm import Port, port
from fluence_watch.simulator.catalog import Datacenter, Part
from fluence_watch.simulator.dialects.ssh_keys import ssh_key_routes
from fluence_watch.simulator.dialects.view import Dialect, json_bytes, plain_error, read
from fluence_watch.simulator.errors import UnknownError
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.world import World

_UNPROCESSABLE = 422
_FORBIDDEN = 403


class _Port(Struct):
    port: Annotated[int, Meta(ge=1, le=65_535)]
    protocol: str


class _Update(Struct, rename="camel"):
    id: str
    vm_name: str | None = None
    open_ports: list[_Port] | None = None


class _Deletion(Struct, rename="camel"):
    vm_id: str


def timestamp(at: datetime) -> str:
    """`+002025-04-16T17:59:55.000000000Z`."""
    return f"+{at.year:06d}-{at:%m-%dT%H:%M:%S}.{at.microsecond:06d}000Z"


def vm_json(machine: Machine) -> bytes:
    """A VM as an element of the list."""
    return msgspec.json.encode(
        {
            "id": machine.id,
            "vmName": machine.name,
            "status": "ACTIVE",
            "pricePerEpoch": machine.price,
            "resources": _resources(machine),
            "createdAt": timestamp(machine.created_at),
            "nextBillingAt": timestamp(machine.next_billing_at),
            "osImage": machine.os_image,
            "datacenter": _datacenter(machine.datacenter),
            "publicIp": machine.public_ip,
            "ports": [each for opened in machine.ports for each in _open_ports(opened)],
            "reservedBalance": str(machine.reserved),
            "totalSpent": str(machine.spent),
        }
    )


def fleet_payload(world: World) -> bytes:
    """The body that `GET /vms/v2` would answer with, made afresh."""
    return _Listing().body(world)


class _Listing:
    """The list, with the JSON of every VM kept for as long as the VM is the same object."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Machine, bytes]] = {}

    def body(self, world: World) -> bytes:
        running = [m for m in world.listed() if m.state is State.ACTIVE]
        self._kept = {machine.id: self._entry(machine) for machine in running}
        return b"[" + b",".join(body for _, body in self._kept.values()) + b"]"

    def _entry(self, machine: Machine) -> tuple[Machine, bytes]:
        kept = self._kept.get(machine.id)
        return kept if kept and kept[0] is machine else (machine, vm_json(machine))


def _routes(world: World) -> Sequence[Route]:
    listing = _Listing()

    async def list_vms(_request: Request) -> Response:
        return json_bytes(listing.body(world))

    async def update_vm(request: Request) -> Response:
        wanted = await read(request, _Update)
        opened = wanted.open_ports
        ports = None if opened is None else [port(o.port, o.protocol) for o in opened]
        world.update(wanted.id, name=wanted.vm_name, ports=ports)
        return Response(status_code=204)

    async def delete_vm(request: Request) -> Response:
        wanted = await read(request, _Deletion)
        try:
            world.delete(wanted.vm_id)
        except UnknownError as error:
            # unlike PATCH: "422 when nothing matches" is what this endpoint says in v3
            return plain_error(_UNPROCESSABLE, str(error))
        return Response()

    return (
        Route("/vms/v2", list_vms, methods=["GET"]),
        Route("/vms/v2", update_vm, methods=["PATCH"]),
        Route("/vms/v3", delete_vm, methods=["DELETE"]),
        *ssh_key_routes(world, timestamp),
    )


V2 = Dialect(routes=_routes, error=plain_error, unauthorized=_FORBIDDEN)


def _resources(machine: Machine) -> list[dict[str, object]]:
    size, hardware = machine.configuration, machine.hardware
    return [
        _resource("VCPU", size.vcpus, hardware.cpu),
        _resource("RAM", size.memory_mb, hardware.ram),
        _resource("STORAGE", size.storage_mb, hardware.storage),
        _resource("PUBLIC_IP", 1, Part({"version": "4"}, {})),
    ]


def _resource(kind: str, quantity: int, part: Part) -> dict[str, object]:
    return {
        "type": kind,
        "quantity": quantity,
        "details": part.details,
        "metadata": part.metadata,
    }


def _datacenter(datacenter: Datacenter) -> dict[str, object]:
    return {
        "id": datacenter.id,
        "countryCode": datacenter.country,
        "cityCode": datacenter.city,
        "cityIndex": datacenter.index,
        "tier": datacenter.tier,
        "certifications": datacenter.certifications,
    }


def _open_ports(opened: Port) -> list[dict[str, object]]:
    numbers = range(opened.first, opened.last + 1)
    return [{"port": number, "protocol": opened.protocol} for number in numbers]
