"""Something costs more than the market asks for the same now. Off by default.

What runs keeps its price, so the market may become cheaper. What is dearer by both bounds is reported;
what nobody offers, or whose price is unknown, is not.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.market import GoingPrice, going_price
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Resource, ResourceRef
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import (
    Judgement,
    Level,
    Need,
    Rule,
    RuleSettings,
    Situation,
    Usdc,
)

NAME = "overpriced"


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
    market = situation.snapshot.market if situation.snapshot else None
    ours = {each.subject for each in situation.alerts if each.rule == NAME}
    if market is None or situation.snapshot is None:
        return Judgement(unknown=frozenset(ours))
    things: dict[str, Vm | Resource] = {**situation.snapshot.vms, **situation.snapshot.resources}
    prices = {
        key: going
        for key, thing in things.items()
        if (going := going_price(market, thing, situation.billing)) is not None
    }
    found = [
        Finding(Fingerprint(situation.account, NAME, key), settings.severity, facts)
        for key, going in prices.items()
        for facts in _dearer(things[key], going, settings)
    ]
    unpriced = frozenset(ours - prices.keys())
    return Judgement(
        found, *((unpriced, frozenset()) if market.unknown else (frozenset(), unpriced))
    )


def _dearer(
    thing: Vm | Resource, going: GoingPrice, settings: OverpricedSettings
) -> Iterator[Overpriced]:
    asked = going.best if settings.elsewhere else going.here
    if asked is None:
        return
    is_elsewhere, saving = asked != going.here, going.saving(asked)
    numerator, denominator = settings.min_percent.as_integer_ratio()
    more = going.per_day - asked
    if saving >= settings.min_usdc and 100 * denominator * more > numerator * asked:
        yield Overpriced(
            vm=ref(thing) if isinstance(thing, Vm) else None,
            resource=None if isinstance(thing, Vm) else thing.ref,
            per_day=going.per_day,
            asked=asked,
            place=going.best_place if is_elsewhere else going.place,
            is_elsewhere=is_elsewhere,
            saving=saving,
        )


RULE = Rule(
    NAME,
    OverpricedSettings,
    (Overpriced,),
    judge,
    needs=frozenset({Need.MARKET}),
    impact=Impact.COST,
)
