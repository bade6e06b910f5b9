"""The dialect of the guide "Managing your Virtual Machines": `GET /vms/v2`, a JSON array.

Only what the model needs is read; `details`, `metadata` and `certifications` are not. Amounts
are micro-USDC, integers or strings of one. RAM and STORAGE are in MB, of which the guide has
4096 to 4 GB: 2**20 bytes. All but the id can be absent or null.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from fluence_watch.fluence.wire import NULL, FieldError, Page, array_page, locate, shared, utc_time
from fluence_watch.model.money import MicroUsdc, micro_from_integer
from fluence_watch.model.vm import Datacenter, Port, Vm, port, status_of

list_path: Final = "/vms/v2"

_MOST = 2**63 - 1  # what a database keeps
_SURE_DIGITS = 19  # fewer are under _MOST: the usual case, and a quick one
_MIB = 2**20
_UNITS = {"VCPU": 1, "RAM": _MIB, "STORAGE": _MIB}

_Id = Annotated[str, Meta(min_length=1, max_length=200)]
_Amount = Annotated[int, Meta(ge=-_MOST, le=_MOST)]
_Small = Annotated[int, Meta(ge=0, le=2**31)]
_Word = Annotated[str, Meta(min_length=1, max_length=20)]


class _WireVm(msgspec.Struct, gc=False, rename="camel"):
    id: _Id
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
    quantity: msgspec.Raw = NULL  # its type is known only for the types that are read


_Resources = Annotated[list[_WireResource], Meta(max_length=1000)]


class _WireDatacenter(msgspec.Struct, rename="camel"):
    country_code: str | None = None
    city_code: str | None = None
    city_index: _Small | None = None
    tier: _Small | None = None


class _WirePort(msgspec.Struct):
    port: int
    protocol: _Word


class _Sizes(NamedTuple):
    vcpus: int | None
    memory_bytes: int | None
    storage_bytes: int | None


def split(body: bytes) -> Page:
    """The elements of the list, which is one page.

    Raises:
        ValueError, RecursionError: the body is not a JSON array.
    """
    return array_page(body)


def decode_vm(raw: msgspec.Raw) -> Vm:
    """One element of the list.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    wire = _VM.decode(raw)
    vcpus, memory_bytes, storage_bytes = _sizes(wire.resources)
    return Vm(
        id=wire.id,
        name=wire.vm_name or None,
        status=_status_of(wire.status),
        status_word=intern(wire.status or ""),
        price=_price(wire.price_per_epoch),
        reserved=_amount(wire.reserved_balance, ".reservedBalance"),
        spent=_amount(wire.total_spent, ".totalSpent"),
        created_at=_time(wire.created_at, ".createdAt"),
        next_billing_at=_time(wire.next_billing_at, ".nextBillingAt"),
        datacenter=_datacenter(wire.datacenter),
        public_ip=wire.public_ip or None,
        ports=_ports(wire.ports),
        os_image=intern(wire.os_image) if wire.os_image else None,
        vcpus=vcpus,
        memory_bytes=memory_bytes,
        storage_bytes=storage_bytes,
    )


def _price(value: int | str | None) -> MicroUsdc | None:
    price = _amount(value, ".pricePerEpoch")
    if price is not None and price < 0:
        raise FieldError(".pricePerEpoch", "a price is never negative")
    return price


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


def _time(text: str | None, path: str) -> datetime | None:
    return None if text is None else utc_time(text, path)


def _build_sizes(resources: Sequence[_WireResource] | None) -> _Sizes:
    """Sums by type; unknown where the type is missing, or one of its quantities is."""
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
    return _Sizes(totals.get("VCPU"), totals.get("RAM"), totals.get("STORAGE"))


def _quantity(raw: msgspec.Raw, index: int) -> int | None:
    try:
        return _QUANTITY.decode(raw)
    except ValueError as error:
        raise FieldError(f"[{index}].quantity", locate(error)[1]) from None


def _build_datacenter(wire: _WireDatacenter | None) -> Datacenter | None:
    """`None` unless its name can be told: `FR-PAR-1`."""
    if wire is None or not wire.country_code or not wire.city_code or wire.city_index is None:
        return None
    return Datacenter(wire.country_code, wire.city_code, wire.city_index, wire.tier)


def _build_ports(wire: Sequence[_WirePort] | None) -> tuple[Port, ...] | None:
    if wire is None:
        return None
    return tuple(sorted({port(each.port, each.protocol) for each in wire}))


_VM = msgspec.json.Decoder(_WireVm)
_QUANTITY: msgspec.json.Decoder[int | None] = msgspec.json.Decoder(_Small | None)
_status_of = lru_cache(256)(status_of)
_sizes = shared(".resources", msgspec.json.Decoder(_Resources | None), _build_sizes)
_datacenter = shared(".datacenter", msgspec.json.Decoder(_WireDatacenter | None), _build_datacenter)
_ports = shared(".ports", msgspec.json.Decoder(list[_WirePort] | None), _build_ports)
