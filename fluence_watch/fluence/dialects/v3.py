"""The generation after the guide's: `GET /vms/v3`, a JSON array like that of `v2`.

Amounts are decimal strings of USDC (`"2.4352"`, `".30697"`), exact to the micro-USDC.
RAM and STORAGE have `supply` in `units`, other resources `quantity`.
A VM that its provider ended stays in the list until its user deletes it, with `publicIp` and
`datacenter` null and no `nextBillingAt`.
"""

from collections.abc import Sequence
from decimal import Decimal
from sys import intern
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from fluence_watch.fluence.dialects.parts import (
    Id,
    Sizes,
    cached_status,
    not_negative,
    optional_time,
    plan_of,
    read_datacenter,
    read_ports,
)
from fluence_watch.fluence.dialects.wire import NULL, FieldError, Page, array_page, locate, shared
from fluence_watch.model.money import MicroUsdc, micro_from_decimal
from fluence_watch.model.vm import Vm

name: Final = "v3"
list_path: Final = "/vms/v3"

_MIB = 2**20
_UNITS = {
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": 2**10,
    "MIB": 2**20,
    "GIB": 2**30,
    "TIB": 2**40,
}
_SIZED = frozenset({"RAM", "STORAGE"})
_READ = _SIZED | {"VCPU"}
_MOST_SUPPLY = 2**31
_LARGEST = 2**62  # bytes, or cores


class _WireVm(msgspec.Struct, gc=False, rename="camel"):
    id: Id
    vm_name: str | None = None
    status: str | None = None
    price_per_epoch: str | None = None
    reserved_balance: str | None = None
    total_spent: str | None = None
    created_at: str | None = None
    next_billing_at: str | None = None
    os_image: str | None = None
    public_ip: str | None = None
    resources: msgspec.Raw = NULL
    datacenter: msgspec.Raw = NULL
    ports: msgspec.Raw = NULL


class _WireResource(msgspec.Struct):
    type: str | None = None
    supply: msgspec.Raw = NULL  # may be anything for resource types that are not read
    quantity: msgspec.Raw = NULL
    units: msgspec.Raw = NULL


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
    """A list with the update of one VM."""
    return {"updates": [update]}


def delete_body(vm_id: str) -> object:
    """A list with the deletion of one VM."""
    return {"vmIds": [vm_id]}


def _price(text: str | None) -> MicroUsdc | None:
    price = _amount(text, ".pricePerEpoch")
    return None if price is None else not_negative(price, ".pricePerEpoch")


def _amount(text: str | None, path: str) -> MicroUsdc | None:
    if text is None:
        return None
    try:
        return micro_from_decimal(text)
    except ValueError as error:
        raise FieldError(path, str(error)) from None


def _build_sizes(resources: Sequence[_WireResource] | None) -> Sizes:
    """Sums by type; unknown if the type is missing or one of its amounts is unknown."""
    totals: dict[str, int | None] = {}
    for index, resource in enumerate(resources or ()):
        kind = resource.type or ""
        if kind not in _READ:
            continue
        amount, before = _size(resource, kind, f"[{index}]"), totals.get(kind, 0)
        totals[kind] = None if amount is None or before is None else before + amount
        if (totals[kind] or 0) > _LARGEST:
            raise FieldError(f"[{index}]", "implausibly large")
    return Sizes(totals.get("VCPU"), totals.get("RAM"), totals.get("STORAGE"))


def _size(resource: _WireResource, kind: str, path: str) -> int | None:
    """Cores, or bytes. A `quantity` without units is in MB of 2**20 bytes, as in `v2`."""
    amount = _number(resource.supply, f"{path}.supply")
    if amount is None:
        amount = _number(resource.quantity, f"{path}.quantity")
    if amount is None:
        return None
    return int(amount * _unit(resource.units, f"{path}.units")) if kind in _SIZED else int(amount)


def _number(raw: msgspec.Raw, path: str) -> Decimal | None:
    try:
        amount = _SUPPLY.decode(raw)
    except ValueError as error:
        raise FieldError(path, locate(error)[1]) from None
    if amount is not None and not (amount.is_finite() and 0 <= amount <= _MOST_SUPPLY):
        raise FieldError(path, "not a plausible amount")
    return amount


def _unit(raw: msgspec.Raw, path: str) -> int:
    try:
        units = _TEXT.decode(raw)
        return _MIB if units is None else _UNITS[units.strip().upper()]
    except (ValueError, KeyError):
        raise FieldError(path, "unknown unit") from None


_VM = msgspec.json.Decoder(_WireVm)
_SUPPLY: msgspec.json.Decoder[Decimal | None] = msgspec.json.Decoder(Decimal | None)
_TEXT: msgspec.json.Decoder[str | None] = msgspec.json.Decoder(str | None)
_sizes = shared(".resources", msgspec.json.Decoder(_Resources | None), _build_sizes)
