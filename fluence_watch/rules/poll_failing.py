"""The account cannot be watched: its polls fail, or their lists cannot be read whole."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Severity
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings, Situation

NAME = "poll_failing"


class PollFailingSettings(RuleSettings):
    """How long polls may fail; a refused key is reported at once."""

    severity: Level = Severity.CRITICAL
    hold: Duration = Field(
        default=timedelta(minutes=10), alias="for", description="how long polls may fail"
    )


@dataclass(frozen=True, slots=True)
class PollFailing:
    """`reason` is a word of `errors.ApiError`, or `incomplete`; `message` comes from outside."""

    reason: str
    message: str


def judge(situation: Situation, settings: PollFailingSettings) -> Judgement:
    """Find that this poll failed, or that VMs may be in its list without being known of."""
    if failure := situation.failure:
        facts = PollFailing(failure.reason, failure.message)
        return _found(situation, settings, facts, at_once=failure.unauthorized)
    if situation.snapshot and (why := _incomplete(situation.snapshot)):
        return _found(situation, settings, PollFailing("incomplete", why))
    return Judgement()


def _incomplete(snapshot: Snapshot) -> str | None:
    nameless = (f"{each.where}: {each.why}" for each in snapshot.rejected if not each.vm_id)
    return snapshot.incomplete_because or next(nameless, None)


def _found(
    situation: Situation,
    settings: PollFailingSettings,
    facts: PollFailing,
    *,
    at_once: bool = False,
) -> Judgement:
    fingerprint = Fingerprint(situation.account, NAME)
    return Judgement([Finding(fingerprint, settings.severity, facts, at_once=at_once)])


RULE = Rule(NAME, PollFailingSettings, (PollFailing,), judge, judges_failures=True)
