"""Reads what the API reports of the account and the service. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TypeVar

import msgspec

from fluence_watch.fluence.dialects.parts import SSH_KEY, Small, rounded_usd
from fluence_watch.fluence.dialects.wire import FieldError, decoded, locate, tolerant
from fluence_watch.model.account import AccountBalance, ServiceStatus
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.text import inert
from fluence_watch.model.vm import Datacenter

_MOST_DAYS = 10**6
_Wire = TypeVar("_Wire")


class _Datacenter(msgspec.Struct, rename="camel"):
    id: str
    country_code: str
    city_code: str
    index: Small
    tier: Small | None = None


class _Cluster(msgspec.Struct, rename="camel"):
    id: str
    dc_id: str


class _Items(msgspec.Struct):
    items: list[msgspec.Raw]


class _Entitlement(msgspec.Struct, rename="camel"):
    balance: str
    feature_key: str = ""
    overage: str | None = None
    total_deposited_amount: str | None = None
    usage_days_left: int | None = None


class _User(msgspec.Struct):
    permissions: list[str]


class _Status(msgspec.Struct, rename="camel"):
    maintenance_mode: bool
    version: str | None = None


def read_places(clusters: bytes, datacenters: bytes) -> Mapping[str, Datacenter]:
    """The datacenter of each cluster, by the cluster's id. Unreadable ones are left out.

    Raises:
        ValueError, RecursionError: one of the bodies is not a list.
    """
    known = {
        each.id.lower(): Datacenter(each.country_code, each.city_code, each.index, each.tier)
        for each in _readable(decoded(_ITEMS, datacenters).items, _DATACENTER)
        if each.country_code and each.city_code
    }
    return {
        each.id.lower(): known[each.dc_id.lower()]
        for each in _readable(decoded(_ITEMS, clusters).items, _CLUSTER)
        if each.dc_id.lower() in known
    }


def read_balance(body: bytes) -> AccountBalance:
    """The account's balance, which the API calls an entitlement.

    Of several entitlements, the one with a deposit counts. If none or several have a deposit, the
    balance is unknown, because entitlements of different kinds do not add up.

    Raises:
        ValueError, RecursionError: it cannot be read, or there is no single balance.
    """
    entitlements = decoded(_ENTITLEMENTS, body)
    paid = [(index, each) for index, each in enumerate(entitlements) if _is_paid(index, each)]
    chosen = list(enumerate(entitlements)) if len(entitlements) == 1 else paid
    if len(chosen) != 1:
        keys = inert(", ".join(each.feature_key for each in entitlements))
        raise ValueError(
            f"there is no single balance: {keys}" if keys else "there is no entitlement"
        )
    ((index, entitlement),) = chosen
    days = entitlement.usage_days_left
    return AccountBalance(
        balance=rounded_usd(entitlement.balance, f"[{index}].balance"),
        days_left=days if days is None or 0 <= days <= _MOST_DAYS else None,
        overage=_optional_usd(entitlement.overage, f"[{index}].overage"),
    )


def read_permissions(body: bytes) -> frozenset[str]:
    """The scopes of the key.

    Raises:
        ValueError, RecursionError: they cannot be read.
    """
    return frozenset(decoded(_USER, body).permissions)


def read_status(body: bytes) -> ServiceStatus:
    """Whether the API is in maintenance.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    wire = decoded(_STATUS, body)
    return ServiceStatus(wire.maintenance_mode, inert(wire.version or "") or None)


def read_keys(items: Iterable[msgspec.Raw]) -> tuple[SshKey, ...]:
    """The keys of a list.

    Raises:
        FieldError: one of them cannot be read.
    """
    return tuple(_key(item, f".items[{index}]") for index, item in enumerate(items))


def read_key(body: bytes) -> SshKey:
    """One key.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    return decoded(SSH_KEY, body).model("")


def _key(item: msgspec.Raw, path: str) -> SshKey:
    try:
        return SSH_KEY.decode(item).model("")
    except (ValueError, RecursionError) as error:
        inner, why = locate(error)
        raise FieldError(path + inner, why) from None


def _is_paid(index: int, entitlement: _Entitlement) -> bool:
    return bool(
        _optional_usd(entitlement.total_deposited_amount, f"[{index}].totalDepositedAmount")
    )


def _optional_usd(text: str | None, path: str) -> MicroUsdc | None:
    return None if text is None else rounded_usd(text, path)


def _readable(
    items: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[_Wire]
) -> Iterator[_Wire]:
    for item in items:
        with suppress(ValueError, RecursionError):
            yield tolerant(decoder.decode, item)


_DATACENTER = msgspec.json.Decoder(_Datacenter)
_CLUSTER = msgspec.json.Decoder(_Cluster)
_ITEMS = msgspec.json.Decoder(_Items)
_ENTITLEMENTS = msgspec.json.Decoder(list[_Entitlement])
_USER = msgspec.json.Decoder(_User)
_STATUS = msgspec.json.Decoder(_Status)
