"""Snapshots as types that JSON has, part by part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import HOURS, METERED, Billing, EpochBilling
from fluence_watch.model.charge import Charge
from fluence_watch.model.market import Market, Quote, offers_of
from fluence_watch.model.resource import Kind
from fluence_watch.model.snapshot import Rejected, Snapshot
from fluence_watch.model.ssh_key import SshKey

_EPOCHS, _HOURLY, _METERED = "epochs", "hourly", "metered"


class Paid(NamedTuple):
    """The way in which VMs are paid, and the length of an epoch, if there are epochs."""

    way: str
    epoch: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A market: its quotes in one list."""

    quotes: tuple[Quote, ...] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rest:
    """What a snapshot has beside its account, its time, its VMs and its resources."""

    rejected: tuple[Rejected, ...] = ()
    dialect: str = "v2"
    ssh_keys: tuple[SshKey, ...] | None = None
    balance: AccountBalance | None = None
    incomplete_because: str | None = None
    billing: Paid | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[Kind] = frozenset()
    permissions: Mapping[str, bool] = field(default_factory=dict)
    charges: tuple[Charge, ...] | None = None
    market: Asked | None = None


def rest_of(snapshot: Snapshot) -> Rest:
    """What is beside the VMs and the resources."""
    return Rest(
        snapshot.rejected,
        snapshot.dialect,
        snapshot.ssh_keys,
        snapshot.balance,
        snapshot.incomplete_because,
        _paid(snapshot.billing),
        snapshot.unknown,
        snapshot.kinds,
        snapshot.permissions,
        snapshot.charges,
        _asked(snapshot.market),
    )


def with_rest(snapshot: Snapshot, rest: Rest) -> Snapshot:
    """The snapshot with this beside its VMs and its resources."""
    return Snapshot(
        snapshot.account,
        snapshot.taken_at,
        snapshot.vms,
        rest.rejected,
        rest.dialect,
        rest.ssh_keys,
        rest.balance,
        rest.incomplete_because,
        _billing(rest.billing),
        rest.unknown,
        snapshot.resources,
        rest.kinds,
        rest.permissions,
        rest.charges,
        _market(rest.market),
    )


def _paid(billing: Billing | None) -> Paid | None:
    if isinstance(billing, EpochBilling):
        return Paid(_EPOCHS, billing.period)
    if billing is None:
        return None
    return Paid(_HOURLY if billing.prepaid else _METERED)


def _billing(paid: Paid | None) -> Billing | None:
    if paid is None:
        return None
    if paid.epoch is not None:
        return EpochBilling(paid.epoch)
    return METERED if paid.way == _METERED else HOURS


def _asked(market: Market | None) -> Asked | None:
    if market is None:
        return None
    places = (place for offers in market.offers.values() for place in offers.values())
    return Asked(
        tuple(quote for quotes in places for quote in quotes), market.places, market.unknown
    )


def _market(asked: Asked | None) -> Market | None:
    return Market(offers_of(asked.quotes), asked.places, asked.unknown) if asked else None
