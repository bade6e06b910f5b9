"""What the elements of several dialects have in common: places, ports, SSH keys, amounts."""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from fluence_watch.fluence.dialects.wire import FieldError, shared, utc_time
from fluence_watch.model.market import GIB
from fluence_watch.model.money import EXACT, LARGEST, MicroUsdc
from fluence_watch.model.ports import ALL_PORTS, Port, Ports, port, protocol_of
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Datacenter, status_of

MOST: Final = 2**63 - 1  # what a database stores

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Small = Annotated[int, Meta(ge=0, le=2**31)]
_Word = Annotated[str, Meta(min_length=1)]

_NUMBERED = frozenset({"tcp", "udp"})

_USD = re.compile(r"-?(?=\.?\d)\d{0,40}(?:\.\d{0,40})?", re.ASCII)
_MICRO = Decimal(1_000_000)


class Sizes(NamedTuple):
    """The size of each resource of a VM; `None` if the API does not report it."""

    vcpus: int | None
    memory_bytes: int | None
    storage_bytes: int | None


class _WireDatacenter(msgspec.Struct, rename="camel"):
    country_code: str | None = None
    city_code: str | None = None
    city_index: Small | None = None
    tier: Small | None = None


class _WirePort(msgspec.Struct):
    protocol: _Word
    port: int | None = None


class _WireKey(msgspec.Struct, rename="camel"):
    """An SSH key as any dialect writes it: `publicKey` in lists, `public_key` after a POST."""

    fingerprint: str
    name: str | None = None
    public_key: str | None = None
    answered_key: str | None = msgspec.field(default=None, name="public_key")
    algorithm: str | None = None
    comment: str | None = None
    active: bool | None = None
    created_at: str | None = None
    id: str | None = None

    def model(self, path: str) -> SshKey:
        """The key; `path` is its place in the body, for errors."""
        return SshKey(
            name=self.name or "",
            fingerprint=self.fingerprint,
            public_key=self.public_key or self.answered_key or "",
            algorithm=self.algorithm or None,
            comment=self.comment or None,
            active=self.active,
            created_at=optional_time(self.created_at, f"{path}.createdAt"),
            id=self.id or None,
        )


_FIRST_YEAR, _LAST_YEAR = 2015, 2115


def optional_time(text: str | None, path: str) -> datetime | None:
    """The time, or `None` if there is none, or it is no time of this service (year 1970, 9999).

    Raises:
        FieldError: it cannot be read.
    """
    time = None if text is None else utc_time(text, path)
    return time if time is None or _FIRST_YEAR <= time.year <= _LAST_YEAR else None


def rounded_usd(text: str, path: str) -> MicroUsdc:
    """An amount of USD to the nearest micro-USDC, half to even: `"0.0123456789"` is 12346.

    For amounts that the API calls a snapshot, not a bill, with any number of digits.

    Raises:
        FieldError: it is not a plain decimal number, or is more than ten billion USD.
    """
    if not _USD.fullmatch(text):
        raise FieldError(path, f"{text!r:.40} is not a decimal amount of USD")
    return micro_from_number(Decimal(text), path)


def micro_from_number(number: Decimal, path: str) -> MicroUsdc:
    """An amount of USD to the nearest micro-USDC, half to even.

    Raises:
        FieldError: it is not finite, or is more than ten billion USD.
    """
    if not number.is_finite():
        raise FieldError(path, f"{number} is not an amount of USD")
    # a number with an exponent may be too long to be written out
    small = number.adjusted() < len(str(LARGEST))
    micro = int(EXACT.to_integral_value(EXACT.multiply(number, _MICRO))) if small else LARGEST + 1
    if abs(micro) > LARGEST:
        raise FieldError(path, "the amount is more than ten billion USD")
    return MicroUsdc(micro)


@lru_cache(maxsize=256)
def plan_of(vcpus: int | None, memory_bytes: int | None) -> str | None:
    """What VMs of the same price have in common, but for their storage: `cpu-4-ram-8gb`."""
    if vcpus is None or memory_bytes is None:
        return None
    gib, rest = divmod(memory_bytes, GIB)
    return None if rest else f"cpu-{vcpus}-ram-{gib}gb"


def exact_price(amount: str | Decimal, path: str) -> Decimal:
    """A price of USD in micro-USDC, not rounded: to be multiplied first.

    Raises:
        FieldError: it is not a plain number, is below zero, or is more than ten billion USD.
    """
    if isinstance(amount, str) and not _USD.fullmatch(amount):
        raise FieldError(path, f"{amount!r:.40} is not a decimal amount of USD")
    number = Decimal(amount)
    not_negative(micro_from_number(number, path), path)
    return EXACT.multiply(number, _MICRO)


def not_negative(price: MicroUsdc, path: str) -> MicroUsdc:
    """The price, checked.

    Raises:
        FieldError: it is below zero.
    """
    if price < 0:
        raise FieldError(path, "a price is never negative")
    return price


def _build_datacenter(wire: _WireDatacenter | None) -> Datacenter | None:
    """The datacenter; `None` unless all parts of its name (`FR-PAR-1`) are known."""
    if wire is None or not wire.country_code or not wire.city_code or wire.city_index is None:
        return None
    return Datacenter(wire.country_code, wire.city_code, wire.city_index, wire.tier)


def _build_ports(wire: Sequence[_WirePort] | None) -> Ports | None:
    if wire is None:
        return None
    return tuple(sorted({_build_port(index, each) for index, each in enumerate(wire)}))


def _build_port(index: int, wire: _WirePort) -> Port:
    """The port. For a protocol other than tcp and udp, a missing or invalid number means all."""
    protocol, number = protocol_of(wire.protocol), wire.port
    if protocol not in _NUMBERED and (number is None or not 0 < number <= ALL_PORTS[1]):
        return Port(*ALL_PORTS, protocol)
    if number is None:
        raise FieldError(f"[{index}].port", f"{protocol} needs a port number")
    return port(number, protocol)


SSH_KEY: Final = msgspec.json.Decoder(_WireKey)
SSH_KEYS: Final = msgspec.json.Decoder(list[_WireKey])
cached_status = lru_cache(256)(status_of)
read_datacenter = shared(
    ".datacenter", msgspec.json.Decoder(_WireDatacenter | None), _build_datacenter
)
read_ports = shared(".ports", msgspec.json.Decoder(list[_WirePort] | None), _build_ports)
