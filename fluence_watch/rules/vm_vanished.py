"""A VM, a disk or a public IP is no longer in its list.

If most of an account's VMs leave the list in the same poll, the list itself is suspect.
The rule then reports one finding about the fleet.
If the VMs are lost after all, that alert resolves without a message.
In the same poll, each VM gets its own finding.
`model/presence.py` decides which VMs are lost and which are doubted.

A terminated VM stays in the list until the user deletes it. `vm_status` reports the termination.
When it leaves the list, nothing more is lost, so there is no finding.

The same holds for disks and public IPs, where they are billed by themselves: what the user deleted
with fluence-watch is not reported (see `model/known_resource.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import FOREVER, funded_until
from fluence_watch.model.horizon import Horizon, next_of, shifted
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.known_resource import DoubtedList, KnownResource, list_subject
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.presence import Doubt, PresenceLimits, doubt_subject
from fluence_watch.model.resource import Kind, ResourceRef
from fluence_watch.model.vm import Status
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.situation import Situation

NAME = "vm_vanished"
_NAMED = 5


class VmVanishedSettings(RuleSettings):
    """When a missing VM counts as vanished."""

    severity: Level = Severity.CRITICAL
    confirm_polls: int = Field(
        default=2,
        ge=1,
        le=1000,
        description="complete polls in a row without the VM before it fires",
    )
    suspect_for: Duration = Field(
        default=timedelta(hours=6),
        description="how long to doubt the list, when most of a fleet leaves it in one poll",
    )
    forget_after: Duration = Field(
        default=timedelta(days=7),
        description="when to forget a missing VM; the alert ends without a message",
    )

    @property
    def limits(self) -> PresenceLimits:
        """The settings in the model's terms."""
        return PresenceLimits(self.confirm_polls, self.suspect_for, self.forget_after)


@dataclass(frozen=True, slots=True)
class VmVanished:
    """The last known description of the VM. Amounts are micro-USDC. Unknown values are `None`.

    In a `metered` account the VM had no reserve, and what was attached to it goes on costing money.
    """

    vm: VmRef
    last_seen_at: datetime | None
    public_ip: str | None
    status: str
    reserved: MicroUsdc | None
    spent: MicroUsdc | None
    funded_until: datetime | None
    cause: Cause = Cause.UNKNOWN
    ports: tuple[str, ...] | None = None
    missing_since: datetime | None = None
    metered: bool = False


@dataclass(frozen=True, slots=True)
class FleetVanished:
    """Most of a fleet left the list in one poll.

    `missing` of `among` unexplained VMs are missing. At `suspect_until`, they count as vanished.
    """

    missing: int
    among: int
    last_seen_at: datetime | None
    some: tuple[VmRef, ...]
    suspect_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ResourceVanished:
    """A disk or a public IP that is lost. In an account that owes money, it may have been removed."""

    resource: ResourceRef
    last_seen_at: datetime | None
    missing_since: datetime | None
    attached: bool
    in_debt: bool = False


@dataclass(frozen=True, slots=True)
class ResourcesVanished:
    """Most disks or public IPs left their list in one poll. At `suspect_until` they count as lost."""

    kind: Kind
    missing: int
    among: int
    last_seen_at: datetime | None
    some: tuple[ResourceRef, ...]
    suspect_until: datetime | None = None


def judge(situation: Situation, settings: VmVanishedSettings) -> Judgement:
    """Report what is lost, and each poll in which most of the fleet left the list."""
    presence = situation.presence
    findings = [
        _vanished(situation, settings, entry, entry.cause or Cause.UNKNOWN)
        for entry in presence.lost.values()
        if entry.vm.status not in {Status.TERMINATED, Status.DRAFT}
    ]
    findings += [_fleet(situation, settings, doubt) for doubt in presence.doubts]
    findings += [_resource(situation, settings, entry) for entry in situation.missing.lost]
    findings += [_resources(situation, settings, doubt) for doubt in situation.missing.doubts]
    unsure = {doubt_subject(e.missing_since) for e in presence.missing.values() if e.missing_since}
    unknown, gone = _absent_resources(situation)
    return Judgement(findings, unknown | unsure, _settled_fleets(situation) | gone)


def _vanished(
    situation: Situation, settings: VmVanishedSettings, entry: KnownVm, cause: Cause
) -> Finding:
    vm, until = entry.last_known, funded_until(entry.vm, situation.billing)
    facts = VmVanished(
        vm=ref(vm),
        last_seen_at=entry.last_seen_at,
        public_ip=vm.public_ip,
        status=vm.status_word,
        reserved=vm.reserved,
        spent=vm.spent,
        funded_until=None if until == FOREVER else until,
        cause=cause,
        ports=None if vm.ports is None else tuple(map(str, vm.ports)),
        missing_since=entry.missing_since,
        metered=not situation.billing.prepaid,
    )
    fingerprint = Fingerprint(situation.account, NAME, vm.key)
    # `for` counts from when the VM went missing, so a doubted VM fires when its fleet's alert ends
    since = entry.missing_since or situation.now
    at_once = situation.now - since >= settings.hold
    return Finding(fingerprint, settings.severity, facts, at_once=at_once)


def _fleet(situation: Situation, settings: VmVanishedSettings, doubt: Doubt) -> Finding:
    entries = list(doubt.vms.values())
    facts = FleetVanished(
        missing=len(entries),
        among=doubt.among,
        last_seen_at=entries[0].last_seen_at,
        some=tuple(ref(entry.last_known) for entry in entries[:_NAMED]),
        suspect_until=doubt.until,
    )
    return Finding(Fingerprint(situation.account, NAME, doubt.subject), settings.severity, facts)


def _settled_fleets(situation: Situation) -> frozenset[str]:
    """The fleets that are no longer in doubt although no VM is back.

    Their VMs are lost, or the user removed them.
    """
    before, known = situation.before, situation.known
    decided = _undecided_since(before) - _undecided_since(known)
    if decided:
        decided -= {
            before[key].missing_since
            for key, entry in known.items()
            if entry.missing_since is None and key in before
        }
    return frozenset(doubt_subject(since) for since in decided if since)


def _undecided_since(known: Mapping[str, KnownVm]) -> set[datetime | None]:
    return {entry.missing_since for entry in known.values() if entry.cause is None}


def _resource(situation: Situation, settings: VmVanishedSettings, entry: KnownResource) -> Finding:
    facts = ResourceVanished(
        entry.resource.ref,
        entry.last_seen_at,
        entry.missing_since,
        attached=bool(entry.resource.attached_to),
        in_debt=entry.cause is Cause.FUNDS,
    )
    fingerprint = Fingerprint(situation.account, NAME, entry.resource.key)
    # `for` counts from when it went missing, as for VMs
    since = entry.missing_since or situation.now
    at_once = situation.now - since >= settings.hold
    return Finding(fingerprint, settings.severity, facts, at_once=at_once)


def _resources(situation: Situation, settings: VmVanishedSettings, doubt: DoubtedList) -> Finding:
    facts = ResourcesVanished(
        doubt.kind,
        missing=len(doubt.entries),
        among=doubt.among,
        last_seen_at=doubt.entries[0].last_seen_at,
        some=tuple(entry.resource.ref for entry in doubt.entries[:_NAMED]),
        suspect_until=doubt.until,
    )
    return Finding(Fingerprint(situation.account, NAME, doubt.subject), settings.severity, facts)


def _absent_resources(situation: Situation) -> tuple[frozenset[str], frozenset[str]]:
    """The subjects of resources that may still be there, and of those that are news no longer.

    A list in doubt is news no longer when what left it is lost, not when it is back.
    """
    ours = {each.subject for each in situation.alerts if each.rule == NAME}
    missing = {
        list_subject(entry.resource.kind, entry.missing_since)
        for entry in situation.resources.values()
        if entry.missing_since
    }
    forgotten = situation.resources_before.keys() - situation.resources.keys()
    listed = situation.snapshot.resources.keys() if situation.snapshot else frozenset[str]()
    return situation.missing.undecided, frozenset((ours & missing) | (forgotten - listed))


def holds_until(situation: Situation, settings: VmVanishedSettings) -> Horizon:
    """Until the next poll while anything is missing that may be there, else until `for` is over."""
    if situation.presence.undecided or situation.missing.undecided:
        return situation.now
    since = [each.missing_since for each in situation.presence.lost.values()]
    since += [each.missing_since for each in situation.missing.lost]
    return next_of(situation.now, [shifted(each, settings.hold) for each in since if each])


FACTS = (VmVanished, FleetVanished, ResourceVanished, ResourcesVanished)
RULE = Rule(NAME, VmVanishedSettings, FACTS, judge, impact=Impact.VM, holds_until=holds_until)
