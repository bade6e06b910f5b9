"""The GPU cloud on the wire: `/gpu`, beside any dialect.

Lists have no money; each instance has its `billing`. Amounts are JSON numbers of USDC.
"""

from collections.abc import Sequence

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.dialects.gpu_plans import model_json, number, plan_routes, size_json
from fluence_watch.simulator.dialects.view import Dialect, answer, read
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.gpu import OVER, GpuInstance, GpuKind, GpuState, end
from fluence_watch.simulator.gpu_plans import BASIC, HOME
from fluence_watch.simulator.world import World

SECRET = "s3cret-of-a-container"  # noqa: S105 - that nobody ever may see
_BASES = {
    GpuKind.VM: "/gpu/instances/vms",
    GpuKind.BARE_METAL: "/gpu/instances/baremetal",
    GpuKind.CONTAINER: "/gpu/instances",
}


class _Name(Struct):
    name: str


class _Endpoints:
    """The endpoints of one kind."""

    def __init__(self, world: World, kind: GpuKind) -> None:
        self._world = world
        self._kind = kind

    def routes(self) -> Sequence[Route]:
        base = _BASES[self._kind]
        whole = f"{base}/" if self._kind is GpuKind.CONTAINER else base
        routes = [
            Route(whole, self.list, methods=["GET"]),
            Route(f"{base}/{{id}}", self.show, methods=["GET"]),
            Route(f"{base}/{{id}}", self.end, methods=["DELETE"]),
        ]
        if self._kind is not GpuKind.CONTAINER:
            routes.append(Route(f"{base}/{{id}}", self.rename, methods=["PUT"]))
        return routes

    async def list(self, _request: Request) -> Response:
        return answer(
            [_listed(each) for each in self._world.gpus.values() if each.kind is self._kind]
        )

    async def show(self, request: Request) -> Response:
        return answer(_whole(self._found(request)))

    async def end(self, request: Request) -> Response:
        instance = self._found(request)
        if instance.state is not GpuState.ACTIVE:
            raise RefusedError("only an active instance can be ended")
        end(self._world, instance)
        return Response(status_code=204)

    async def rename(self, request: Request) -> Response:
        instance, wanted = self._found(request), await read(request, _Name)
        if not wanted.name.strip():
            raise RefusedError("the name must not be blank")
        self._world.rename_gpu(instance, wanted.name)
        return answer(_whole(self._world.gpus[instance.id]))

    def _found(self, request: Request) -> GpuInstance:
        instance = self._world.gpus.get(request.path_params["id"].lower())
        if instance is None or instance.kind is not self._kind:
            raise UnknownError("Not Found")
        return instance


def _listed(instance: GpuInstance) -> dict[str, object]:
    status = "instance_status" if instance.kind is GpuKind.CONTAINER else "status"
    supply = {**size_json(BASIC), "gpu_count": BASIC.gpus}
    model = {**model_json(BASIC.gpu), "model": instance.model}
    return {
        "id": instance.id,
        "name": instance.name,
        status: instance.state.value,
        "resources": {"supply": supply, "gpu_model": model},
        "domain": None if instance.state in OVER else "provider.example",
        "location": HOME.location,
        "created_at": instance.created_at.isoformat(),
        "updated_at": instance.changed_at.isoformat(),
    }


def _whole(instance: GpuInstance) -> dict[str, object]:
    over = instance.state in OVER
    ports = [{"port": "22", "external_port": "32345", "protocol": "tcp"}]
    network = {"domain": "provider.example", "forwarded_ports": ports, "uri": None}
    billing = {
        "hourly_usage": number(MicroUsdc(0) if over else instance.price),
        "total_spendings": number(instance.spent),
        "reserved_amount": number(instance.reserved),
        "next_billing_period": None if over else instance.next_billing_at.isoformat(),
    }
    whole = _listed(instance) | {"billing": billing, "network": None if over else network}
    if instance.kind is GpuKind.CONTAINER:
        whole["container_status"] = "STARTED" if instance.started else "NOT_STARTED"
        whole["container_info"] = {
            "image": "docker.io/library/debian:12",
            "expose": [{"port": "22", "protocol": "tcp"}],
            "environment": [{"name": "TOKEN", "value": SECRET}],
            "startup_command": None,
        }
    return whole


def _error(status: int, text: str) -> Response:
    return answer({"detail": text}, status)


def _routes(world: World) -> Sequence[Route]:
    instances = [route for kind in _BASES for route in _Endpoints(world, kind).routes()]
    return [*plan_routes(world), *instances]


GPU = Dialect(paths=("/gpu",), routes=_routes, error=_error, unauthorized=401)
