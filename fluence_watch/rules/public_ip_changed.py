"""The public address of a VM differs from the last known one."""

from dataclasses import dataclass

from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef, ref
from fluence_watch.rules.base import EventSettings, Judgement, Level, event_rule
from fluence_watch.rules.situation import Situation

NAME = "public_ip_changed"


class PublicIpChangedSettings(EventSettings):
    """How a new address is reported."""

    severity: Level = Severity.INFO


@dataclass(frozen=True, slots=True)
class PublicIpChanged:
    """The old and the new address of a VM."""

    vm: VmRef
    old: str
    new: str


def judge(situation: Situation, settings: PublicIpChangedSettings) -> Judgement:
    """Report every VM whose address differs from the last known one."""
    findings = []
    for key, vm in situation.news:
        old = situation.before[key].last_known.public_ip if key in situation.before else None
        if old and vm.public_ip and old != vm.public_ip:
            fingerprint = Fingerprint(situation.account, NAME, key, situation.now.isoformat())
            facts = PublicIpChanged(ref(vm), old, vm.public_ip)
            findings.append(Finding(fingerprint, settings.severity, facts, at_once=True))
    return Judgement(findings)


RULE = event_rule(NAME, PublicIpChangedSettings, (PublicIpChanged,), judge)
