"""What the month comes to by its end (UTC), from the stored state, as data."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.accounting import is_metered
from fluence_watch.model.billing import METERED, Billing, EpochBilling
from fluence_watch.model.money import MicroUsdc, in_usdc
from fluence_watch.model.month import month_ahead, month_begin
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """What the month comes to, if all that runs now is kept at its last known price. USDC.

    `charged` is in the ledger; `ahead` is `vms` and `resources` until the month's end. What is
    `left_out` is not in it, because its price or its next charge is unknown.
    `polled_at` is the last successful poll; of several accounts, the oldest one. Metered things are in
    the ledger until `counted_until`; it is `None` if there are none.
    The accounts that are `unpolled` have no successful poll in this month, and are not in `ahead`.
    """

    month: str
    total: Decimal | None
    charged: Decimal | None
    ahead: Decimal | None
    vms: int
    resources: int
    left_out: int
    polled_at: datetime
    counted_until: datetime | None
    unpolled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Ahead:
    """The same of one account, in micro-USDC."""

    amount: MicroUsdc
    vms: int
    resources: int
    left_out: int
    polled_at: datetime
    counted_until: datetime | None


def month_forecast(
    charged: MicroUsdc,
    states: Mapping[str, AccountState],
    epochs: Mapping[str, timedelta],
    now: datetime,
) -> MonthForecast | None:
    """The forecast for accounts. `None` if none of them had a successful poll in this month.

    `charged` is what the ledger has of the month, `epochs` the billing periods of prepaid accounts.
    """
    found = {name: _ahead(state, epochs[name], now) for name, state in states.items()}
    parts = [each for each in found.values() if each is not None]
    if not parts:
        return None
    ahead = MicroUsdc(sum(each.amount for each in parts))
    counted = [each.counted_until for each in parts if each.counted_until is not None]
    return MonthForecast(
        month=f"{now:%Y-%m}",
        total=in_usdc(MicroUsdc(charged + ahead)),
        charged=in_usdc(charged),
        ahead=in_usdc(ahead),
        vms=sum(each.vms for each in parts),
        resources=sum(each.resources for each in parts),
        left_out=sum(each.left_out for each in parts),
        polled_at=min(each.polled_at for each in parts),
        counted_until=min(counted, default=None),
        unpolled=tuple(name for name, each in found.items() if each is None),
    )


def _ahead(state: AccountState, epoch: timedelta, now: datetime) -> _Ahead | None:
    polled_at, counted_at = state.last_good_at, state.counted_at
    if polled_at is None or polled_at < month_begin(now):
        return None
    metered = is_metered(counted_at, polled_at)
    billing: Billing = METERED if metered else EpochBilling(epoch)
    counted_until = counted_at if metered else None
    vms, rented = _running(state)

    def known(vms: Collection[Vm], rented: Collection[Resource]) -> MicroUsdc | None:
        return month_ahead(vms, rented, billing, now, counted_until)

    of_vms = [each for vm in vms if (each := known([vm], ())) is not None]
    of_rest = [each for one in rented if (each := known((), [one])) is not None]
    left_out = len(vms) + len(rented) - len(of_vms) - len(of_rest)
    amount = MicroUsdc(sum(of_vms) + sum(of_rest))
    return _Ahead(amount, len(of_vms), len(of_rest), left_out, polled_at, counted_until)


def _running(state: AccountState) -> tuple[list[Vm], list[Resource]]:
    """What is listed and billed, as last known."""
    vms = [each.last_known for each in state.known.values() if each.missing_since is None]
    rented = [each.resource for each in state.resources.values() if each.missing_since is None]
    return [vm for vm in vms if vm.is_billed], [each for each in rented if each.is_billed]
