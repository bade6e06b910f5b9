"""The endpoints of the account and the service: groups, keys, money, places, status."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator.dialects.cloud import billing, security
from fluence_watch.simulator.dialects.cloud.paging import listed
from fluence_watch.simulator.dialects.cloud.places import cluster_json, datacenter_json, places
from fluence_watch.simulator.dialects.cloud.resources import ssh_key_id, ssh_key_json
from fluence_watch.simulator.dialects.cloud.scopes import user_json
from fluence_watch.simulator.dialects.view import answer, read
from fluence_watch.simulator.errors import ConflictError, UnknownError
from fluence_watch.simulator.world import World

STATUS_PATH: Final = "/v1/service/status"
_VERSION: Final = "0.10.0"


class _NewKey(Struct, rename="camel"):
    name: str
    public_key: str


def routes(world: World) -> Sequence[Route]:
    """All of these endpoints."""
    return (
        *_group_routes(world),
        *_key_routes(world),
        *_money_routes(world),
        *_service_routes(world),
    )


def _group_routes(world: World) -> Sequence[Route]:
    async def list_groups(request: Request) -> Response:
        groups = security.all_groups(world)
        view, choices = security.group_json, security.CHOICES
        page = listed(request.query_params, groups, view, world.first_page, choices)
        return answer(page.payload)

    async def create_group(request: Request) -> Response:
        wanted = await read(request, security.NewGroup)
        return answer(security.group_json(security.create_group(world, wanted)))

    async def change_group(request: Request) -> Response:
        wanted = await read(request, security.GroupChange)
        changed = security.change_group(world, request.path_params["group_id"], wanted)
        return answer(security.group_json(changed))

    async def remove_group(request: Request) -> Response:
        return answer(security.remove_group(world, request.path_params["group_id"]))

    return (
        Route("/v1/security_groups", list_groups, methods=["GET"]),
        Route("/v1/security_groups", create_group, methods=["POST"]),
        Route("/v1/security_groups/{group_id}", change_group, methods=["PATCH"]),
        Route("/v1/security_groups/{group_id}", remove_group, methods=["DELETE"]),
    )


def _key_routes(world: World) -> Sequence[Route]:
    async def list_keys(request: Request) -> Response:
        keys = list(world.ssh_keys.values())
        page = listed(request.query_params, keys, ssh_key_json, world.first_page, {})
        return answer(page.payload)

    async def add_key(request: Request) -> Response:
        wanted = await read(request, _NewKey)
        key, is_new = world.add_ssh_key(wanted.name, wanted.public_key)
        if not is_new:
            raise ConflictError("the SSH key is there already")
        return answer(ssh_key_json(key))

    async def remove_key(request: Request) -> Response:
        wanted = request.path_params["key_id"]
        for key in world.ssh_keys.values():
            if ssh_key_id(key) == wanted.lower():
                world.remove_ssh_key(key.fingerprint)
                return answer(ssh_key_json(key))
        raise UnknownError(f"no SSH key {wanted!r:.60}")

    return (
        Route("/v1/ssh_keys", list_keys, methods=["GET"]),
        Route("/v1/ssh_keys", add_key, methods=["POST"]),
        Route("/v1/ssh_keys/{key_id}", remove_key, methods=["DELETE"]),
    )


def _money_routes(world: World) -> Sequence[Route]:
    async def list_balances(request: Request) -> Response:
        wanted = request.query_params.get("entitlementKey", billing.FEATURE_KEY)
        entitlement = billing.balance_json(world)
        return answer([entitlement] if wanted == entitlement["featureKey"] else [])

    async def aggregate(request: Request) -> Response:
        return answer(billing.aggregated(world, request.query_params))

    async def total(request: Request) -> Response:
        return answer(billing.total(world, request.query_params))

    return (
        Route("/v2/users/balances", list_balances, methods=["GET"]),
        Route("/v1/billing/charges/aggregated", aggregate, methods=["GET"]),
        Route("/v1/billing/charges/total", total, methods=["GET"]),
    )


def _service_routes(world: World) -> Sequence[Route]:
    async def list_clusters(_request: Request) -> Response:
        return answer({"items": [cluster_json(place) for place in places(world)]})

    async def list_datacenters(_request: Request) -> Response:
        return answer({"items": [datacenter_json(place) for place in places(world)]})

    async def me(_request: Request) -> Response:
        return answer(user_json(world))

    async def status(_request: Request) -> Response:
        return answer({"maintenanceMode": world.maintenance, "version": _VERSION})

    return (
        Route("/v1/clusters", list_clusters, methods=["GET"]),
        Route("/v1/datacenters", list_datacenters, methods=["GET"]),
        Route("/v1/users/me", me, methods=["GET"]),
        Route(STATUS_PATH, status, methods=["GET"]),
    )
