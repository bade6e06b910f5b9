"""Who is notified of what, and when: one decision per alert and receiver, with a named reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity

LastNotified = Mapping[tuple[Fingerprint, str], datetime]
"""When each receiver was last notified of each open alert."""


@dataclass(frozen=True, slots=True)
class Route:
    """What a receiver wants to hear; `rules` and `accounts` are globs."""

    receiver: str
    min_severity: Severity = Severity.INFO
    rules: tuple[str, ...] = ("*",)
    accounts: tuple[str, ...] = ("*",)
    send_resolved: bool = True
    repeat_interval: timedelta = timedelta(0)

    def wants(self, alert: Alert) -> bool:
        """Whether alerts of this severity, rule and account go to the receiver.

        Alerts about the watcher itself go to all but the receiver that they are about.
        """
        about = alert.fingerprint
        if about.account == WATCHER:
            concerns_it = about.subject != self.receiver
        else:
            concerns_it = _any_matches(self.accounts, about.account)
        return (
            concerns_it
            and alert.severity.rank >= self.min_severity.rank
            and _any_matches(self.rules, about.rule)
        )


def _any_matches(globs: tuple[str, ...], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


class Reason(StrEnum):
    """Why a receiver is notified."""

    FIRST = "first"
    REPEAT = "repeat"
    RESOLVED = "resolved"


def needs_telling(
    alert: Alert,
    route: Route,
    told_at: datetime | None,
    now: datetime,
    *,
    repeats: bool = True,
) -> Reason | None:
    """Why to notify this receiver of this alert now; `None` when it is not.

    A receiver hears that an alert resolved only if it heard that it fired. A `told_at` from the
    future counts like one as long ago: the clock was set back.
    What does not `repeats` is notified once, whatever the route's interval.
    """
    if alert.state is State.FIRING:
        if told_at is None:
            return Reason.FIRST if route.wants(alert) else None
        due = repeats and route.repeat_interval and abs(now - told_at) >= route.repeat_interval
        return Reason.REPEAT if due and route.wants(alert) else None
    heard = alert.state is State.RESOLVED and told_at is not None
    return Reason.RESOLVED if heard and route.send_resolved and not alert.quiet else None
