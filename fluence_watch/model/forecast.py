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
    `first_vm_out` is when the first VM runs out of money without a top-up.
    """

    first_vm_out: datetime | None
    burn_per_day: MicroUsdc
    to_month_end: MicroUsdc
    unknown: int


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
    ends = (funded_until(vm, billing) for vm in vms if vm.is_billed)
    return AccountForecast(
        first_vm_out=min((until for until in ends if until is not None), default=None),
        burn_per_day=account_burn(vms, resources, billing),
        to_month_end=ahead.amount,
        unknown=ahead.unknown,
    )


def _is_priced(vm: Vm) -> bool:
    return vm.price is not None or not vm.is_billed
