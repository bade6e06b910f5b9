"""How long money lasts. Source: Fluence guide, "Managing your Virtual Machines", billing info.

A VM is paid until its next billing; its reserve then pays whole epochs, each at its start.
"""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm

EPOCH = timedelta(hours=24)
HOUR = timedelta(hours=1)  # what prices are for in the dialect `cloud`
FOREVER = datetime.max.replace(tzinfo=UTC)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)


def funded_epochs(price: MicroUsdc, reserved: MicroUsdc) -> int | None:
    """How many whole epochs the reserve still pays; `None` when the VM costs nothing."""
    return max(reserved, 0) // price if price > 0 else None


def funded_until(vm: Vm, epoch: timedelta = EPOCH) -> datetime | None:
    """Until when the VM is paid for, counting its reserve.

    `FOREVER` when it costs nothing, `None` when the API does not give what it takes to know.
    """
    if vm.price is None or vm.reserved is None or vm.next_billing_at is None:
        return None
    epochs = funded_epochs(vm.price, vm.reserved)
    if epochs is None:
        return FOREVER
    try:
        return vm.next_billing_at + epochs * epoch
    except OverflowError:
        return FOREVER


def fleet_price(vms: Iterable[Vm]) -> MicroUsdc:
    """What one epoch of all VMs that are still billed costs, not counting those in `unpriced`."""
    return MicroUsdc(sum(vm.price or 0 for vm in vms if vm.is_billed))


def unpriced(vms: Iterable[Vm]) -> int:
    """How many VMs are billed at a price that is unknown: with any, a sum of prices is too low."""
    return sum(vm.price is None for vm in vms if vm.is_billed)


def burn_per_day(vms: Iterable[Vm], epoch: timedelta = EPOCH) -> MicroUsdc:
    """What a day of the VMs costs, not counting those in `unpriced`."""
    return MicroUsdc(fleet_price(vms) * (_DAY // _priced_period(epoch)))


def charges_before(vm: Vm, end: datetime, epoch: timedelta = EPOCH) -> int | None:
    """How many charges of the VM fall before `end`; `None` when its next billing is unknown."""
    if not vm.is_billed:
        return 0
    if vm.next_billing_at is None:
        return None
    ahead = end - vm.next_billing_at
    return max(0, -(-ahead // _priced_period(epoch)))


def _priced_period(epoch: timedelta) -> timedelta:
    """What a price really pays: an hour in `cloud`, else a day.

    An epoch of another length is one of the simulator, which makes its epochs shorter and not its
    prices lower: what a fleet costs a day or a month must not depend on it.
    """
    return HOUR if epoch == HOUR else EPOCH


def dry_at(balance: MicroUsdc, burn: MicroUsdc, now: datetime) -> datetime:
    """When a balance is used up at so much a day; `FOREVER` when nothing is burned."""
    return _used_up(balance, burn, _DAY, now)


def account_funded_until(
    balance: MicroUsdc, vms: Collection[Vm], now: datetime, epoch: timedelta = EPOCH
) -> datetime | None:
    """Until when an account's balance pays for its VMs; `FOREVER` when nothing is billed.

    `None` when a price is unknown: what is known would make it last too long.
    """
    return None if unpriced(vms) else _used_up(balance, fleet_price(vms), epoch, now)


def _used_up(balance: MicroUsdc, price: MicroUsdc, period: timedelta, now: datetime) -> datetime:
    if price <= 0:
        return FOREVER
    try:
        return now + (max(balance, 0) * (period // _TICK) // price) * _TICK
    except OverflowError:
        return FOREVER
