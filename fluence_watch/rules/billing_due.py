"""An epoch is about to be charged. Source: Fluence guide, "Deleting a VM", billing info.

One alert a VM and epoch. To be calm, time is cut into windows as long as `lead_time`, counted from
midnight UTC of 1970; when the first boundary of a window is `lead_time` away, all of that window
are told together. Where an epoch is shorter than a day and no longer than `lead_time` (an hour in `cloud`), a charge
is always near, and nothing is told. So everybody has at least `lead_time`, and a day brings no more messages than
it has windows.

Boundaries of a VM are an epoch apart. One that the API moves by seconds between polls is the same,
so that it is one alert; where its alert is open, also when the moved one has just passed.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import EPOCH
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings, Situation

NAME = "billing_due"
_WOBBLE = timedelta(minutes=1)
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
    """What is charged, in micro-USDC, and when."""

    vm: VmRef
    price: MicroUsdc | None
    due_at: datetime


def judge(situation: Situation, settings: BillingDueSettings) -> Judgement:
    """Find the VMs of every window whose first boundary is `lead_time` away or nearer."""
    now, lead = situation.now, settings.lead_time
    if situation.epoch <= lead < EPOCH:
        return Judgement()  # it is always due
    windows: dict[int, list[tuple[datetime, Vm]]] = defaultdict(list)
    told = _Told(situation)
    for due_at, vm in _upcoming(situation.vms.values(), now, told):
        if due_at - now <= 2 * lead:
            windows[(due_at - _START) // lead].append((due_at, vm))
    findings = [
        _finding(situation, settings, vm, due_at, told.boundary(vm, due_at) or due_at)
        for window in windows.values()
        if min(due_at for due_at, _ in window) - now <= lead
        for due_at, vm in window
    ]
    ended = frozenset(key for key, vm in situation.vms.items() if not vm.is_billed)
    return Judgement(findings, gone=ended)


class _Told:
    """The boundaries whose alerts are open."""

    def __init__(self, situation: Situation) -> None:
        self.wobble = min(_WOBBLE, situation.epoch / 8)
        self._boundaries: defaultdict[str, list[datetime]] = defaultdict(list)
        for alert in situation.alerts:
            if alert.rule == NAME:
                self._boundaries[alert.subject].append(datetime.fromisoformat(alert.key))

    def boundary(self, vm: Vm, due_at: datetime) -> datetime | None:
        """The boundary as its alert has it, if this one has an alert."""
        told = self._boundaries.get(vm.key, ())
        return next((each for each in told if abs(each - due_at) <= self.wobble), None)


def _upcoming(vms: Iterable[Vm], now: datetime, told: _Told) -> Iterable[tuple[datetime, Vm]]:
    for vm in vms:
        due_at = vm.next_billing_at
        if due_at is None or vm.price == 0 or not vm.is_billed:
            continue
        just_passed = due_at > now - told.wobble and told.boundary(vm, due_at)
        if due_at > now or just_passed:
            yield due_at, vm


def _finding(
    situation: Situation,
    settings: BillingDueSettings,
    vm: Vm,
    due_at: datetime,
    boundary: datetime,
) -> Finding:
    fingerprint = Fingerprint(situation.account, NAME, vm.key, boundary.isoformat())
    facts = BillingDue(ref(vm), vm.price, due_at)
    return Finding(fingerprint, settings.severity, facts, relevant_until=due_at)


RULE = Rule(
    NAME, BillingDueSettings, (BillingDue,), judge, tells_resolved=False, impact=Impact.COST
)
