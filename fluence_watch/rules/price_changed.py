"""The price of a VM differs from the last known one."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.funding import FOREVER, funded_until
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import EventSettings, Judgement, Level, Situation, event_rule

NAME = "price_changed"
_TENTH = Decimal("0.1")


class PriceChangedSettings(EventSettings):
    """How a new price is reported."""

    severity: Level = Severity.WARNING


@dataclass(frozen=True, slots=True)
class PriceChanged:
    """Both prices per epoch and their difference, in micro-USDC; per hour if `metered`.

    `percent` is the difference relative to the old price, with one decimal.
    It is `None` if the old price was zero.
    `funded_until` is how long the reserve lasts at the new price, `None` if unknown or unlimited.
    """

    vm: VmRef
    old: MicroUsdc
    new: MicroUsdc
    difference: MicroUsdc
    percent: Decimal | None
    funded_until: datetime | None
    metered: bool = False


def judge(situation: Situation, settings: PriceChangedSettings) -> Judgement:
    """Report every billed VM whose price differs from the last known one."""
    findings = []
    for key, vm in situation.vms.items():
        old = situation.before[key].last_known.price if key in situation.before else None
        if old is None or vm.price is None or old == vm.price or not vm.is_billed:
            continue
        fingerprint = Fingerprint(situation.account, NAME, key, situation.now.isoformat())
        facts = _facts(situation, vm, old, vm.price)
        findings.append(Finding(fingerprint, settings.severity, facts, at_once=True))
    return Judgement(findings)


def _facts(situation: Situation, vm: Vm, old: MicroUsdc, new: MicroUsdc) -> PriceChanged:
    until, more = funded_until(vm, situation.billing), new - old
    return PriceChanged(
        vm=ref(vm),
        old=old,
        new=new,
        difference=MicroUsdc(more),
        percent=(Decimal(100 * more) / old).quantize(_TENTH) if old else None,
        funded_until=None if until == FOREVER else until,
        metered=not situation.billing.prepaid,
    )


RULE = event_rule(NAME, PriceChangedSettings, PriceChanged, judge, impact=Impact.COST)
