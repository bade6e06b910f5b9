"""A disk or a public IP is attached to nothing, and costs money all the same.

The rule concerns APIs where disks and addresses are billed by themselves.
They are billed until they are deleted, also when their VM has ended.
While the list of a kind is not complete, nothing is known of those that are not in it.
"""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.funding import DAYS_A_MONTH, resources_burn
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

NAME = "idle_resource"


class IdleResourceSettings(RuleSettings):
    """How long a resource may be idle."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(days=1),
        alias="for",
        description="how long a disk or a public IP may be attached to nothing",
    )


@dataclass(frozen=True, slots=True)
class IdleResource:
    """The resource, and what it costs in 30 days, in micro-USDC. `None` is unknown."""

    resource: ResourceRef
    per_month: MicroUsdc | None


def judge(situation: Situation, settings: IdleResourceSettings) -> Judgement:
    """Report each resource that is billed and attached to nothing."""
    snapshot = situation.snapshot
    if snapshot is None:
        return Judgement()
    findings = [
        Finding(
            Fingerprint(situation.account, NAME, key),
            settings.severity,
            IdleResource(each.ref, _per_month(each)),
        )
        for key, each in snapshot.resources.items()
        if each.is_idle and each.price != 0
    ]
    return Judgement(findings, *absent_resources(situation, NAME))


def _per_month(resource: Resource) -> MicroUsdc | None:
    if resource.price is None:
        return None
    return MicroUsdc(DAYS_A_MONTH * resources_burn([resource]))


RULE = Rule(
    NAME,
    IdleResourceSettings,
    (IdleResource,),
    judge,
    impact=Impact.COST,
    holds_until=as_long_as_the_same,
)
