"""An account as data."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.forecast import account_forecast
from fluence_watch.model.funding import account_funded_until, unpriced
from fluence_watch.model.money import in_usdc
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """An account and its costs. Amounts are USDC. `None` is unknown.

    `vms` is the number of readable VMs, `unread` the number of unreadable ones.
    Only some dialects report `balance`. `funded_until` is how long it pays for the VMs.
    `first_vm_out` is when the first VM has used up its reserve.
    `unpriced` VMs are not in `burn_per_day`, because their price is unknown.
    `vms_unknown` VMs are not in `to_month_end`, because their price or next billing is unknown.
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
    billing: Billing = EPOCHS,
    *,
    balance: AccountBalance | None = None,
    unread: int = 0,
    complete: bool = True,
) -> AccountOverview:
    """The view of an account as of `now`. `vms` is `None` until a list was read.

    If the list is not `complete` or has `unread` VMs, it is unknown how long the balance lasts.
    """
    ahead = None if vms is None else account_forecast(vms, now, billing)
    until = None
    if balance is not None and vms is not None and complete and not unread:
        until = account_funded_until(balance.balance, vms, now, billing)
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
