"""A receiver does not accept messages, or refuses alerts. The alert goes to all other receivers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from fluence_watch.model.finding import WATCHER, Finding, Fingerprint, Impact, Severity
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings
from fluence_watch.rules.situation import Scope, Situation

NAME = "delivery_failing"
_NAMED = 5


class DeliveryFailingSettings(RuleSettings):
    """How long a receiver may fail."""

    severity: Level = Severity.CRITICAL
    hold: Duration = Field(
        default=timedelta(minutes=15), alias="for", description="how long a receiver may fail"
    )


@dataclass(frozen=True, slots=True)
class DeliveryFailing:
    """The failing receiver and what waits for it. `error` comes from outside.

    `waiting` is the number of messages, `oldest_at` since when the oldest alert in them waits.
    """

    receiver: str
    error: str
    waiting: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryRefused:
    """The receiver works, but refuses `number` alerts for good. `alerts` names the first few."""

    receiver: str
    alerts: tuple[str, ...]
    number: int


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
    findings += [
        Finding(
            Fingerprint(WATCHER, NAME, receiver, "refused"),
            settings.severity,
            DeliveryRefused(receiver, refused.alerts[:_NAMED], len(refused.alerts)),
            at_once=True,
        )
        for receiver, refused in situation.refused.items()
    ]
    alerts = {alert.subject for alert in situation.alerts if alert.rule == NAME}
    return Judgement(findings, gone=frozenset(alerts - situation.receivers.keys()))


RULE = Rule(
    NAME,
    DeliveryFailingSettings,
    (DeliveryFailing, DeliveryRefused),
    judge,
    judges_failures=True,
    scope=Scope.WATCHER,
    impact=Impact.MONITORING,
)
