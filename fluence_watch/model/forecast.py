"""What the coming time costs: a VM and an account, from a list of VMs. Amounts are micro-USDC."""

from collections.abc import Iterable
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
    """`to_month_end` is what the charges before the end of the month (UTC) come to.

    What the API does not tell enough for is `None`.
    """

    vm: Vm
    funded_until: datetime | None
    burn_per_day: MicroUsdc | None
    to_month_end: MicroUsdc | None


@dataclass(frozen=True, slots=True)
class AccountForecast:
    """Sums over the VMs of an account; `unknown` of them could not be counted.

    `funded_until` is when the first of them runs dry, if nothing is topped up.
    """

    vms: tuple[VmForecast, ...]
    funded_until: datetime | None
    burn_per_day: MicroUsdc
    to_month_end: MicroUsdc
    unknown: int


def month_end(now: datetime) -> datetime:
    """The first moment of the next month."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def forecast(vms: Iterable[Vm], now: datetime, epoch: timedelta = EPOCH) -> AccountForecast:
    """What the VMs cost until the end of the month, and how long their money lasts."""
    each = tuple(_forecast(vm, month_end(now), epoch) for vm in vms)
    dry = [f.funded_until for f in each if f.vm.is_billed and f.funded_until is not None]
    return AccountForecast(
        vms=each,
        funded_until=min(dry, default=None),
        burn_per_day=MicroUsdc(sum(f.burn_per_day or 0 for f in each)),
        to_month_end=MicroUsdc(sum(f.to_month_end or 0 for f in each)),
        unknown=sum(f.burn_per_day is None or f.to_month_end is None for f in each),
    )


def _forecast(vm: Vm, end: datetime, epoch: timedelta) -> VmForecast:
    charges = charges_before(vm, end, epoch)
    known = vm.price is not None or not vm.is_billed
    until = funded_until(vm, epoch)
    return VmForecast(
        vm=vm,
        funded_until=until if vm.is_billed or until == FOREVER else None,
        burn_per_day=burn_per_day([vm], epoch) if known else None,
        to_month_end=None if charges is None or not known else MicroUsdc(charges * (vm.price or 0)),
    )
