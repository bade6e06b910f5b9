"""`/gpu/plans`: what the GPU cloud asks now. Amounts are JSON numbers of USDC an hour.

Source: the documentation of the GPU cloud, "Browse available GPU plans". Containers have a list of
plans; VMs and bare metal are grouped by the model and the number of GPUs. Interfaces are in capital
letters in the list of containers, as published, and nowhere else.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.model.money import MicroUsdc, plain
from fluence_watch.simulator.dialects.view import answer
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_plans import GpuModel, GpuOffer, GpuPlan, offers
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.world import World

Json = dict[str, object]

_UPFRONT_HOURS: Final = 3
_DEPLOYED_AS: Final = {GpuKind.VM: "VM", GpuKind.BARE_METAL: "BAREMETAL"}
_OS: Final = ("Ubuntu Server 22.04",)


def plan_routes(world: World) -> Sequence[Route]:
    """The three lists."""

    async def containers(_request: Request) -> Response:
        return answer([_container_json(each) for each in offers(world.market_percent)])

    async def vms(_request: Request) -> Response:
        return answer(_grouped(world, GpuKind.VM))

    async def bare_metal(_request: Request) -> Response:
        return answer(_grouped(world, GpuKind.BARE_METAL))

    return (
        Route("/gpu/plans/", containers, methods=["GET"]),
        Route("/gpu/plans/vms", vms, methods=["GET"]),
        Route("/gpu/plans/baremetal", bare_metal, methods=["GET"]),
    )


def number(amount: MicroUsdc) -> Raw:
    """An amount of USDC as a JSON number, exact."""
    return Raw(plain(amount).encode())


def model_json(gpu: GpuModel) -> Json:
    """A model of GPU."""
    return {
        "vendor": gpu.vendor,
        "model": gpu.model,
        "vram": gpu.vram,
        "interface": gpu.interface,
    }


def size_json(plan: GpuPlan) -> Json:
    """What there is beside the GPUs."""
    return {
        "vcpu": {"count": plan.vcpus},
        "memory": {"count": plan.memory, "units": "Gi"},
        "storage": {"count": plan.storage, "units": "Gi"},
    }


def _container_json(offer: GpuOffer) -> Json:
    plan = offer.plan
    return {
        "plan": {
            "id": _id(offer, GpuKind.CONTAINER),
            "name": plan.name,
            "supply": {**size_json(plan), "gpu_count": plan.gpus},
            "gpu_model": {**model_json(plan.gpu), "interface": plan.gpu.interface.upper()},
            "pricing": _pricing(offer),
        },
        "attributes": {"location": [offer.place.location]},
    }


def _grouped(world: World, kind: GpuKind) -> Json:
    by_model: dict[GpuModel, list[GpuOffer]] = {}
    for offer in offers(world.market_percent):
        by_model.setdefault(offer.plan.gpu, []).append(offer)
    return {"data": [_model_group(gpu, each, kind) for gpu, each in by_model.items()]}


def _model_group(gpu: GpuModel, found: Sequence[GpuOffer], kind: GpuKind) -> Json:
    by_number: dict[int, list[GpuOffer]] = {}
    for offer in found:
        by_number.setdefault(offer.plan.gpus, []).append(offer)
    return {
        "gpu_model": model_json(gpu),
        "minimum_price": _least(found),
        "availability_by_number": [
            _number_group(count, by_number[count], kind) for count in sorted(by_number)
        ],
    }


def _number_group(count: int, found: Sequence[GpuOffer], kind: GpuKind) -> Json:
    providers = sorted({offer.place.provider for offer in found})
    return {
        "gpu_count": count,
        "minimum_price": _least(found),
        "options_available_total": len(found),
        "providers_available_total": len(providers),
        "data_center_available_total": len({offer.place for offer in found}),
        "locations": sorted({offer.place.location for offer in found}),
        "providers": providers,
        "options": [_option_json(offer, kind) for offer in found],
    }


def _option_json(offer: GpuOffer, kind: GpuKind) -> Json:
    return {
        "id": _id(offer, kind),
        "location": offer.place.location,
        "provider": offer.place.provider,
        **size_json(offer.plan),
        "deployment_type": _DEPLOYED_AS[kind],
        "pricing": _pricing(offer),
        "nvlink": offer.plan.gpus > 1,
        "os_options": _OS,
    }


def _pricing(offer: GpuOffer) -> Mapping[str, object]:
    return {
        "hour": number(offer.price),
        "upfront_hours": _UPFRONT_HOURS,
        "currency": "USDC",
    }


def _least(found: Iterable[GpuOffer]) -> Raw:
    return number(min(offer.price for offer in found))


def _id(offer: GpuOffer, kind: GpuKind) -> str:
    place = offer.place
    return uuid_of(f"gpu-plan-{kind}", f"{offer.plan.name}@{place.location}@{place.provider}")
