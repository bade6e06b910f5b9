"""A VM that is not in a healthy state: stopped, suspended, failed, or ended by its provider.

A VM that is short of money is an alert of `low_balance`, at once.
"""

from dataclasses import dataclass

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import OUT_OF_FUNDS, STARTING, Status, Vm
from fluence_watch.rules.base import Judgement, Level, Rule, RuleSettings, Situation

NAME = "vm_status"

_HEALTHY = STARTING | {Status.ACTIVE, Status.UPDATING, Status.RESTARTING}
# Neither says whether the VM is well. The word for too little money hides whether it runs. One that
# is terminating has ended in a moment: then `terminated` tells it, or, when somebody deleted it,
# its absence does.
_SAYS_NOTHING = OUT_OF_FUNDS | {Status.UNKNOWN, Status.TERMINATING}


class VmStatusSettings(RuleSettings):
    """How an unhealthy VM is reported; an ended one is critical whatever the severity."""

    severity: Level = Severity.WARNING


@dataclass(frozen=True, slots=True)
class VmStatus:
    """What the VM is doing, also in the API's own word; the reserve in micro-USDC."""

    vm: VmRef
    status: Status
    word: str
    reserved: MicroUsdc | None


def judge(situation: Situation, settings: VmStatusSettings) -> Judgement:
    """Find every VM that is in an unhealthy state.

    Each state is a problem of its own; the one before it ends with it, without a message.
    """
    findings, unknown, gone = [], set(), set()
    for key, vm in situation.vms.items():
        if situation.known[key].removal_asked_at:
            gone.add(key)
        elif vm.status in _SAYS_NOTHING:
            unknown.add(key)
        elif vm.status not in _HEALTHY:
            findings.append(_finding(situation, settings, vm))
            gone.add(key)
    return Judgement(findings, frozenset(unknown), frozenset(gone))


def _finding(situation: Situation, settings: VmStatusSettings, vm: Vm) -> Finding:
    # what is being suspended soon is suspended: that is one problem
    state = Status.SUSPENDED if vm.status is Status.SUSPENDING else vm.status
    severity = Severity.CRITICAL if vm.status is Status.TERMINATED else settings.severity
    fingerprint = Fingerprint(situation.account, NAME, vm.key, state)
    return Finding(fingerprint, severity, VmStatus(ref(vm), vm.status, vm.status_word, vm.reserved))


RULE = Rule(NAME, VmStatusSettings, (VmStatus,), judge, impact=Impact.VM)
