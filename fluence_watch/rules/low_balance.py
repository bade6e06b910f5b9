"""A VM's reserve does not cover the next epochs. Source: Fluence guide, billing.

The reserve dips for a moment at each boundary before the top-up. `for` covers that time.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import FOREVER, funded_until
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import OUT_OF_FUNDS, Vm
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

NAME = "low_balance"


class LowBalanceSettings(RuleSettings):
    """When a reserve is low."""

    severity: Level = Severity.CRITICAL
    min_epochs: Decimal = Field(
        default=Decimal(1), ge=0, le=3650, description="charges that the reserve must cover"
    )
    min_usdc: Usdc = Field(
        default=MicroUsdc(0), description="USDC that the reserve must hold, at any price"
    )
    hold: Duration = Field(
        default=timedelta(minutes=30),
        alias="for",
        description="how long the reserve must be low; it dips for a moment at each charge",
    )


@dataclass(frozen=True, slots=True)
class LowBalance:
    """What is known about the shortage. Amounts are micro-USDC.

    `status` is the API's own word, if the API itself reports low funds.
    """

    vm: VmRef
    price: MicroUsdc | None
    reserved: MicroUsdc | None
    needed: MicroUsdc | None
    next_billing_at: datetime | None
    funded_until: datetime | None
    status: str | None = None


def judge(situation: Situation, settings: LowBalanceSettings) -> Judgement:
    """Report every billed VM whose reserve is below the required amount."""
    findings, unknown, gone = [], set(), set()
    for key, vm in situation.vms.items():
        if not vm.is_billed:
            gone.add(key)
        elif vm.status in OUT_OF_FUNDS:
            findings.append(_finding(situation, settings, vm, at_once=True))
        elif (low := _is_low(vm, settings)) is None:
            unknown.add(key)
        elif low:
            findings.append(_finding(situation, settings, vm))
    return Judgement(findings, frozenset(unknown), frozenset(gone))


def _is_low(vm: Vm, settings: LowBalanceSettings) -> bool | None:
    if vm.reserved is None:
        return None
    if vm.price is None:  # `min_usdc` applies at any price
        return True if vm.reserved < settings.min_usdc else None
    return vm.reserved < _needed(vm.price, settings)


def _needed(price: MicroUsdc, settings: LowBalanceSettings) -> MicroUsdc:
    epochs = settings.min_epochs
    cost = price if epochs == 1 else (epochs * price).to_integral_value(ROUND_CEILING)
    return MicroUsdc(max(int(cost), settings.min_usdc))


def _step(facts: LowBalance) -> int:
    """Worse than low: at most half of what is needed, nothing, the API's own word."""
    if facts.status:
        return 3
    if facts.reserved is None or facts.needed is None:
        return 0
    if facts.reserved <= 0:
        return 2
    return 1 if 2 * facts.reserved <= facts.needed else 0


def _finding(
    situation: Situation, settings: LowBalanceSettings, vm: Vm, *, at_once: bool = False
) -> Finding:
    until = funded_until(vm, situation.billing)
    facts = LowBalance(
        vm=ref(vm),
        price=vm.price,
        reserved=vm.reserved,
        needed=None if vm.price is None else _needed(vm.price, settings),
        next_billing_at=vm.next_billing_at,
        funded_until=None if until == FOREVER else until,
        status=vm.status_word if at_once else None,
    )
    fingerprint = Fingerprint(situation.account, NAME, vm.key)
    return Finding(fingerprint, settings.severity, facts, at_once=at_once, step=_step(facts))


def _deadline(facts: object) -> datetime | None:
    return facts.funded_until or facts.next_billing_at if isinstance(facts, LowBalance) else None


RULE = Rule(
    NAME,
    LowBalanceSettings,
    (LowBalance,),
    judge,
    impact=Impact.FUNDS,
    deadline=_deadline,
    holds_until=as_long_as_the_same,
)
