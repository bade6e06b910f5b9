"""An account as data."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.debt import Removal
from fluence_watch.model.forecast import AccountForecast, account_forecast
from fluence_watch.model.funding import FOREVER, account_funded_until, unpriced
from fluence_watch.model.money import in_usdc
from fluence_watch.model.resource import GPUS, Kind, Resource
from fluence_watch.model.vm import Vm
from fluence_watch.views.vm import vm_title


@dataclass(frozen=True, slots=True)
class AccountOverview:
    """An account and its costs. Amounts are USDC. `None` is unknown.

    `vms` is the number of readable VMs, `unread` the number of unreadable ones.
    `disks`, `public_ips` and `gpus` are those that are billed by themselves; `None` where these are
    not watched, or not known in full. `unlisted` are the kinds whose list is not complete: `disks`.
    Only some dialects report `balance`. `funded_until` is how long it pays for everything.
    `first_vm_out` is when the first VM has used up its reserve, `first_vm` is that VM's name and id.
    In a metered account, unpaid VMs and addresses are removed at `vms_removed_at`, disks later.
    What is `unpriced` is not in `burn_per_day`, because its price is unknown.
    What is `vms_unknown` is not in `to_month_end`, because its price or next billing is unknown.
    """

    account: str
    vms: int | None
    unread: int
    disks: int | None
    public_ips: int | None
    gpus: int | None
    unlisted: tuple[str, ...]
    balance: Decimal | None
    overage: Decimal | None
    funded_until: datetime | None
    vms_removed_at: datetime | None
    disks_removed_at: datetime | None
    first_vm_out: datetime | None
    burn_per_day: Decimal | None
    to_month_end: Decimal | None
    unpriced: int | None
    vms_unknown: int | None
    first_vm: str | None = None


def account_overview(
    account: str,
    vms: Collection[Vm] | None,
    now: datetime,
    billing: Billing = EPOCHS,
    *,
    balance: AccountBalance | None = None,
    unread: int = 0,
    complete: bool = True,
    resources: Collection[Resource] = (),
    kinds: Collection[Kind] = (),
    unlisted: Collection[Kind] = (),
    removal: Removal | None = None,
) -> AccountOverview:
    """The view of an account as of `now`. `vms` is `None` until a list was read.

    If a list is not `complete` or has `unread` VMs, it is unknown how long the balance lasts.
    `removal` is when unpaid resources are removed, if the account is metered.
    """
    ahead = None if vms is None else account_forecast(vms, now, billing, resources)
    whole = vms is not None and complete and not unread and not unlisted
    until = None
    if balance is not None and vms is not None and whole:
        until = account_funded_until(balance.balance, vms, now, billing, resources)
    counts = Counter(each.kind for each in resources if each.is_billed)

    def number(*of: Kind) -> int | None:
        known = all(kind in kinds and kind not in unlisted for kind in of)
        return sum(counts[kind] for kind in of) if known else None

    return AccountOverview(
        account=account,
        vms=None if vms is None else len(vms),
        unread=unread,
        disks=number(Kind.DISK),
        public_ips=number(Kind.PUBLIC_IP),
        gpus=number(*GPUS),
        unlisted=tuple(sorted(kind.words for kind in unlisted)),
        balance=in_usdc(balance.balance) if balance else None,
        overage=in_usdc(balance.overage) if balance else None,
        funded_until=until,
        vms_removed_at=removal.vms_at if removal else None,
        disks_removed_at=removal.disks_at if removal else None,
        first_vm_out=ahead.first_vm_out if ahead else None,
        burn_per_day=in_usdc(ahead.burn_per_day) if ahead else None,
        to_month_end=in_usdc(ahead.to_month_end) if ahead else None,
        unpriced=None if vms is None else unpriced(vms) + unpriced(resources),
        vms_unknown=ahead.unknown if ahead else None,
        first_vm=_first(ahead) if ahead else None,
    )


def _first(ahead: AccountForecast) -> str | None:
    """The VM that runs out of money first, unless none ever does."""
    vm = ahead.first_out
    return vm_title(vm.id, vm.name) if vm and ahead.first_vm_out != FOREVER else None
