"""The GPU cloud: containers, VMs and bare metal, beside any dialect. Base path `/gpu`.

Source: the documentation of the GPU cloud. A list has no money: each instance that is not over is
requested by itself. What is over no longer changes, so it is requested once.
The variables of a container (`container_info.environment`) hold secrets of users and are not read.
"""

import asyncio
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import msgspec

from fluence_watch.errors import ApiError, RefusedError
from fluence_watch.fluence.dialects.elements import Resources, read_each
from fluence_watch.fluence.dialects.parts import Id, micro_from_number, not_negative, optional_time
from fluence_watch.fluence.dialects.quotes import PriceList, Quotes
from fluence_watch.fluence.dialects.wire import FieldError, array_page, decoded, expected
from fluence_watch.fluence.gpu_plans import GpuModel, Supply, gpu_plan, request_plans
from fluence_watch.fluence.http.calls import Call
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import protocol_of
from fluence_watch.model.resource import GPUS, Forward, Kind, Resource
from fluence_watch.model.text import inert

_AT_ONCE = 8
_HIGHEST_PORT = 65_535
_PORT: Final = re.compile(r"\d{1,5}", re.ASCII)
_PATHS: Final = {
    Kind.GPU_CONTAINER: "/gpu/instances/",
    Kind.GPU_VM: "/gpu/instances/vms",
    Kind.GPU_BARE_METAL: "/gpu/instances/baremetal",
}


class _Hardware(msgspec.Struct):
    supply: Supply | None = None
    gpu_model: GpuModel | None = None


class _Bill(msgspec.Struct):
    hourly_usage: Decimal | None = None
    total_spendings: Decimal | None = None
    reserved_amount: Decimal | None = None
    next_billing_period: str | None = None


class _Forwarded(msgspec.Struct):
    port: int | str
    external_port: int | str
    protocol: str = "tcp"


class _Network(msgspec.Struct):
    domain: str | None = None
    forwarded_ports: list[_Forwarded] | None = None


class _Instance(msgspec.Struct):
    id: Id
    name: str | None = None
    status: str | None = None
    instance_status: str | None = None
    container_status: str | None = None
    resources: _Hardware | None = None
    domain: str | None = None
    location: str | None = None
    network: _Network | None = None
    billing: _Bill | None = None
    created_at: str | None = None
    updated_at: str | None = None

    def model(self, kind: Kind) -> Resource:
        bill, network = self.billing or _Bill(), self.network or _Network()
        hardware = self.resources or _Hardware()
        return Resource(
            kind,
            self.id,
            self.name or None,
            self.instance_status or self.status or "unknown",
            price=_amount(bill.hourly_usage, "hourly_usage"),
            created_at=optional_time(self.created_at, ".created_at"),
            address=network.domain or self.domain or None,
            reserved=_amount(bill.reserved_amount, "reserved_amount"),
            spent=_amount(bill.total_spendings, "total_spendings"),
            next_billing_at=optional_time(bill.next_billing_period, ".billing.next_billing_period"),
            changed_at=optional_time(self.updated_at, ".updated_at"),
            location=self.location or None,
            gpu=_gpu(self.resources),
            is_running=_RUNNING.get(self.container_status or ""),
            forwards=_forwards(network.forwarded_ports),
            plan=gpu_plan(hardware.supply, hardware.gpu_model),
        )


_RUNNING = {"STARTED": True, "NOT_STARTED": False}
_INSTANCE = msgspec.json.Decoder(_Instance)


def _amount(number: Decimal | None, name: str) -> MicroUsdc | None:
    path = f".billing.{name}"
    return None if number is None else not_negative(micro_from_number(number, path), path)


def _gpu(hardware: _Hardware | None) -> str | None:
    """The number and the model: `1 x a100`."""
    model = hardware and hardware.gpu_model and hardware.gpu_model.model
    count = hardware and hardware.supply and hardware.supply.gpu_count
    return f"{count or '?'} x {model}" if model else None


def _forwards(wire: Sequence[_Forwarded] | None) -> tuple[Forward, ...] | None:
    if wire is None:
        return None
    return tuple(_forward(index, each) for index, each in enumerate(wire))


def _forward(index: int, wire: _Forwarded) -> Forward:
    path = f".network.forwarded_ports[{index}]"
    inside, outside = (_port(text, path) for text in (wire.port, wire.external_port))
    return Forward(inside, outside, protocol_of(wire.protocol))


def _port(text: int | str, path: str) -> int:
    number = text if isinstance(text, int) else int(text) if _PORT.fullmatch(text) else 0
    if not 0 < number <= _HIGHEST_PORT:
        raise FieldError(path, f"{text!r:.40} is not a port")
    return number


class GpuCloud:
    """The GPU cloud for one client. It remembers the instances that are over."""

    kinds = GPUS

    def __init__(self) -> None:
        self._over: dict[str, Resource] = {}
        self._plans = {kind: PriceList(f"{kind.word} prices") for kind in GPUS}

    async def resources(self, call: Call, kind: Kind) -> Resources:
        """All instances of a kind, with what they cost.

        Raises:
            ApiError: the list could not be read.
        """
        body = await call.get(f"list_{kind}s", _PATHS[kind])
        page = expected("a list of GPU instances", array_page, body)
        listed, flaws = _read(page.elements, kind)
        turns = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._billed(call, each, turns)) for each in listed]
        results = [task.result() for task in tasks]
        over = {each.key: each for each, flaw in results if not each.is_billed and not flaw}
        self._over = {key: each for key, each in self._over.items() if each.kind is not kind} | over
        flaws += [flaw for _, flaw in results if flaw]
        return Resources(tuple(each for each, _ in results), tuple(flaws))

    async def _billed(
        self, call: Call, listed: Resource, turns: asyncio.Semaphore
    ) -> tuple[Resource, str | None]:
        """The instance with its money, or as it was listed and why its money is unknown."""
        known = self._over.get(listed.key)
        if known is not None and known.status_word == listed.status_word:
            return known, None
        async with turns:
            try:
                return await _requested(call, listed), None
            except ApiError as error:
                return listed, f"{inert(listed.id, 60)}: {error}"

    async def quotes(self, call: Call) -> Quotes:
        """What is asked for instances of each kind, requested every six hours."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(plans.quotes(partial(request_plans, call, kind)))
                for kind, plans in self._plans.items()
            ]
        return sum((task.result() for task in tasks), Quotes())

    async def delete(self, call: Call, kind: Kind, instance_id: str) -> None:
        """End an instance. What is left of its reserve returns to the account."""
        await call.send(f"delete_{kind}", "DELETE", _path(kind, instance_id))

    async def rename(self, call: Call, kind: Kind, instance_id: str, name: str) -> None:
        """Rename a VM or a server.

        Raises:
            RefusedError: it is a container, whose PUT replaces everything.
        """
        if kind is Kind.GPU_CONTAINER:
            raise RefusedError("the API cannot rename a GPU container")
        await call.send(f"rename_{kind}", "PUT", _path(kind, instance_id), {"name": name})


async def _requested(call: Call, listed: Resource) -> Resource:
    body = await call.get(f"{listed.kind}", _path(listed.kind, listed.id))

    def read(body: bytes) -> Resource:
        found = decoded(_INSTANCE, body).model(listed.kind)
        if found.key != listed.key:
            raise FieldError(".id", f"{found.id!r:.60} is another instance")
        return found

    return expected("a GPU instance", read, body)


def _path(kind: Kind, instance_id: str) -> str:
    if not instance_id.isascii() or not instance_id.replace("-", "").isalnum():
        raise RefusedError(f"{inert(instance_id, 60)!r} is not the id of a GPU instance")
    return f"{_PATHS[kind].rstrip('/')}/{instance_id}"


def _read(elements: Sequence[msgspec.Raw], kind: Kind) -> tuple[list[Resource], list[str]]:
    def read(raw: msgspec.Raw) -> Resource:
        return _INSTANCE.decode(raw).model(kind)

    return read_each(elements, read)
