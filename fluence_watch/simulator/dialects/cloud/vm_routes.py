"""The endpoints of VMs.

A new name is lowercase letters, digits and hyphens. Names that were given otherwise stay.
"""

import re
from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator.dialects.cloud.paging import check_choices, listed, many
from fluence_watch.simulator.dialects.cloud.resources import (
    interfaces_json,
    is_there,
)
from fluence_watch.simulator.dialects.cloud.vms import (
    EXPANDABLE,
    LIST_CHOICES,
    all_vms,
    expanded,
    listed_vm_json,
    vm_by_id,
    vm_json,
)
from fluence_watch.simulator.dialects.view import answer, read
from fluence_watch.simulator.errors import RefusedError, WrongStateError
from fluence_watch.simulator.machine import Machine
from fluence_watch.simulator.world import World

_NAME = re.compile(r"[a-z0-9-]{1,25}")


class _Change(Struct):
    name: str | None = None


def vm_routes(world: World) -> Sequence[Route]:
    """The endpoints."""
    return (*_reading(world), *_writing(world))


def _reading(world: World) -> Sequence[Route]:
    async def list_vms(request: Request) -> Response:
        query, view = request.query_params, partial(listed_vm_json, world)
        page = listed(query, all_vms(world), view, world.first_page, LIST_CHOICES)
        names = many(query, "expand")
        for machine, item in zip(page.sources, page.items, strict=True):
            item.update(expanded(world, machine, names))
        return answer(page.payload)

    async def get_vm(request: Request) -> Response:
        machine = vm_by_id(world, request.path_params["vm_id"])
        check_choices(request.query_params, EXPANDABLE)
        names = many(request.query_params, "expand")
        return answer(vm_json(world, machine) | expanded(world, machine, names))

    async def list_interfaces(request: Request) -> Response:
        return answer(interfaces_json(vm_by_id(world, request.path_params["vm_id"])))

    return (
        Route("/v2/vms", list_vms, methods=["GET"]),
        Route("/v2/vms/{vm_id}", get_vm, methods=["GET"]),
        Route("/v2/vms/{vm_id}/interfaces", list_interfaces, methods=["GET"]),
    )


def _writing(world: World) -> Sequence[Route]:
    async def update_vm(request: Request) -> Response:
        machine = _running_vm(world, request)
        world.update(machine.id, name=_new_name(machine, await read(request, _Change)))
        return answer(vm_json(world, world.owned(machine.id)))

    async def terminate_vm(request: Request) -> Response:
        machine = _running_vm(world, request)
        world.delete(machine.id)
        return answer(vm_json(world, world.deleted[machine.key]))

    return (
        Route("/v2/vms/{vm_id}", update_vm, methods=["PATCH"]),
        Route("/v2/vms/{vm_id}/terminate", terminate_vm, methods=["POST"]),
    )


def _new_name(machine: Machine, wanted: _Change) -> str | None:
    name = wanted.name
    if name is not None and name != machine.name and not _NAME.fullmatch(name):
        raise RefusedError("a VM's name has 1 to 25 lowercase letters, digits and hyphens")
    return name


def _running_vm(world: World, request: Request) -> Machine:
    machine = vm_by_id(world, request.path_params["vm_id"])
    if not is_there(machine):
        raise WrongStateError("the VM has been terminated")
    return machine
