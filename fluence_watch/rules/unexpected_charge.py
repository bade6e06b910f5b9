"""A prepaid VM was charged other than its price at a boundary, or without one.

Changes of the price, gaps between polls and totals that lag behind are accounted for, see
`model/boundaries.py`. What an account that pays every second is charged, `bill_mismatch` judges.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.odd_charge import OddCharge
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    as_long_as_the_same,
)
from fluence_watch.rules.situation import Situation

NAME = "unexpected_charge"


class UnexpectedChargeSettings(RuleSettings):
    """How long a charge may be other than expected."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(minutes=15),
        alias="for",
        description="how long a charge may differ; what a VM has spent may be reported late",
    )


@dataclass(frozen=True, slots=True)
class UnexpectedCharge:
    """What a VM was charged, and what the boundaries that passed should have cost, in micro-USDC.

    `seen_at` is the poll that saw it first. `low` and `high` differ if the price changed, or if the
    VM may have been charged nothing. `price` is that of an epoch now.
    """

    vm: VmRef
    seen_at: datetime
    boundaries: int
    low: MicroUsdc
    high: MicroUsdc
    charged: MicroUsdc
    price: MicroUsdc

    @property
    def difference(self) -> MicroUsdc:
        """What was charged too much; below zero, too little."""
        bound = self.high if self.charged > self.high else self.low
        return MicroUsdc(self.charged - bound)

    @property
    def times(self) -> int | None:
        """How many whole epochs were charged, `None` if it is no whole number of them."""
        if self.price <= 0 or self.charged % self.price:
            return None
        return self.charged // self.price


def judge(situation: Situation, settings: UnexpectedChargeSettings) -> Judgement:
    """Report each VM whose charges do not fit. While its total is not told, it is unknown."""
    if not situation.billing.prepaid:
        return Judgement()
    findings, unknown = [], set()
    for key, vm in situation.vms.items():
        boundaries = situation.known[key].boundaries
        odd = boundaries.odd if boundaries and vm.is_billed else None
        if odd is None:
            continue
        if vm.price is None or vm.spent is None or vm.next_billing_at is None:
            unknown.add(key)
        else:
            findings.append(_finding(situation, settings, vm, odd, vm.price))
    return Judgement(findings, frozenset(unknown))


def _finding(
    situation: Situation,
    settings: UnexpectedChargeSettings,
    vm: Vm,
    odd: OddCharge,
    price: MicroUsdc,
) -> Finding:
    facts = UnexpectedCharge(
        ref(vm), odd.since, odd.boundaries, odd.low, odd.high, odd.charged, price
    )
    fingerprint = Fingerprint(situation.account, NAME, vm.key, odd.since.isoformat())
    return Finding(fingerprint, settings.severity, facts)


RULE = Rule(
    NAME,
    UnexpectedChargeSettings,
    (UnexpectedCharge,),
    judge,
    sends_resolved=False,
    impact=Impact.COST,
    holds_until=as_long_as_the_same,
)
