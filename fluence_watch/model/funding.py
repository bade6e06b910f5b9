"""How long funds last. Source: Fluence guide, "Managing your Virtual Machines", billing info.

A VM is paid until its next billing. Its reserve then pays whole epochs, each at its start.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm

FOREVER = datetime.max.replace(tzinfo=UTC)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


def funded_epochs(price: MicroUsdc, reserved: MicroUsdc) -> int | None:
    """How many whole epochs the reserve still pays. `None` if the VM is free."""
    return max(reserved, 0) // price if price > 0 else None


def funded_until(vm: Vm, billing: Billing = EPOCHS) -> datetime | None:
    """Until when the VM is paid for, including its reserve.

    `FOREVER` if the VM is free. `None` if the price, the reserve or the next billing is unknown.
    """
    if vm.price is None or vm.reserved is None or vm.next_billing_at is None:
        return None
    epochs = funded_epochs(vm.price, vm.reserved)
    if epochs is None:
        return FOREVER
    try:
        return vm.next_billing_at + epochs * billing.period
    except OverflowError:
        return FOREVER


def fleet_price(vms: Iterable[Vm]) -> MicroUsdc:
    """The price of one epoch of all billed VMs. VMs with an unknown price are left out."""
    return MicroUsdc(sum(vm.price or 0 for vm in vms if vm.is_billed))


def unpriced(vms: Iterable[Vm]) -> int:
    """How many billed VMs have an unknown price. A sum of prices leaves them out."""
    return sum(vm.price is None for vm in vms if vm.is_billed)


def burn_per_day(vms: Iterable[Vm], billing: Billing = EPOCHS) -> MicroUsdc:
    """What the VMs cost per day. VMs with an unknown price are left out."""
    return MicroUsdc(fleet_price(vms) * (_DAY // billing.price_is_for))


def cost_until(vm: Vm, now: datetime, end: datetime, billing: Billing = EPOCHS) -> MicroUsdc | None:
    """What the VM will cost from now to `end`. `None` if that is unknown.

    What is prepaid is charged at each boundary before `end`. What is metered costs every second,
    and a part of a micro-USDC counts as a whole one.
    """
    if not vm.is_billed:
        return MicroUsdc(0)
    if vm.price is None:
        return None
    if not billing.prepaid:
        ahead = max(end - now, timedelta(0))
        return MicroUsdc(-(-vm.price * ahead // billing.price_is_for))
    if vm.next_billing_at is None:
        return None
    charges = -(-(end - vm.next_billing_at) // billing.price_is_for)
    return MicroUsdc(max(0, charges) * vm.price)


def dry_at(balance: MicroUsdc, burn: MicroUsdc, now: datetime) -> datetime:
    """When the balance is used up at `burn` per day. `FOREVER` if nothing is burned."""
    return _used_up(balance, burn, _DAY, now)


def account_funded_until(
    balance: MicroUsdc, vms: Collection[Vm], now: datetime, billing: Billing = EPOCHS
) -> datetime | None:
    """Until when an account's balance pays for its VMs. `FOREVER` if nothing is billed.

    `None` if a price is unknown, because the known prices alone overestimate the time.
    """
    return None if unpriced(vms) else _used_up(balance, fleet_price(vms), billing.period, now)


def _used_up(balance: MicroUsdc, price: MicroUsdc, period: timedelta, now: datetime) -> datetime:
    if price <= 0:
        return FOREVER
    try:
        return now + (max(balance, 0) * (period // _TICK) // price) * _TICK
    except OverflowError:
        return FOREVER
