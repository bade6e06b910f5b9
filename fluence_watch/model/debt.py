"""What an unpaid metered account loses, and when.

Source: the documentation of the generation `cloud`.
If the balance runs out, resources go on for a while. When the unpaid amount exceeds 5 USD or stays
unpaid for 3 days, VMs and public IPs are removed. When it reaches 20 USD or is still unpaid 10 days
later, disks are deleted as well.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import METERED, Billing
from fluence_watch.model.funding import FOREVER, burn_per_day, dry_at, resources_burn, unpriced
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.vm import Vm

VM_DEBT, DISK_DEBT = MicroUsdc(5_000_000), MicroUsdc(20_000_000)
VM_GRACE, DISK_GRACE = timedelta(days=3), timedelta(days=13)


@dataclass(frozen=True, slots=True)
class Removal:
    """When unpaid resources are removed at the latest, if nothing is paid and nothing is deleted.

    `runs_out_at` is when the balance is used up, in the past if it is. `FOREVER` is never.
    """

    runs_out_at: datetime
    vms_at: datetime
    disks_at: datetime

    def of(self, kind: Kind) -> datetime:
        """When an unpaid resource of that kind is removed."""
        return self.disks_at if kind is Kind.DISK else self.vms_at


def removal_in(
    snapshot: Snapshot, billing: Billing, owed_since: datetime | None = None
) -> Removal | None:
    """When what is listed in a snapshot is removed. `None` if it is not metered or not known.

    `owed_since` is when the debt was first seen, by default when the snapshot was taken.
    """
    vms, rented = snapshot.vms.values(), snapshot.resources.values()
    priced = not unpriced(vms) and not unpriced(rented)
    if billing.prepaid or snapshot.balance is None or not (snapshot.is_whole and priced):
        return None
    return removal_of(snapshot.balance, vms, rented, snapshot.taken_at, owed_since)


def unpaid(balance: AccountBalance) -> MicroUsdc:
    """What the account owes: its overage, or what its balance is below zero."""
    return MicroUsdc(max(0, -balance.balance, balance.overage or 0))


def removes(
    balance: AccountBalance, now: datetime, owed_since: datetime | None
) -> frozenset[Kind | None]:
    """What is removed for a debt by now: kinds, and `None` for VMs.

    `owed_since` is when the debt was first seen.
    """
    owed, since = unpaid(balance), owed_since or now
    gone: set[Kind | None] = set()
    if owed > VM_DEBT or (owed and now - since >= VM_GRACE):
        gone |= {None, Kind.PUBLIC_IP}
    if owed >= DISK_DEBT or (owed and now - since >= DISK_GRACE):
        gone.add(Kind.DISK)
    return frozenset(gone)


def removal_of(
    balance: AccountBalance,
    vms: Collection[Vm],
    resources: Collection[Resource],
    now: datetime,
    owed_since: datetime | None = None,
) -> Removal:
    """When a metered account loses what. `owed_since` is when its debt was first seen.

    GPU instances are prepaid: they end when they cannot be paid, and owe nothing.
    """
    resources = [each for each in resources if not each.is_gpu]
    disks = [each for each in resources if each.kind is Kind.DISK]
    disk_burn = resources_burn(disks)
    burn = MicroUsdc(burn_per_day(vms, METERED) + resources_burn(resources))
    owed = unpaid(balance)
    start = now if owed else dry_at(balance.balance, burn, now)
    since = (owed_since or now) if owed else start
    if start == FOREVER:
        return Removal(FOREVER, FOREVER, FOREVER)
    vms_at = min(_later(since, VM_GRACE), _reaches(VM_DEBT, owed, burn, start))
    grown = _owed_at(vms_at, owed, burn, start)
    disks_at = min(
        _later(since, DISK_GRACE),
        _reaches(DISK_DEBT, grown, disk_burn, max(vms_at, start)),
    )
    return Removal(since, vms_at, disks_at)


def _reaches(debt: MicroUsdc, owed: MicroUsdc, burn: MicroUsdc, start: datetime) -> datetime:
    """When what is owed at `start` reaches the debt."""
    return dry_at(MicroUsdc(debt - owed), burn, start) if owed < debt else start


def _owed_at(at: datetime, owed: MicroUsdc, burn: MicroUsdc, start: datetime) -> MicroUsdc:
    if at <= start:
        return owed
    return MicroUsdc(owed + burn * (at - start) // timedelta(days=1))


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return FOREVER
