"""The endpoints of disks and addresses."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator.dialects.cloud.paging import Choices, Item, listed
from fluence_watch.simulator.dialects.cloud.resources import (
    public_ip_json,
    rentals,
    storage_json,
)
from fluence_watch.simulator.dialects.view import answer
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.rental import Rental, RentalKind
from fluence_watch.simulator.world import World

View = Callable[[World, Rental], Item]
Endpoint = Callable[[Request], Awaitable[Response]]

_ADDRESS_STATUSES: Final = ("new", "created", "ready", "failed", "removing", "removed")
_STATUSES: Final = (*_ADDRESS_STATUSES, "updating")
_BOOLEAN: Final = {"excludeAttached": ("true", "false")}
_DISK_CHOICES: Final[Choices] = {
    "status": _STATUSES,
    "excludeStatus": _STATUSES,
    "storageType": ("HDD", "SSD", "NVMe"),
    **_BOOLEAN,
}
_ADDRESS_CHOICES: Final[Choices] = {
    "status": _ADDRESS_STATUSES,
    "excludeStatus": _ADDRESS_STATUSES,
    "addressType": ("V4", "V6"),
    **_BOOLEAN,
}
_KINDS: Sequence[tuple[str, RentalKind, View, Choices]] = (
    ("/v1/storages", RentalKind.DISK, storage_json, _DISK_CHOICES),
    ("/v1/public_ips", RentalKind.ADDRESS, public_ip_json, _ADDRESS_CHOICES),
)


def rental_routes(world: World) -> Sequence[Route]:
    """The endpoints. One address by itself cannot be read."""
    disk = _get(world, RentalKind.DISK, storage_json)
    routes = [Route("/v1/storages/{id}", disk, methods=["GET"])]
    for path, kind, view, choices in _KINDS:
        routes.append(Route(path, _list(world, kind, view, choices), methods=["GET"]))
        routes.append(Route(f"{path}/{{id}}", _delete(world, kind, view), methods=["DELETE"]))
    return routes


def _list(world: World, kind: RentalKind, view: View, choices: Choices) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        found = rentals(world, kind)
        page = listed(request.query_params, found, partial(view, world), world.first_page, choices)
        return answer(page.payload)

    return endpoint


def _get(world: World, kind: RentalKind, view: View) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return answer(view(world, _found(world, kind, request)))

    return endpoint


def _delete(world: World, kind: RentalKind, view: View) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        rental = _found(world, kind, request)
        if rental.attached_to in world.machines:
            raise RefusedError("it is attached to a VM")
        removed = view(world, rental) | {"status": "removed", "allowedActions": []}
        world.rentals.pop(rental.uuid, None)
        return answer(removed)

    return endpoint


def _found(world: World, kind: RentalKind, request: Request) -> Rental:
    wanted = request.path_params["id"].lower()
    for rental in rentals(world, kind):
        if rental.uuid == wanted:
            return rental
    raise UnknownError(f"no {kind} {wanted!r:.60}")
