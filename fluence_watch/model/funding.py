"""How long funds last. Source: Fluence guide, "Managing your Virtual Machines", billing info.

A VM is paid until its next billing. Its reserve then pays whole epochs, each at its start.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Vm

FOREVER = datetime.max.replace(tzinfo=UTC)
DAYS_A_MONTH = 30
"""What a month of costs is, where no calendar month is meant."""

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


def funded_epochs(price: MicroUsdc, reserved: MicroUsdc) -> int | None:
    """How many whole epochs the reserve still pays. `None` if the VM is free."""
    return max(reserved, 0) // price if price > 0 else None


def is_short(thing: Vm | Resource) -> bool:
    """Whether its reserve is known not to pay an epoch."""
    if thing.price is None or thing.reserved is None:
        return False
    return funded_epochs(thing.price, thing.reserved) == 0


def funded_until(thing: Vm | Resource, billing: Billing = EPOCHS) -> datetime | None:
    """Until when something prepaid is paid for, including its reserve.

    `FOREVER` if it is free. `None` if the price, the reserve or the next billing is unknown.
    """
    if thing.price is None or thing.reserved is None or thing.next_billing_at is None:
        return None
    epochs = funded_epochs(thing.price, thing.reserved)
    if epochs is None:
        return FOREVER
    try:
        return thing.next_billing_at + epochs * billing.period
    except OverflowError:
        return FOREVER


class Priced(Protocol):
    """A VM, a disk, an address or a GPU instance."""

    @property
    def price(self) -> MicroUsdc | None:
        """The price of a `Billing.period`, `None` if unknown."""

    @property
    def is_billed(self) -> bool:
        """Whether it costs money from now on."""


def fleet_price(things: Iterable[Priced]) -> MicroUsdc:
    """The sum of the prices of what is billed. Unknown prices are left out."""
    return MicroUsdc(sum(each.price or 0 for each in things if each.is_billed))


def unpriced(things: Iterable[Priced]) -> int:
    """How many billed ones have an unknown price. A sum of prices leaves them out."""
    return sum(each.price is None for each in things if each.is_billed)


def burn_per_day(things: Iterable[Priced], billing: Billing = EPOCHS) -> MicroUsdc:
    """What they cost per day, if all are paid in the same way. Unknown prices are left out."""
    return MicroUsdc(fleet_price(things) * (_DAY // _TICK) // (billing.period // _TICK))


def account_burn(
    vms: Iterable[Vm], resources: Iterable[Resource], billing: Billing = EPOCHS
) -> MicroUsdc:
    """What an account costs per day, disks and addresses included. Unknown prices are left out."""
    return MicroUsdc(burn_per_day(vms, billing) + resources_burn(resources))


def resources_burn(resources: Iterable[Resource]) -> MicroUsdc:
    """What disks, addresses and GPU instances cost per day."""
    return MicroUsdc(sum(burn_per_day([each], each.billing) for each in resources))


def cost_until(
    thing: Vm | Resource, now: datetime, end: datetime, billing: Billing = EPOCHS
) -> MicroUsdc | None:
    """What it will cost from now to `end`. `None` if that is unknown.

    What is prepaid is charged at each boundary before `end`. What is metered costs every second,
    and a part of a micro-USDC counts as a whole one.
    """
    if not thing.is_billed:
        return MicroUsdc(0)
    if thing.price is None:
        return None
    if not billing.prepaid:
        ahead = max(end - now, timedelta(0)) // _TICK
        return MicroUsdc(-(-thing.price * ahead // (billing.period // _TICK)))
    if thing.next_billing_at is None:
        return None
    charges = -(-(end - thing.next_billing_at) // billing.period)
    return MicroUsdc(max(0, charges) * thing.price)


def lacking_for_month(
    thing: Vm | Resource, now: datetime, billing: Billing = EPOCHS
) -> MicroUsdc | None:
    """What its reserve lacks to pay the charges of the next 30 days. `None` if that is unknown."""
    cost = cost_until(thing, now, now + DAYS_A_MONTH * _DAY, billing)
    if cost is None or thing.reserved is None:
        return None
    return MicroUsdc(max(0, cost - max(thing.reserved, 0)))


def lacking_together(
    things: Iterable[Vm | Resource], now: datetime, billing: Billing = EPOCHS
) -> Sum:
    """What their reserves lack together to pay the charges of the next 30 days."""
    return Sum.of(lacking_for_month(each, now, billing) for each in things)


def dry_at(balance: MicroUsdc, burn: MicroUsdc, now: datetime) -> datetime:
    """When the balance is used up at `burn` per day. `FOREVER` if nothing is burned."""
    return _used_up(balance, burn, _DAY, now)


def account_funded_until(
    balance: MicroUsdc,
    vms: Collection[Vm],
    now: datetime,
    billing: Billing = EPOCHS,
    resources: Collection[Resource] = (),
) -> datetime | None:
    """Until when an account's balance pays for all that it rents. `FOREVER` if nothing is billed.

    `None` if a price is unknown, because the known prices alone overestimate the time.
    """
    if unpriced(vms) or unpriced(resources):
        return None
    if billing.prepaid and not resources:
        return _used_up(balance, fleet_price(vms), billing.period, now)
    return dry_at(balance, account_burn(vms, resources, billing), now)


def _used_up(balance: MicroUsdc, price: MicroUsdc, period: timedelta, now: datetime) -> datetime:
    if price <= 0:
        return FOREVER
    try:
        return now + (max(balance, 0) * (period // _TICK) // price) * _TICK
    except OverflowError:
        return FOREVER
