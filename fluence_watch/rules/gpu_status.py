"""A GPU container is billed and does not run, or a GPU instance is over and you did not end it.

Source: the documentation of the GPU cloud. `NOT_STARTED` containers are billed like others. What is
over stays in the list, so it is reported for a day after its end. An instance ends when a charge
cannot be paid, or by its user; what was reserved goes back to the account.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.funding import resources_burn
from fluence_watch.model.horizon import Horizon, next_of, shifted
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import NoteAction
from fluence_watch.model.resource import Kind, Resource, ResourceRef
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    absent_resources,
)
from fluence_watch.rules.situation import Situation

NAME = "gpu_status"
_NEWS_FOR = timedelta(days=1)
_NOT_STARTED = "not_started"


class GpuStatusSettings(RuleSettings):
    """When an instance is reported."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(minutes=15),
        alias="for",
        description="how long a container may be billed without running",
    )


@dataclass(frozen=True, slots=True)
class GpuNotStarted:
    """A container that costs `per_day` (micro-USDC, `None` if unknown) and does not run."""

    resource: ResourceRef
    per_day: MicroUsdc | None


@dataclass(frozen=True, slots=True)
class GpuOver:
    """An instance that ended at about `ended_at`. `status` is the word of the API."""

    resource: ResourceRef
    status: str
    ended_at: datetime
    spent: MicroUsdc | None


def judge(situation: Situation, settings: GpuStatusSettings) -> Judgement:
    """Report every container that does not run, and every instance that ended within a day."""
    if situation.snapshot is None:
        return Judgement()
    gpus = [each for each in situation.snapshot.resources.values() if each.is_gpu]
    unknown, gone = absent_resources(situation, NAME)
    containers = [each for each in gpus if each.kind is Kind.GPU_CONTAINER and each.is_billed]
    unread = {each.key for each in containers if each.is_running is None}
    over = {each.key for each in gpus if not each.is_billed}
    findings = [*_idle(situation, settings, gpus), *_ended(situation, settings, gpus)]
    return Judgement(findings, unknown | unread, gone | over)


def _idle(
    situation: Situation, settings: GpuStatusSettings, gpus: list[Resource]
) -> Iterator[Finding]:
    for each in gpus:
        if each.is_billed and each.is_running is False:
            per_day = None if each.price is None else resources_burn([each])
            fingerprint = Fingerprint(situation.account, NAME, each.key, _NOT_STARTED)
            yield Finding(fingerprint, settings.severity, GpuNotStarted(each.ref, per_day))


def _ended(
    situation: Situation, settings: GpuStatusSettings, gpus: list[Resource]
) -> Iterator[Finding]:
    for each in gpus:
        if each.is_billed or each.changed_at is None:
            continue
        is_news = situation.now - each.changed_at < _NEWS_FOR
        if is_news and (NoteAction.RESOURCE_REMOVED, each.key) not in situation.expected_changes:
            word = each.status_word.lower()
            facts = GpuOver(each.ref, word, each.changed_at, each.spent)
            fingerprint = Fingerprint(situation.account, NAME, each.key, word)
            yield Finding(fingerprint, settings.severity, facts, at_once=True)


def holds_until(situation: Situation, _settings: GpuStatusSettings) -> Horizon:
    """Until an instance that ended is news no more."""
    listed = situation.snapshot.resources.values() if situation.snapshot else ()
    ended = [each.changed_at for each in listed if each.is_gpu and not each.is_billed]
    return next_of(situation.now, [shifted(each, _NEWS_FOR) for each in ended if each])


RULE = Rule(
    NAME,
    GpuStatusSettings,
    (GpuNotStarted, GpuOver),
    judge,
    impact=Impact.COST,
    holds_until=holds_until,
)
