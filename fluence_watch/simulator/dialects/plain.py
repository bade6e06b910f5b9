"""What `v2` and `v3` have in common: ports, places, the cached list, and `DELETE /vms/v3`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.model.ports import Port, port
from fluence_watch.simulator.catalog import Datacenter
from fluence_watch.simulator.dialects.view import answer, plain_error, read
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.machine import Machine
from fluence_watch.simulator.world import World

FORBIDDEN = 403
UNPROCESSABLE = 422
_PROTOCOLS = frozenset({"tcp", "udp", "sctp"})


class PortBody(Struct):
    """A port in a client's request."""

    port: Annotated[int, Meta(ge=1, le=65_535)]
    protocol: str


class _Deletion(Struct, rename="camel"):
    vm_id: str | None = None
    vm_ids: list[str] | None = None


def chosen_ports(bodies: Sequence[PortBody] | None) -> list[Port] | None:
    """The ports that a client requests; `None` if the request has none.

    Raises:
        RefusedError: a protocol is neither tcp nor udp.
    """
    if bodies is None:
        return None
    for body in bodies:
        if body.protocol.lower() not in _PROTOCOLS:
            raise RefusedError(f"unknown protocol {body.protocol!r:.40}")
    return [port(body.port, body.protocol) for body in bodies]


def listed_ports(machine: Machine) -> list[dict[str, object]]:
    """Single open ports; entries without a port number are left out."""
    return [
        {"port": number, "protocol": protocol}
        for opened in machine.ports
        for protocol in _protocols(opened)
        for number in range(opened.first, opened.last + 1)
    ]


def _protocols(opened: Port) -> Iterable[str]:
    if opened.protocol == "any":
        return ("tcp", "udp")
    return (opened.protocol,) if opened.protocol in _PROTOCOLS else ()


def datacenter_json(datacenter: Datacenter) -> dict[str, object]:
    """A datacenter, without its id."""
    return {
        "countryCode": datacenter.country,
        "cityCode": datacenter.city,
        "cityIndex": datacenter.index,
        "tier": datacenter.tier,
        "certifications": datacenter.certifications,
    }


class Listing:
    """A list of VMs. It caches the JSON of each while the VM is the same object."""

    def __init__(self, encode: Callable[[Machine, str], bytes]) -> None:
        self._encode = encode
        self._kept: dict[str, tuple[Machine, str, bytes]] = {}

    def body(self, shown: Iterable[tuple[Machine, str]]) -> bytes:
        """The JSON of these VMs, each with its status."""
        entries = (self._entry(machine, word) for machine, word in shown)
        self._kept = {entry[0].id: entry for entry in entries}
        return b"[" + b",".join(body for _, _, body in self._kept.values()) + b"]"

    def _entry(self, machine: Machine, word: str) -> tuple[Machine, str, bytes]:
        kept = self._kept.get(machine.id)
        if kept and kept[0] is machine and kept[1] == word:
            return kept
        return machine, word, self._encode(machine, word)


def deletion_route(world: World) -> Route:
    """`DELETE /vms/v3`: of one VM (`vmId`, as in `v2`) or of several (`vmIds`)."""

    async def delete_vms(request: Request) -> Response:
        wanted = await read(request, _Deletion)
        asked = [wanted.vm_id] if wanted.vm_id is not None else wanted.vm_ids or []
        removed = list(_deleted(world, asked))
        if not removed:
            # unlike PATCH of v2: in v3 this endpoint documents "422 when nothing matches"
            return plain_error(UNPROCESSABLE, "no such VM")
        if wanted.vm_id is not None:
            return Response()
        transactions = [_transaction(vm_id) for vm_id in removed]
        return answer({"removed_ids": removed, "transactions": transactions})

    return Route("/vms/v3", delete_vms, methods=["DELETE"])


def _deleted(world: World, vm_ids: Iterable[str]) -> Iterator[str]:
    for vm_id in vm_ids:
        try:
            machine = world.owned(vm_id)
        except UnknownError:
            continue
        world.delete(vm_id)
        yield machine.id


def _transaction(vm_id: str) -> str:
    return "0x" + sha256(vm_id.lower().encode()).hexdigest()
