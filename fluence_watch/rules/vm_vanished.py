"""A VM that is no longer in the list.

When most of an account's VMs leave the list in the same poll, the list is the suspect and not the
VMs: that is one finding about the fleet.

An ended VM (`TERMINATED`) stays in the list until somebody deletes it, and that it ended was told by
`vm_status`. That it leaves the list is the deletion, by which nothing is lost any more: no finding.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef, ref
from fluence_watch.model.funding import FOREVER, funded_until
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import OUT_OF_FUNDS, Status
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings, Situation

NAME = "vm_vanished"
SMALLEST_FLEET = 3
_NAMED = 5


class VmVanishedSettings(RuleSettings):
    """When a missing VM counts as vanished."""

    severity: Level = Severity.CRITICAL
    confirm_polls: int = Field(
        default=2, ge=1, le=1000, description="complete polls in a row without the VM"
    )
    forget_after: Duration = Field(
        default=timedelta(days=7), description="a VM missing for longer is forgotten, silently"
    )


class Cause(StrEnum):
    """Why a VM is no more, as far as it can be told."""

    PROVIDER = "provider"
    FUNDS = "funds"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class VmVanished:
    """The VM as it was last seen; amounts in micro-USDC. `ports` are `None` where unknown."""

    vm: VmRef
    last_seen_at: datetime | None
    public_ip: str | None
    status: str
    reserved: MicroUsdc | None
    spent: MicroUsdc | None
    funded_until: datetime | None
    cause: Cause = Cause.UNKNOWN
    ports: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FleetVanished:
    """`missing` of the `among` VMs of the account left the list in one poll."""

    missing: int
    among: int
    last_seen_at: datetime | None
    some: tuple[VmRef, ...]


def lost(known: Mapping[str, KnownVm], settings: VmVanishedSettings) -> dict[str, KnownVm]:
    """The VMs that are missing for as many polls as it takes to say so."""
    return {
        key: entry for key, entry in known.items() if entry.missing_polls >= settings.confirm_polls
    }


def suspects(missing: Iterable[KnownVm]) -> set[datetime]:
    """The polls since which most of the fleet is missing, by their time.

    VMs that had all ended are no fleet: somebody tidied up.
    """
    groups: dict[datetime, list[KnownVm]] = defaultdict(list)
    for entry in missing:
        if entry.missing_since:
            groups[entry.missing_since].append(entry)
    return {
        since
        for since, group in groups.items()
        if group[0].missing_among >= SMALLEST_FLEET
        and 2 * len(group) > group[0].missing_among
        and not all(map(_had_ended, group))
    }


def _had_ended(entry: KnownVm) -> bool:
    return entry.vm.status is Status.TERMINATED


def judge(situation: Situation, settings: VmVanishedSettings) -> Judgement:
    """Find each lost VM, and each poll that lost most of the fleet."""
    missing = lost(situation.known, settings)
    doubted = suspects(missing.values())
    findings = [
        _vanished(situation, settings, entry)
        for entry in missing.values()
        if entry.missing_since not in doubted and not _had_ended(entry)
    ]
    for since in sorted(doubted):
        group = [entry for entry in missing.values() if entry.missing_since == since]
        findings.append(_fleet(situation, settings, since, group))
    unsure = {
        _fleet_subject(entry.missing_since)
        for key, entry in situation.known.items()
        if entry.missing_since and key not in missing
    }
    return Judgement(findings, frozenset(unsure), _forgotten_fleets(situation))


def _vanished(situation: Situation, settings: VmVanishedSettings, entry: KnownVm) -> Finding:
    vm, until = entry.vm, funded_until(entry.vm, situation.epoch)
    facts = VmVanished(
        vm=ref(vm),
        last_seen_at=entry.last_seen_at,
        public_ip=vm.public_ip,
        status=vm.status_word,
        reserved=vm.reserved,
        spent=vm.spent,
        funded_until=None if until == FOREVER else until,
        cause=_cause(entry, until),
        ports=None if vm.ports is None else tuple(map(str, vm.ports)),
    )
    return Finding(Fingerprint(situation.account, NAME, vm.key), settings.severity, facts)


def _cause(entry: KnownVm, funded_until: datetime | None) -> Cause:
    """What it was last seen doing, else whether its money was used up by when it was missed."""
    if entry.vm.status is Status.TERMINATING:
        return Cause.PROVIDER
    since = entry.missing_since
    unfunded = funded_until is not None and since is not None and funded_until <= since
    return Cause.FUNDS if unfunded or entry.vm.status in OUT_OF_FUNDS else Cause.UNKNOWN


def _fleet(
    situation: Situation, settings: VmVanishedSettings, since: datetime, group: list[KnownVm]
) -> Finding:
    facts = FleetVanished(
        missing=len(group),
        among=group[0].missing_among,
        last_seen_at=group[0].last_seen_at,
        some=tuple(ref(entry.vm) for entry in group[:_NAMED]),
    )
    fingerprint = Fingerprint(situation.account, NAME, _fleet_subject(since))
    return Finding(fingerprint, settings.severity, facts)


def _fleet_subject(since: datetime) -> str:
    return f"fleet@{since.isoformat()}"


def _forgotten_fleets(situation: Situation) -> frozenset[str]:
    """Fleets of which the last VM is forgotten, so that there is no end to tell."""
    known, before = situation.known, situation.before
    forgotten = {before[key].missing_since for key in before.keys() - known.keys()}
    if forgotten:
        forgotten -= {entry.missing_since for key, entry in before.items() if key in known}
    return frozenset(_fleet_subject(since) for since in forgotten if since)


RULE = Rule(NAME, VmVanishedSettings, (VmVanished, FleetVanished), judge)
