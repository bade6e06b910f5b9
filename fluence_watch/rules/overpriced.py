"""Something costs more than the market asks for the same now. Off by default.

What runs keeps its price, so the market may become cheaper. What is dearer by both bounds is reported;
what nobody offers, or whose price is unknown, is not.
"""

from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from fluence_watch.model.charge import VM
from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.market import GoingPrice, Market, going_price
from fluence_watch.model.money import MicroUsdc, is_more_than
from fluence_watch.model.resource import Kind, Resource, ResourceRef
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import (
    Judgement,
    Level,
    Need,
    Rule,
    RuleSettings,
    Usdc,
    absent_resources,
    as_long_as_the_same,
)
from fluence_watch.rules.situation import Situation

NAME = "overpriced"
_OF_RESOURCES = tuple(f"{kind}:" for kind in Kind)


class OverpricedSettings(RuleSettings):
    """How much dearer something must be."""

    enabled: bool = Field(
        default=False,
        description="whether the rule is evaluated; what the market asks is read every 6 hours then",
    )
    severity: Level = Severity.INFO
    min_percent: Decimal = Field(
        default=Decimal(10),
        ge=0,
        le=1000,
        description="percent that its price is above the market's",
    )
    min_usdc: Usdc = Field(
        default=MicroUsdc(1_000_000),
        validate_default=False,  # it is micro-USDC already
        description="USDC that the market's price saves in 30 days",
    )
    elsewhere: bool = Field(
        default=False, description="whether prices at other places count, not only at its own"
    )


@dataclass(frozen=True, slots=True)
class Overpriced:
    """A VM or a resource, its price and the market's, in micro-USDC a day, and what that saves.

    `place` is where the market's price is, `is_elsewhere` whether that is another place.
    """

    vm: VmRef | None
    resource: ResourceRef | None
    per_day: MicroUsdc
    asked: MicroUsdc
    place: str | None
    is_elsewhere: bool
    saving: MicroUsdc


def judge(situation: Situation, settings: OverpricedSettings) -> Judgement:
    """Report everything that is dearer than the market."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.market is None:
        return Judgement(unknown=frozenset(_subjects(situation)))
    things: dict[str, Vm | Resource] = {**snapshot.vms, **snapshot.resources}
    compared = {
        key: (going, asked)
        for key, thing in things.items()
        if (going := going_price(snapshot.market, thing, situation.billing))
        and (asked := going.best if settings.elsewhere else going.here) is not None
    }
    findings = [
        Finding(
            Fingerprint(situation.account, NAME, key),
            settings.severity,
            _facts(things[key], going, asked),
        )
        for key, (going, asked) in compared.items()
        if _is_dearer(going, asked, settings)
    ]
    absent = _absent(situation)
    others = {key: things[key] for key in _subjects(situation) & things.keys() - compared.keys()}
    waiting = {key for key, thing in others.items() if _may_be_compared(snapshot.market, thing)}
    return Judgement(findings, absent.unknown | waiting, absent.gone | (others.keys() - waiting))


def _subjects(situation: Situation) -> set[str]:
    """What there are alerts about."""
    return {each.subject for each in situation.alerts if each.rule == NAME}


def _absent(situation: Situation) -> Judgement:
    """The resources that are in no list any more; `evaluate` knows what became of VMs."""
    unknown, gone = absent_resources(situation, NAME)
    return Judgement(
        unknown=unknown, gone=frozenset(each for each in gone if each.startswith(_OF_RESOURCES))
    )


def _is_dearer(going: GoingPrice, asked: MicroUsdc, settings: OverpricedSettings) -> bool:
    is_much = going.saving(asked) >= settings.min_usdc
    return is_much and is_more_than(going.per_day - asked, settings.min_percent, asked)


def _facts(thing: Vm | Resource, going: GoingPrice, asked: MicroUsdc) -> Overpriced:
    is_elsewhere = asked != going.here
    return Overpriced(
        vm=ref(thing) if isinstance(thing, Vm) else None,
        resource=None if isinstance(thing, Vm) else thing.ref,
        per_day=going.per_day,
        asked=asked,
        place=going.best_place if is_elsewhere else going.place,
        is_elsewhere=is_elsewhere,
        saving=going.saving(asked),
    )


def _may_be_compared(market: Market, thing: Vm | Resource) -> bool:
    """Whether the price of something, or what is asked for it, is only unknown."""
    kind, place = (VM, thing.datacenter) if isinstance(thing, Vm) else (thing.kind, thing.location)
    is_known = None not in (thing.price, thing.plan, place) and market.knows(kind)
    return thing.is_billed and not is_known


RULE = Rule(
    NAME,
    OverpricedSettings,
    (Overpriced,),
    judge,
    needs=frozenset({Need.MARKET}),
    impact=Impact.COST,
    holds_until=as_long_as_the_same,
)
