"""Cost forecasts for a VM and for an account. Amounts are micro-USDC."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.funding import (
    FOREVER,
    account_burn,
    burn_per_day,
    cost_until,
    funded_until,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import Rented, month_ahead, month_end
from fluence_watch.model.resource import Resource
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
    """Sums over the VMs, disks and addresses of an account.

    `unknown` counts those whose charges to the end of the month are unknown.
    `first_vm_out` is when the first VM runs out of money without a top-up, and `first_out` which it is.
    """

    first_vm_out: datetime | None
    burn_per_day: MicroUsdc
    to_month_end: MicroUsdc
    unknown: int
    first_out: Vm | None = None


def forecast(vm: Vm, now: datetime, billing: Billing = EPOCHS) -> VmForecast:
    """What the VM costs until the end of the month, and how long its reserve lasts."""
    until = funded_until(vm, billing)
    return VmForecast(
        funded_until=until if vm.is_billed or until == FOREVER else None,
        burn_per_day=burn_per_day([vm], billing) if _is_priced(vm) else None,
        to_month_end=cost_until(vm, now, month_end(now), billing),
    )


def account_forecast(
    vms: Collection[Vm],
    now: datetime,
    billing: Billing = EPOCHS,
    resources: Collection[Resource] = (),
) -> AccountForecast:
    """What VMs, disks and addresses cost together, and when the first VM runs out of money."""
    ahead = month_ahead(Rented(vms, resources, billing), now)
    billed = ((funded_until(vm, billing), vm) for vm in vms if vm.is_billed)
    ends = [(until, vm) for until, vm in billed if until is not None]
    first = min(ends, key=lambda each: each[0], default=None)
    return AccountForecast(
        first_vm_out=first[0] if first else None,
        burn_per_day=account_burn(vms, resources, billing),
        to_month_end=ahead.amount,
        unknown=ahead.unknown,
        first_out=first[1] if first else None,
    )


def _is_priced(vm: Vm) -> bool:
    return vm.price is not None or not vm.is_billed
