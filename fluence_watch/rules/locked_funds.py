"""A VM has ended, and its reserve stays locked because nobody deletes it.

`vm_status` reports the end at once; this is for what was not deleted since. In an account that
pays every second nothing is reserved.
"""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Status
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    Usdc,
    as_long_as_the_same,
)
from fluence_watch.rules.situation import Situation

NAME = "locked_funds"

INCONCLUSIVE = frozenset({Status.TERMINATING, Status.UNKNOWN})
"""A VM with such a status is not judged."""


class LockedFundsSettings(RuleSettings):
    """How much an ended VM may keep, and for how long."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(days=1),
        alias="for",
        description="how long an ended VM may keep its reserve",
    )
    min_usdc: Usdc = Field(
        default=MicroUsdc(10_000),
        validate_default=False,  # it is micro-USDC already
        description="USDC that its reserve must exceed",
    )


@dataclass(frozen=True, slots=True)
class LockedFunds:
    """A VM that has ended, and what its reserve holds, in micro-USDC."""

    vm: VmRef
    reserved: MicroUsdc


def judge(situation: Situation, settings: LockedFundsSettings) -> Judgement:
    """Report each ended VM that keeps money. One that the user is deleting is no news."""
    if not situation.billing.prepaid:
        return Judgement()
    findings, unknown, gone = [], set(), set()
    for key, vm in situation.vms.items():
        if situation.known[key].removal_asked_at:
            gone.add(key)
        elif vm.status in INCONCLUSIVE or vm.reserved is None:
            unknown.add(key)
        elif situation.known[key].is_left_over and vm.reserved > settings.min_usdc:
            fingerprint = Fingerprint(situation.account, NAME, key)
            facts = LockedFunds(ref(vm), vm.reserved)
            findings.append(Finding(fingerprint, settings.severity, facts))
    return Judgement(findings, frozenset(unknown), frozenset(gone))


RULE = Rule(
    NAME,
    LockedFundsSettings,
    (LockedFunds,),
    judge,
    impact=Impact.COST,
    holds_until=as_long_as_the_same,
)
