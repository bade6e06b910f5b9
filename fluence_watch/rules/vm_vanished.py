"""A VM that is no longer in the list.

When most of an account's VMs leave the list in the same poll, the list is the suspect and not the
VMs: that is one finding about the fleet. When they are lost after all, it ends without a message,
and each VM has its own finding in the same poll. Who is lost and who is doubted is worked out in
`model/presence.py`.

An ended VM (`TERMINATED`) stays in the list until somebody deletes it; `vm_status` reports that it
ended. That it leaves the list is the deletion, by which nothing is lost any more: no finding.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import FOREVER, funded_until
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.presence import Doubt, PresenceLimits, doubt_subject
from fluence_watch.model.vm import Status
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings, Situation

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
        """The settings as the model knows them."""
        return PresenceLimits(self.confirm_polls, self.suspect_for, self.forget_after)


@dataclass(frozen=True, slots=True)
class VmVanished:
    """The VM as it was last known; amounts in micro-USDC. `ports` are `None` where unknown."""

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


@dataclass(frozen=True, slots=True)
class FleetVanished:
    """`missing` of the `among` VMs without another explanation left the list in one poll.

    At `suspect_until` they count as vanished.
    """

    missing: int
    among: int
    last_seen_at: datetime | None
    some: tuple[VmRef, ...]
    suspect_until: datetime | None = None


def judge(situation: Situation, settings: VmVanishedSettings) -> Judgement:
    """Find each lost VM, and each poll that lost most of the fleet."""
    presence = situation.presence
    findings = [
        _vanished(situation, settings, entry, entry.cause or Cause.UNKNOWN)
        for entry in presence.lost.values()
        if entry.vm.status is not Status.TERMINATED
    ]
    findings += [_fleet(situation, settings, doubt) for doubt in presence.doubts]
    unsure = {doubt_subject(e.missing_since) for e in presence.missing.values() if e.missing_since}
    return Judgement(findings, frozenset(unsure), _handed_over(situation))


def _vanished(
    situation: Situation, settings: VmVanishedSettings, entry: KnownVm, cause: Cause
) -> Finding:
    vm, until = entry.last_known, funded_until(entry.vm, situation.epoch)
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
    )
    fingerprint = Fingerprint(situation.account, NAME, vm.key)
    # one that was doubted has been missing for long enough, and its fleet's finding ends now
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


def _handed_over(situation: Situation) -> frozenset[str]:
    """Fleets that are in doubt no more though nobody of them is back: their VMs are lost, or removed."""
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


RULE = Rule(NAME, VmVanishedSettings, (VmVanished, FleetVanished), judge, impact=Impact.VM)
