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
    """What the VMs cost in 24 hours, not counting those in `unpriced`, rounded up."""
    day, length = _DAY // _TICK, epoch // _TICK  # whole numbers: no price is too high for them
    return MicroUsdc(-(-fleet_price(vms) * day // length))


def charges_before(vm: Vm, end: datetime, epoch: timedelta = EPOCH) -> int | None:
    """How many charges of the VM fall before `end`; `None` when its next billing is unknown."""
    if not vm.is_billed:
        return 0
    if vm.next_billing_at is None:
        return None
    ahead = end - vm.next_billing_at
    return max(0, -(-ahead // epoch))


def dry_at(balance: MicroUsdc, burn: MicroUsdc, now: datetime) -> datetime:
    """When a balance is used up at so much a day; `FOREVER` when nothing is burned."""
    if burn <= 0:
        return FOREVER
    try:
        return now + (max(balance, 0) * (_DAY // _TICK) // burn) * _TICK
    except OverflowError:
        return FOREVER


def account_funded_until(
    balance: MicroUsdc, vms: Collection[Vm], now: datetime, epoch: timedelta = EPOCH
) -> datetime | None:
    """Until when an account's balance pays for its VMs; `FOREVER` when nothing is billed.

    `None` when a price is unknown: what is known would make it last too long.
    """
    return None if unpriced(vms) else dry_at(balance, burn_per_day(vms, epoch), now)
