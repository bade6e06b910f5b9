"""A GPU instance is not topped up: its reserve holds less than two hours.

Source: the documentation of the GPU cloud. Each hour of the clock is charged from the reserve, which
is then topped up to two hours. A charge that finds the reserve spent ends the instance, and it is
deleted. `for` covers the time between a charge and its top-up.

    step 0    the next charge is still paid
    step 1    the next charge ends it
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.funding import FOREVER, funded_until
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Resource, ResourceRef
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    absent_resources,
    as_long_as_the_same,
)
from fluence_watch.rules.situation import Situation

NAME = "gpu_reserve"
_HOURS = 2


class GpuReserveSettings(RuleSettings):
    """When a reserve is low."""

    severity: Level = Severity.CRITICAL
    hold: Duration = Field(
        default=timedelta(minutes=10),
        alias="for",
        description="how long the reserve must hold less than two hours; each charge lowers it",
    )


@dataclass(frozen=True, slots=True)
class GpuReserve:
    """The price of an hour, the reserve, and what is missing, in micro-USDC.

    `ends_at` is the charge that the reserve cannot pay.
    """

    resource: ResourceRef
    price: MicroUsdc
    reserved: MicroUsdc
    missing: MicroUsdc
    ends_at: datetime | None


def judge(situation: Situation, settings: GpuReserveSettings) -> Judgement:
    """Report every GPU instance whose reserve was not topped up."""
    if situation.snapshot is None:
        return Judgement()
    gpus = {key: each for key, each in situation.snapshot.resources.items() if each.is_gpu}
    unknown, gone = absent_resources(situation, NAME)
    unread = {key for key, each in gpus.items() if None in {each.price, each.reserved}}
    over = {key for key, each in gpus.items() if not each.is_billed}
    findings = list(_findings(situation, settings, gpus.values()))
    return Judgement(findings, unknown | unread - over, gone | over)


def _findings(
    situation: Situation, settings: GpuReserveSettings, gpus: Iterable[Resource]
) -> Iterator[Finding]:
    for each in gpus:
        if not each.is_billed or each.price is None or each.reserved is None:
            continue
        missing = _HOURS * each.price - each.reserved
        if missing > 0:
            until = funded_until(each, each.billing)
            facts = GpuReserve(
                each.ref,
                each.price,
                each.reserved,
                MicroUsdc(missing),
                None if until == FOREVER else until,
            )
            step = int(each.reserved < each.price)
            fingerprint = Fingerprint(situation.account, NAME, each.key)
            yield Finding(fingerprint, settings.severity, facts, step=step)


def _deadline(facts: object) -> datetime | None:
    return facts.ends_at if isinstance(facts, GpuReserve) else None


RULE = Rule(
    NAME,
    GpuReserveSettings,
    (GpuReserve,),
    judge,
    impact=Impact.FUNDS,
    deadline=_deadline,
    holds_until=as_long_as_the_same,
)
