"""A VM is not healthy: stopped, suspended, failed, or terminated by its provider.

If the status is low funds, `topup_failed` or `low_balance` fires at once instead.
"""

from dataclasses import dataclass

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import OUT_OF_FUNDS, STARTING, Status, Vm
from fluence_watch.rules.base import Judgement, Level, Rule, RuleSettings, as_long_as_the_same
from fluence_watch.rules.situation import Situation

NAME = "vm_status"

_HEALTHY = STARTING | {Status.ACTIVE, Status.UPDATING, Status.RESTARTING}
# These do not show whether the VM is healthy. A low-funds status hides whether the VM runs.
# A terminating VM ends soon. It is then reported as terminated, or, after a deletion, as absent.
INCONCLUSIVE = OUT_OF_FUNDS | {Status.UNKNOWN, Status.TERMINATING}
"""A VM with such a status is not judged."""


class VmStatusSettings(RuleSettings):
    """How an unhealthy VM is reported. A terminated VM is always critical."""

    severity: Level = Severity.WARNING


@dataclass(frozen=True, slots=True)
class VmStatus:
    """The status of the VM, with the API's own word. `reserved` is in micro-USDC.

    A VM that is `metered` has no reserve.
    """

    vm: VmRef
    status: Status
    word: str
    reserved: MicroUsdc | None
    metered: bool = False


def judge(situation: Situation, settings: VmStatusSettings) -> Judgement:
    """Report every VM in an unhealthy state.

    Each state has its own alert. When the state changes, the old alert resolves without a message.
    """
    findings, unknown, gone = [], set(), set()
    for key, vm in situation.vms.items():
        if situation.known[key].removal_asked_at:
            gone.add(key)
        elif vm.status in INCONCLUSIVE:
            unknown.add(key)
        elif vm.status not in _HEALTHY:
            findings.append(_finding(situation, settings, vm))
            gone.add(key)
    return Judgement(findings, frozenset(unknown), frozenset(gone))


def _finding(situation: Situation, settings: VmStatusSettings, vm: Vm) -> Finding:
    # suspending leads to suspended: both are one problem
    state = Status.SUSPENDED if vm.status is Status.SUSPENDING else vm.status
    severity = Severity.CRITICAL if vm.status is Status.TERMINATED else settings.severity
    fingerprint = Fingerprint(situation.account, NAME, vm.key, state)
    metered = not situation.billing.prepaid
    facts = VmStatus(ref(vm), vm.status, vm.status_word, vm.reserved, metered)
    return Finding(fingerprint, severity, facts)


RULE = Rule(
    NAME, VmStatusSettings, (VmStatus,), judge, impact=Impact.VM, holds_until=as_long_as_the_same
)
