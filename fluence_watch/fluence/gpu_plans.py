"""What the GPU cloud asks: `/gpu/plans/…`. Prices are of an hour, in JSON numbers of USDC.

Source: the documentation of the GPU cloud, "Browse available GPU plans".
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from fluence_watch.fluence.dialects.elements import few, read_each
from fluence_watch.fluence.dialects.parts import exact_price
from fluence_watch.fluence.dialects.quotes import Found
from fluence_watch.fluence.dialects.wire import FieldError, array_page, decoded, expected
from fluence_watch.fluence.http.calls import Call
from fluence_watch.model.market import Quote
from fluence_watch.model.resource import Kind

_HOURS = Decimal(24)
_LACKS = "a part of what it offers is missing"


class Count(msgspec.Struct):
    """How much of something."""

    count: int | None = None
    units: str | None = None

    @property
    def words(self) -> str | None:
        """`119gi`; `None` if it is unknown."""
        return None if self.count is None else f"{self.count}{(self.units or '').lower()}"


class GpuModel(msgspec.Struct):
    """A model of GPU."""

    model: str | None = None
    vram: str | None = None
    interface: str | None = None


class Supply(msgspec.Struct):
    """What an instance has."""

    vcpu: Count | None = None
    memory: Count | None = None
    storage: Count | None = None
    gpu_count: int | None = None


def gpu_plan(supply: Supply | None, gpu: GpuModel | None) -> str | None:
    """What instances of the same price have in common; `None` if a part of it is unknown.

    `1 x a100 80gi sxm, 14 vCPU, 119gi, 582gi`
    """
    if supply is None or gpu is None:
        return None
    sizes = [each.words if each else None for each in (supply.vcpu, supply.memory, supply.storage)]
    parts = [supply.gpu_count, gpu.model, gpu.vram, gpu.interface, *sizes]
    if None in parts:
        return None
    number, model, vram, interface, vcpus, memory, storage = map(str, parts)
    kind = f"{model} {vram} {interface}".lower()
    return f"{number} x {kind}, {vcpus} vCPU, {memory}, {storage}"


def _known(plan: str | None, path: str) -> str:
    if plan is None:
        raise FieldError(path, _LACKS)
    return plan


class _Pricing(msgspec.Struct):
    hour: Decimal


class _Plan(msgspec.Struct):
    pricing: _Pricing
    supply: Supply | None = None
    gpu_model: GpuModel | None = None


class _Attributes(msgspec.Struct):
    location: list[str] | None = None


class _ContainerPlan(msgspec.Struct):
    plan: _Plan
    attributes: _Attributes | None = None

    def quotes(self) -> list[Quote]:
        plan = _known(gpu_plan(self.plan.supply, self.plan.gpu_model), ".plan")
        per_day = _HOURS * exact_price(self.plan.pricing.hour, ".plan.pricing.hour")
        places = (self.attributes or _Attributes()).location or ()
        return [Quote(Kind.GPU_CONTAINER, plan, place, per_day) for place in places]


class _Option(msgspec.Struct):
    location: str
    pricing: _Pricing
    vcpu: Count | None = None
    memory: Count | None = None
    storage: Count | None = None


class _Number(msgspec.Struct):
    gpu_count: int
    options: list[_Option]


class _Group(msgspec.Struct):
    gpu_model: GpuModel
    availability_by_number: list[_Number]

    def quotes(self, kind: Kind) -> Iterator[Quote]:
        for number in self.availability_by_number:
            for option in number.options:
                supply = Supply(option.vcpu, option.memory, option.storage, number.gpu_count)
                plan = _known(
                    gpu_plan(supply, self.gpu_model), ".availability_by_number[].options[]"
                )
                price = exact_price(option.pricing.hour, ".pricing.hour")
                yield Quote(kind, plan, option.location, _HOURS * price)


class _Groups(msgspec.Struct):
    data: list[msgspec.Raw]


PATHS: Final = {
    Kind.GPU_CONTAINER: "/gpu/plans/",
    Kind.GPU_VM: "/gpu/plans/vms",
    Kind.GPU_BARE_METAL: "/gpu/plans/baremetal",
}


async def request_plans(call: Call, kind: Kind) -> Found:
    """What is asked for instances of a kind.

    Raises:
        ApiError: it could not be read.
    """
    body = await call.get(f"{kind}_plans", PATHS[kind])
    what = "a list of GPU plans"
    if kind is Kind.GPU_CONTAINER:
        elements = few(expected(what, array_page, body).elements)
        found, flaws = read_each(elements, lambda raw: _CONTAINER_PLAN.decode(raw).quotes())
    else:
        elements = few(expected(what, lambda body: decoded(_GROUPS, body), body).data)
        found, flaws = read_each(elements, lambda raw: list(_GROUP.decode(raw).quotes(kind)))
    if found:  # a plan that lacks something is nobody's, but not all of them are
        flaws = [flaw for flaw in flaws if not flaw.endswith(_LACKS)]
    return [quote for quotes in found for quote in quotes], flaws


_CONTAINER_PLAN = msgspec.json.Decoder(_ContainerPlan)
_GROUP = msgspec.json.Decoder(_Group)
_GROUPS = msgspec.json.Decoder(_Groups)
