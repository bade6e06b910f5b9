"""An epoch is about to be charged. Source: Fluence guide, "Deleting a VM", billing info.

Each VM and epoch has one alert.
To send few messages, time is divided into windows of `lead_time`, starting at the Unix epoch.
When the first boundary of a window is `lead_time` away, all alerts of that window fire together.
Every alert fires at least `lead_time` ahead, and a day has at most one message per window.
If an epoch is shorter than a day and at most `lead_time` long, a charge is always near.
In that case the rule reports nothing, and neither where billing is not by the epoch.

The boundaries of a VM are an epoch apart.
A boundary that the API moves by seconds between polls is still the same boundary and alert.
While the alert is open, this also holds if the moved boundary has just passed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import Field

from fluence_watch.model.billing import EPOCH, EpochBilling
from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.horizon import Horizon, next_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.situation import Situation

NAME = "billing_due"
_TOLERANCE = timedelta(minutes=1)
_START = datetime(1970, 1, 1, tzinfo=UTC)


class BillingDueSettings(RuleSettings):
    """How early to notify of a charge."""

    severity: Level = Severity.INFO
    lead_time: Duration = Field(
        default=timedelta(hours=1),
        gt=timedelta(0),
        le=timedelta(days=30),
        description="how long before a charge to notify; charges this close together share a message",
    )


@dataclass(frozen=True, slots=True)
class BillingDue:
    """The upcoming charge and the VM's reserve, in micro-USDC, and its time."""

    vm: VmRef
    price: MicroUsdc | None
    due_at: datetime
    reserved: MicroUsdc | None = None


def judge(situation: Situation, settings: BillingDueSettings) -> Judgement:
    """Report the VMs of every window whose first boundary is at most `lead_time` away."""
    now, lead = situation.now, settings.lead_time
    billing = situation.billing
    if not isinstance(billing, EpochBilling) or billing.period <= lead < EPOCH:
        return Judgement()  # a charge is always near
    windows: dict[int, list[tuple[datetime, Vm]]] = defaultdict(list)
    soon = now + 2 * lead
    boundaries = _OpenBoundaries(situation)
    near = [vm for vm in situation.vms.values() if (at := vm.next_billing_at) and at <= soon]
    for due_at, vm in _upcoming(near, now, boundaries):
        windows[(due_at - _START) // lead].append((due_at, vm))
    findings = [
        _finding(situation, settings, vm, due_at, boundaries.find(vm, due_at) or due_at)
        for window in windows.values()
        if min(due_at for due_at, _ in window) - now <= lead
        for due_at, vm in window
    ]
    ended = frozenset(key for key, vm in situation.vms.items() if not vm.is_billed)
    return Judgement(findings, gone=ended)


class _OpenBoundaries:
    """The boundaries that have an open alert."""

    def __init__(self, situation: Situation) -> None:
        self.tolerance = min(_TOLERANCE, situation.billing.period / 8)
        self._boundaries: defaultdict[str, list[datetime]] = defaultdict(list)
        for alert in situation.alerts:
            if alert.rule == NAME:
                self._boundaries[alert.subject].append(datetime.fromisoformat(alert.key))

    def find(self, vm: Vm, due_at: datetime) -> datetime | None:
        """The boundary as stored in its alert, if it has an open one."""
        candidates = self._boundaries.get(vm.key, ())
        return next((each for each in candidates if abs(each - due_at) <= self.tolerance), None)


def _upcoming(
    vms: Iterable[Vm], now: datetime, boundaries: _OpenBoundaries
) -> Iterable[tuple[datetime, Vm]]:
    for vm in vms:
        due_at = vm.next_billing_at
        if due_at is None or vm.price == 0 or not vm.is_billed:
            continue
        if due_at > now or (now < due_at + boundaries.tolerance and boundaries.find(vm, due_at)):
            yield due_at, vm


def _finding(
    situation: Situation,
    settings: BillingDueSettings,
    vm: Vm,
    due_at: datetime,
    boundary: datetime,
) -> Finding:
    fingerprint = Fingerprint(situation.account, NAME, vm.key, boundary.isoformat())
    facts = BillingDue(ref(vm), vm.price, due_at, vm.reserved)
    return Finding(fingerprint, settings.severity, facts, relevant_until=due_at)


def holds_until(situation: Situation, settings: BillingDueSettings) -> Horizon:
    """Until the first boundary of a window comes near, or any boundary passes."""
    now, lead, boundaries = situation.now, settings.lead_time, _OpenBoundaries(situation)
    upcoming = {due_at for due_at, _ in _upcoming(situation.vms.values(), now, boundaries)}
    first: dict[int, datetime] = {}
    for due_at in sorted(upcoming):
        first.setdefault((due_at - _START) // lead, due_at)
    near = (due_at - lead for due_at in first.values())
    return next_of(now, [*near, *upcoming, *(each + boundaries.tolerance for each in upcoming)])


RULE = Rule(
    NAME,
    BillingDueSettings,
    (BillingDue,),
    judge,
    sends_resolved=False,
    impact=Impact.COST,
    holds_until=holds_until,
)
