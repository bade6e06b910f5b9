"""An account as data."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.forecast import account_forecast
from fluence_watch.model.funding import EPOCH, account_funded_until, unpriced
from fluence_watch.model.money import in_usdc
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """An account and what it costs; amounts are USDC, `None` is unknown.

    `vms` counts the VMs that could be read, `unread` those that could not. `balance` is told by
    some dialects alone; `funded_until` is how long it pays for the VMs, `first_vm_out` when the
    first VM has used up its own reserve. `unpriced` VMs are not in the burn, `vms_unknown` not in
    the sum to the month's end, for the API does not tell their price, or their next billing.
    """

    account: str
    vms: int | None
    unread: int
    balance: Decimal | None
    overage: Decimal | None
    funded_until: datetime | None
    first_vm_out: datetime | None
    burn_per_day: Decimal | None
    to_month_end: Decimal | None
    unpriced: int | None
    vms_unknown: int | None


def account_overview(
    account: str,
    vms: Collection[Vm] | None,
    now: datetime,
    epoch: timedelta = EPOCH,
    *,
    balance: AccountBalance | None = None,
    unread: int = 0,
    complete: bool = True,
) -> AccountOverview:
    """The view of an account as of `now`; `vms` is `None` as long as no list was read.

    Where the list is not `complete`, or some of it is `unread`, how long the balance lasts is
    unknown.
    """
    ahead = None if vms is None else account_forecast(vms, now, epoch)
    until = None
    if balance is not None and vms is not None and complete and not unread:
        until = account_funded_until(balance.balance, vms, now, epoch)
    return AccountOverview(
        account=account,
        vms=None if vms is None else len(vms),
        unread=unread,
        balance=in_usdc(balance.balance) if balance else None,
        overage=in_usdc(balance.overage) if balance else None,
        funded_until=until,
        first_vm_out=ahead.first_vm_out if ahead else None,
        burn_per_day=in_usdc(ahead.burn_per_day) if ahead else None,
        to_month_end=in_usdc(ahead.to_month_end) if ahead else None,
        unpriced=None if vms is None else unpriced(vms),
        vms_unknown=ahead.unknown if ahead else None,
    )
