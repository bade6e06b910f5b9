"""The account cannot be watched: its polls fail, or their lists are incomplete or unreadable."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.snapshot import INTERNAL_ERROR, OVERDUE, Snapshot
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    as_long_as_the_same,
)
from fluence_watch.rules.situation import Situation

NAME = "poll_failing"
_NAMED = 3
_STEPS = {
    "incomplete": 0,
    **dict.fromkeys(("unreachable", "rate_limited", "server_error", "maintenance", OVERDUE), 0),
    "unauthorized": 2,
}
"""Reasons that may pass by themselves, and a refused key. All others are between them."""


class PollFailingSettings(RuleSettings):
    """How long polls may fail. A rejected key is reported at once."""

    severity: Level = Severity.CRITICAL
    hold: Duration = Field(
        default=timedelta(minutes=10),
        alias="for",
        description="how long polls must fail before it fires",
    )


@dataclass(frozen=True, slots=True)
class PollFailing:
    """Why the account cannot be watched. `message` comes from outside.

    `reason` is the reason of a `PollFailure`, `incomplete` or `unreadable`.
    Some VMs of an `incomplete` list may be unknown. No VM of an `unreadable` list can be read.
    """

    reason: str
    message: str


def judge(situation: Situation, settings: PollFailingSettings) -> Judgement:
    """Report a failed poll, an unreadable list or an incomplete list."""
    if failure := situation.failure:
        facts = PollFailing(failure.reason, failure.message)
        return _found(situation, settings, facts, at_once=failure.unauthorized)
    if situation.fault:
        return _found(situation, settings, PollFailing(INTERNAL_ERROR, situation.fault))
    snapshot = situation.snapshot
    if snapshot and snapshot.unreadable:
        return _found(situation, settings, PollFailing("unreadable", _first_few(snapshot)))
    if snapshot and (why := _incomplete(snapshot)):
        return _found(situation, settings, PollFailing("incomplete", why))
    return Judgement()


def _first_few(snapshot: Snapshot) -> str:
    """The first few unreadable elements with their errors, and the number of all."""
    number = len(snapshot.rejected)
    named = "; ".join(f"{each.where}: {each.why:.60}" for each in snapshot.rejected[:_NAMED])
    more = f"; and {number - _NAMED} more" if number > _NAMED else ""
    return f"{number} VM{'s' if number > 1 else ''}: {named}{more}"


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
    fingerprint, step = Fingerprint(situation.account, NAME), _STEPS.get(facts.reason, 1)
    return Judgement([Finding(fingerprint, settings.severity, facts, at_once=at_once, step=step)])


RULE = Rule(
    NAME,
    PollFailingSettings,
    (PollFailing,),
    judge,
    judges_failures=True,
    impact=Impact.MONITORING,
    holds_until=as_long_as_the_same,
)
