"""Cost forecasts for a VM and for an account. Amounts are micro-USDC."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.funding import (
    EPOCH,
    FOREVER,
    burn_per_day,
    charges_before,
    funded_until,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class VmForecast:
    """The forecast for a VM.

    `to_month_end` is the sum of the charges before the end of the month (UTC).
    `funded_until` is `None` for a VM that has ended.
    A value is `None` if the API does not report enough to compute it.
    """

    funded_until: datetime | None
    burn_per_day: MicroUsdc | None
    to_month_end: MicroUsdc | None


@dataclass(frozen=True, slots=True)
class AccountForecast:
    """Sums over the VMs of an account.

    `unknown` counts the VMs whose charges to the end of the month are unknown.
    `first_vm_out` is when the first VM runs out of money without a top-up.
    """

    first_vm_out: datetime | None
    burn_per_day: MicroUsdc
    to_month_end: MicroUsdc
    unknown: int


def month_end(now: datetime) -> datetime:
    """The first moment of the next month."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def forecast(vm: Vm, now: datetime, epoch: timedelta = EPOCH) -> VmForecast:
    """What the VM costs until the end of the month, and how long its reserve lasts."""
    until = funded_until(vm, epoch)
    return VmForecast(
        funded_until=until if vm.is_billed or until == FOREVER else None,
        burn_per_day=burn_per_day([vm], epoch) if _is_priced(vm) else None,
        to_month_end=_charges_to(month_end(now), vm, epoch),
    )


def account_forecast(
    vms: Collection[Vm], now: datetime, epoch: timedelta = EPOCH
) -> AccountForecast:
    """What the VMs cost together, and when the first one runs out of money."""
    end = month_end(now)
    charges = [_charges_to(end, vm, epoch) for vm in vms]
    ends = (funded_until(vm, epoch) for vm in vms if vm.is_billed)
    return AccountForecast(
        first_vm_out=min((until for until in ends if until is not None), default=None),
        burn_per_day=burn_per_day(vms, epoch),
        to_month_end=MicroUsdc(sum(each or 0 for each in charges)),
        unknown=sum(each is None for each in charges),
    )


def _is_priced(vm: Vm) -> bool:
    return vm.price is not None or not vm.is_billed


def _charges_to(end: datetime, vm: Vm, epoch: timedelta) -> MicroUsdc | None:
    charges = charges_before(vm, end, epoch)
    if charges is None or not _is_priced(vm):
        return None
    return MicroUsdc(charges * (vm.price or 0))
