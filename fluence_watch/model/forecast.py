"""Cost forecasts for a VM and for an account. Amounts are micro-USDC."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.funding import (
    FOREVER,
    account_burn,
    burn_per_day,
    cost_until,
    funded_until,
)
from fluence_watch.model.money import MicroUsdc
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


def month_begin(now: datetime) -> datetime:
    """The first moment of the month."""
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def month_end(now: datetime) -> datetime:
    """The first moment of the next month."""
    return (month_begin(now) + timedelta(days=32)).replace(day=1)


def month_ahead(
    vms: Collection[Vm],
    resources: Collection[Resource],
    billing: Billing,
    now: datetime,
    counted_at: datetime | None,
) -> MicroUsdc | None:
    """What the month will add to the ledger, if all that runs is kept; `None` if that is unknown.

    `counted_at` is until when metered things are in the ledger already.
    """
    begin, end = max(counted_at or now, month_begin(now)), month_end(now)
    things = [(vm, billing) for vm in vms] + [(each, each.billing) for each in resources]
    charges = [
        cost_until(thing, now if paid.prepaid else begin, end, paid) for thing, paid in things
    ]
    if any(each is None for each in charges):
        return None
    return MicroUsdc(sum(filter(None, charges)))


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
    end = month_end(now)
    charges = [cost_until(vm, now, end, billing) for vm in vms]
    charges += [cost_until(each, now, end, each.billing) for each in resources]
    ends = (funded_until(vm, billing) for vm in vms if vm.is_billed)
    return AccountForecast(
        first_vm_out=min((until for until in ends if until is not None), default=None),
        burn_per_day=account_burn(vms, resources, billing),
        to_month_end=MicroUsdc(sum(each or 0 for each in charges)),
        unknown=sum(each is None for each in charges),
    )


def _is_priced(vm: Vm) -> bool:
    return vm.price is not None or not vm.is_billed
