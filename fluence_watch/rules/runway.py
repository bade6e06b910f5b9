"""How long an account's balance pays for all that it rents. Shared by the rules about it.

The burn is the daily cost of all VMs, disks, addresses and GPU instances.
It includes what is missing and not lost yet, because that may still be charged.
A short list therefore never makes the balance look sufficient.
An unknown price makes the burn too low: the balance can be found low, but not sufficient.

VMs and resources without a price, unreadable VMs, and kinds of resources whose list is not complete
are unknown. So are all VMs if the list is incomplete.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.debt import removal_of
from fluence_watch.model.finding import Absence
from fluence_watch.model.funding import FOREVER, account_burn, dry_at, unpriced
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Vm
from fluence_watch.rules.situation import Situation

_NOTHING, _DAY = timedelta(0), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Runway:
    """The balance and the daily cost, in micro-USDC. Without a cost, the balance is a debt.

    `days` is how long the balance lasts, rounded down to a tenth. `dry_at` is when it runs out.
    `days_left` is the API's own estimate.
    `uncounted` is the number of VMs, disks and addresses that are not in the cost, because their
    price is unknown. `unlisted` are the kinds of which some may be missing: `disks`.
    In a metered account, `vms_at` and `disks_at` are when unpaid ones are removed.
    """

    balance: MicroUsdc
    burn_per_day: MicroUsdc
    days: Decimal
    dry_at: datetime | None
    days_left: int | None = None
    uncounted: int = 0
    unlisted: tuple[str, ...] = ()
    metered: bool = False
    vms_at: datetime | None = None
    disks_at: datetime | None = None

    @property
    def is_used_up(self) -> bool:
        """Whether there is a debt, or nothing for what costs money."""
        return self.balance < 0 or bool(self.burn_per_day and not self.balance)

    def left(self, now: datetime) -> timedelta | None:
        """How long it lasts, whether we or the API reckon so. `None` if it has no end."""
        if self.is_used_up:
            return _NOTHING
        ends = [] if self.dry_at is None else [self.dry_at - now]
        if self.days_left is not None:
            ends.append(min(self.days_left, _DAY.max.days) * _DAY)
        return min(ends, default=None)


R = TypeVar("R", bound=Runway)


def runway_of(situation: Situation, kind: type[R]) -> R | None:
    """The runway of the account, as facts of that kind. `None` if the balance is unknown."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.balance is None:
        return None
    vms, rented = paid_now(situation)
    balance = snapshot.balance
    burn = account_burn(vms, rented, situation.billing)
    days = 10 * max(balance.balance, 0) // burn if burn else 0
    nameless = sum(1 for element in snapshot.rejected if not element.vm_id)
    return kind(
        balance=balance.balance,
        burn_per_day=burn,
        days=Decimal(days).scaleb(-1),
        days_left=balance.days_left,
        uncounted=unpriced(vms) + unpriced(rented) + len(snapshot.unread) + nameless,
        unlisted=tuple(sorted(each.words for each in snapshot.unlisted)),
        metered=not situation.billing.prepaid,
        **_ends(situation, balance, burn),
    )


def _ends(
    situation: Situation, balance: AccountBalance, burn: MicroUsdc
) -> dict[str, datetime | None]:
    """When the balance runs out, and when what is metered is removed then."""
    dry = dry_at(balance.balance, burn, situation.now)
    if dry == FOREVER:
        return {"dry_at": None}
    if situation.billing.prepaid:
        return {"dry_at": dry}
    removal = removal_of(balance, *paid_now(situation), situation.now)
    return {"dry_at": dry, "vms_at": removal.vms_at, "disks_at": removal.disks_at}


def why_not_low(situation: Situation, runway: Runway) -> Absence:
    """What it means that a balance is not found low: over only if nothing is unknown.

    It is gone where there is nothing to pay for.
    """
    snapshot = situation.snapshot
    assert snapshot
    if runway.uncounted or runway.unlisted or not snapshot.complete:
        return Absence.UNKNOWN
    if runway.burn_per_day:
        return Absence.OVER
    return Absence.UNKNOWN if any(vm.is_billed for vm in _missing(situation)) else Absence.GONE


class Paid(NamedTuple):
    """What is charged now, as far as is known."""

    vms: Sequence[Vm]
    resources: Sequence[Resource]


def paid_now(situation: Situation) -> Paid:
    """What costs money: what is listed, and what is in no list and not lost yet."""
    snapshot = situation.snapshot
    assert snapshot
    vms = [*snapshot.vms.values(), *_missing(situation)]
    resources = [*snapshot.resources.values(), *_missing_resources(situation)]
    return Paid(
        [each for each in vms if each.is_billed], [each for each in resources if each.is_billed]
    )


def _missing(situation: Situation) -> list[Vm]:
    """The VMs that are in no list and may still run."""
    return [entry.vm for entry in situation.presence.undecided.values()]


def _missing_resources(situation: Situation) -> Iterator[Resource]:
    """The disks, addresses and GPU instances that are in no list and may still be there."""
    assert situation.snapshot
    lost = {entry.resource.key for entry in situation.missing.lost}
    for key, entry in situation.resources.items():
        if key not in situation.snapshot.resources and key not in lost:
            yield entry.resource
