"""A receiver does not accept messages. The alert goes to all other receivers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import WATCHER, Finding, Fingerprint, Impact, Severity
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    Scope,
    Situation,
)

NAME = "delivery_failing"


class DeliveryFailingSettings(RuleSettings):
    """How long a receiver may fail."""

    severity: Level = Severity.CRITICAL
    hold: Duration = Field(
        default=timedelta(minutes=15), alias="for", description="how long a receiver may fail"
    )


@dataclass(frozen=True, slots=True)
class DeliveryFailing:
    """The failing receiver and its queue. `error` comes from outside.

    `waiting` is the number of queued messages. `oldest_at` is when the oldest was created.
    """

    receiver: str
    error: str
    waiting: int
    oldest_at: datetime


def judge(situation: Situation, settings: DeliveryFailingSettings) -> Judgement:
    """Report the receivers that fail. A receiver that was removed from the settings is gone."""
    findings = [
        Finding(
            Fingerprint(WATCHER, NAME, receiver),
            settings.severity,
            DeliveryFailing(receiver, left.error, left.waiting, left.oldest_at),
        )
        for receiver, left in situation.receivers.items()
        if left
    ]
    alerts = {alert.subject for alert in situation.alerts if alert.rule == NAME}
    return Judgement(findings, gone=frozenset(alerts - situation.receivers.keys()))


RULE = Rule(
    NAME,
    DeliveryFailingSettings,
    (DeliveryFailing,),
    judge,
    judges_failures=True,
    scope=Scope.WATCHER,
    impact=Impact.MONITORING,
)
