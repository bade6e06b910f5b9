"""A silence that hides critical alerts ends soon: told once, before they speak.

A silence of a few hours is no surprise when it ends, so only one that was made for longer than
`lead_time` is told of.

    silence                                                                alert
    longer than `lead_time`, ends within it, hides a critical alert        fires until it ends
    is told of, and hides nothing any more                                 fires until it ends
    ended, or removed                                                      gone
    not known                                                              unknown
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import WATCHER, Finding, Fingerprint, Impact, Severity
from fluence_watch.model.silenced import Hidden, Silenced, silence_subject
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.situation import Scope, Situation

NAME = "silence_ending"
_NAMED = 20


class SilenceEndingSettings(RuleSettings):
    """How early the end of a silence is told."""

    severity: Level = Severity.WARNING
    hold: Duration = Field(
        default=timedelta(0), alias="for", description="without effect: it fires at once"
    )
    keep_firing_for: Duration = Field(
        default=timedelta(0), description="without effect: it fires until the silence ends"
    )
    lead_time: Duration = Field(
        default=timedelta(hours=24),
        description="how long before its end; a silence that is not longer than this is not told of",
    )


@dataclass(frozen=True, slots=True)
class SilenceEnding:
    """The silence, and the critical alerts that fire under it. The texts come from users.

    `alerts` are the first few of them, `number` how many there are.
    """

    id: str
    matchers: str
    comment: str
    author: str
    ends_at: datetime
    alerts: tuple[Hidden, ...]
    number: int


def judge(situation: Situation, settings: SilenceEndingSettings) -> Judgement:
    """Report the silences that end soon and hide something. See the table above."""
    alerts = frozenset(each.subject for each in situation.alerts if each.rule == NAME)
    if situation.silences is None:
        return Judgement(unknown=alerts)
    findings = [
        _finding(each, settings)
        for each in situation.silences
        if each.alerts
        and each.ends_at - situation.now <= settings.lead_time
        and each.lasts > settings.lead_time
    ]
    active = {silence_subject(each.id) for each in situation.silences}
    return Judgement(findings, gone=alerts - active)


def _finding(silence: Silenced, settings: SilenceEndingSettings) -> Finding:
    return Finding(
        Fingerprint(WATCHER, NAME, silence_subject(silence.id)),
        settings.severity,
        SilenceEnding(
            silence.id,
            silence.matchers,
            silence.comment,
            silence.author,
            silence.ends_at,
            silence.alerts[:_NAMED],
            len(silence.alerts),
        ),
        at_once=True,
        relevant_until=silence.ends_at,
    )


RULE = Rule(
    NAME,
    SilenceEndingSettings,
    (SilenceEnding,),
    judge,
    judges_failures=True,
    sends_resolved=False,
    scope=Scope.WATCHER,
    impact=Impact.MONITORING,
    deadline=lambda facts: facts.ends_at,
)
