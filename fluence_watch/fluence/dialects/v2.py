"""The dialect of the guide "Managing your Virtual Machines": `GET /vms/v2`, a JSON array.

Only the fields that the model needs are read; `details`, `metadata` and `certifications` are not.
Amounts are micro-USDC, as integers or strings of integers.
RAM and STORAGE are in MB of 2**20 bytes: the guide has 4096 for 4 GB.
Every field but the id can be absent or null.
"""

from collections.abc import Sequence
from sys import intern
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fluence_watch.fluence.dialects.parts import (
    Id,
    Sizes,
    Small,
    cached_status,
    not_negative,
    optional_time,
    plan_of,
    read_datacenter,
    read_ports,
)
from fluence_watch.fluence.dialects.wire import NULL, FieldError, Page, array_page, locate, shared
from fluence_watch.model.money import LARGEST, MicroUsdc, micro_from_integer
from fluence_watch.model.vm import Vm

name: Final = "v2"
list_path: Final = "/vms/v2"

_SURE_DIGITS = 17  # fewer digits never exceed LARGEST: the usual case, and the fast one
_MIB = 2**20
_UNITS = {"VCPU": 1, "RAM": _MIB, "STORAGE": _MIB}

_Amount = Annotated[int, Meta(ge=-LARGEST, le=LARGEST)]


class _WireVm(msgspec.Struct, gc=False, rename="camel"):
    id: Id
    vm_name: str | None = None
    status: str | None = None
    price_per_epoch: _Amount | str | None = None
    reserved_balance: _Amount | str | None = None
    total_spent: _Amount | str | None = None
    created_at: str | None = None
    next_billing_at: str | None = None
    os_image: str | None = None
    public_ip: str | None = None
    resources: msgspec.Raw = NULL
    datacenter: msgspec.Raw = NULL
    ports: msgspec.Raw = NULL


class _WireResource(msgspec.Struct):
    type: str | None = None
    quantity: msgspec.Raw = NULL  # its JSON type depends on the resource type


_Resources = Annotated[list[_WireResource], Meta(max_length=1000)]


def split(body: bytes) -> Page:
    """Split the list into elements, in one page.

    Raises:
        ValueError, RecursionError: the body is not a JSON array.
    """
    return array_page(body)


def decode_vm(raw: msgspec.Raw) -> Vm:
    """Decode one element of the list.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    wire = _VM.decode(raw)
    vcpus, memory_bytes, storage_bytes = _sizes(wire.resources)
    return Vm(
        id=wire.id,
        name=wire.vm_name or None,
        status=cached_status(wire.status),
        status_word=intern(wire.status or ""),
        price=_price(wire.price_per_epoch),
        reserved=_amount(wire.reserved_balance, ".reservedBalance"),
        spent=_amount(wire.total_spent, ".totalSpent"),
        created_at=optional_time(wire.created_at, ".createdAt"),
        next_billing_at=optional_time(wire.next_billing_at, ".nextBillingAt"),
        datacenter=read_datacenter(wire.datacenter),
        public_ip=wire.public_ip or None,
        ports=read_ports(wire.ports),
        os_image=intern(wire.os_image) if wire.os_image else None,
        vcpus=vcpus,
        memory_bytes=memory_bytes,
        storage_bytes=storage_bytes,
        plan=plan_of(vcpus, memory_bytes),
    )


def update_body(update: dict[str, object]) -> object:
    """The update of one VM."""
    return update


def delete_body(vm_id: str) -> object:
    """The deletion of one VM, for the path of `v3`."""
    return {"vmId": vm_id}


def _price(value: int | str | None) -> MicroUsdc | None:
    price = _amount(value, ".pricePerEpoch")
    return None if price is None else not_negative(price, ".pricePerEpoch")


def _amount(value: int | str | None, path: str) -> MicroUsdc | None:
    if value is None:
        return None
    if isinstance(value, int):
        return MicroUsdc(value)
    if len(value) < _SURE_DIGITS and value.isascii() and value.isdecimal():
        return MicroUsdc(int(value))
    try:
        return micro_from_integer(value)
    except ValueError as error:
        raise FieldError(path, str(error)) from None


def _build_sizes(resources: Sequence[_WireResource] | None) -> Sizes:
    """Sums by type; unknown if the type is missing or one of its quantities is unknown."""
    totals: dict[str, int | None] = {}
    for index, resource in enumerate(resources or ()):
        kind = resource.type or ""
        if kind not in _UNITS:
            continue
        quantity, before = _quantity(resource.quantity, index), totals.get(kind, 0)
        if quantity is None or before is None:
            totals[kind] = None
        else:
            totals[kind] = before + quantity * _UNITS[kind]
    return Sizes(totals.get("VCPU"), totals.get("RAM"), totals.get("STORAGE"))


def _quantity(raw: msgspec.Raw, index: int) -> int | None:
    try:
        return _QUANTITY.decode(raw)
    except ValueError as error:
        raise FieldError(f"[{index}].quantity", locate(error)[1]) from None


_VM = msgspec.json.Decoder(_WireVm)
_QUANTITY: msgspec.json.Decoder[int | None] = msgspec.json.Decoder(Small | None)
_sizes = shared(".resources", msgspec.json.Decoder(_Resources | None), _build_sizes)
