"""A metered account owes money. Debt has deadlines, after which VMs, addresses and disks are removed.

The rule concerns APIs that report a balance and charge per second from it.
The deadlines are the latest ones: the debt may be older than its first sight.
That the account has no money left is the same problem: other rules about it are muted.

    step 0    VMs and public IPs are removed next
    step 1    their deadline has passed, disks are removed next
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.model.debt import VM_GRACE, removal_of, unpaid
from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.funding import DAYS_A_MONTH, FOREVER
from fluence_watch.model.horizon import Horizon, next_of, shifted
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import GPUS, Kind
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.rules.base import Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.runway import Paid, Runway, paid_now, runway_of
from fluence_watch.rules.situation import Situation

NAME = "debt"


class DebtSettings(RuleSettings):
    """How bad a debt is."""

    severity: Level = Severity.CRITICAL


@dataclass(frozen=True, slots=True)
class Debt:
    """What is owed and what everything costs per day, in micro-USDC, and what is removed when.

    A time is `None` if there is nothing to remove. A number is `None` if it is unknown. `uncounted` says
    that the cost is not complete, so that everything may be removed earlier.
    Counted is what is charged now: what is listed and billed, GPU instances (`gpus`) included, and what is
    `missing` from the lists and not lost yet. `to_add` pays the debt and 30 days of that.
    """

    owed: MicroUsdc
    burn_per_day: MicroUsdc
    vms_at: datetime | None
    disks_at: datetime | None
    vms: int
    public_ips: int | None
    disks: int | None
    uncounted: bool = False
    to_add: MicroUsdc | None = None
    gpus: int = 0
    missing: int = 0


def judge(situation: Situation, settings: DebtSettings) -> Judgement:
    """Report what is unpaid, whatever it is for."""
    snapshot = situation.snapshot
    if snapshot is None or situation.billing.prepaid:
        return Judgement()
    if snapshot.balance is None:
        return Judgement(unknown=frozenset({""}))
    if not unpaid(snapshot.balance):
        return Judgement()
    fingerprint = Fingerprint(situation.account, NAME)
    facts = _facts(situation, fingerprint)
    step = int(facts.vms_at is not None and facts.vms_at <= situation.now)
    return Judgement([Finding(fingerprint, settings.severity, facts, step=step)])


def _facts(situation: Situation, fingerprint: Fingerprint) -> Debt:
    snapshot = situation.snapshot
    assert snapshot
    assert snapshot.balance
    vms, rented = paid = paid_now(situation)
    since = situation.since.get(fingerprint)
    removal = removal_of(snapshot.balance, vms, rented, situation.now, since)
    counts = Counter(each.kind for each in rented)
    unlisted, owed = snapshot.unlisted, unpaid(snapshot.balance)
    runway = runway_of(situation, Runway)
    assert runway
    return Debt(
        owed=owed,
        burn_per_day=runway.burn_per_day,
        vms_at=None if removal.vms_at == FOREVER else removal.vms_at,
        disks_at=None if removal.disks_at == FOREVER else removal.disks_at,
        vms=len(vms),
        public_ips=None if Kind.PUBLIC_IP in unlisted else counts[Kind.PUBLIC_IP],
        disks=None if Kind.DISK in unlisted else counts[Kind.DISK],
        uncounted=bool(runway.uncounted or unlisted) or not snapshot.complete,
        to_add=MicroUsdc(owed + DAYS_A_MONTH * runway.burn_per_day),
        gpus=sum(counts[kind] for kind in GPUS),
        missing=_missing(snapshot, paid),
    )


def _missing(snapshot: Snapshot, paid: Paid) -> int:
    """How much of it is in no list."""
    absent = [vm for vm in paid.vms if vm.key not in snapshot.vms]
    return len(absent) + sum(each.key not in snapshot.resources for each in paid.resources)


def holds_until(situation: Situation, _settings: DebtSettings) -> Horizon:
    """Until what is owed was unpaid for too long. Other deadlines are reckoned from now."""
    if situation.billing.prepaid:
        return None
    since = situation.since.get(Fingerprint(situation.account, NAME), situation.now)
    return next_of(situation.now, [shifted(since, VM_GRACE)])


def _deadline(facts: object) -> datetime | None:
    return facts.vms_at if isinstance(facts, Debt) else None


RULE = Rule(
    NAME,
    DebtSettings,
    (Debt,),
    judge,
    impact=Impact.FUNDS,
    deadline=_deadline,
    mutes=frozenset({"funds_exhausted_soon", "account_low"}),
    holds_until=holds_until,
)
