"""Decides whom to notify of what, and when. Each decision has a named reason."""

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
    """Which alerts go to a receiver. `rules` and `accounts` are globs."""

    receiver: str
    min_severity: Severity = Severity.INFO
    rules: tuple[str, ...] = ("*",)
    accounts: tuple[str, ...] = ("*",)
    send_resolved: bool = True
    repeat_interval: timedelta = timedelta(0)

    def matches(self, alert: Alert) -> bool:
        """Whether the alert's severity, rule and account match the route.

        Alerts about the watcher ignore `accounts`.
        They never go to the receiver that they are about.
        """
        about = alert.fingerprint
        if about.account == WATCHER:
            in_scope = about.subject != self.receiver
        else:
            in_scope = _any_matches(self.accounts, about.account)
        return (
            in_scope
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


def reason_to_notify(
    alert: Alert,
    route: Route,
    notified_at: datetime | None,
    now: datetime,
    *,
    repeats: bool = True,
) -> Reason | None:
    """The reason to notify this receiver of this alert now. `None` means do not notify.

    `notified_at` is when the receiver was last notified of it.
    If it is in the future because the clock was set back, it counts as equally far in the past.
    A receiver gets a resolved message only if it was notified of the firing alert.
    If `repeats` is false, the receiver is notified once, regardless of the route's interval.
    """
    if alert.state is State.FIRING:
        if notified_at is None:
            return Reason.FIRST if route.matches(alert) else None
        due = repeats and route.repeat_interval and abs(now - notified_at) >= route.repeat_interval
        return Reason.REPEAT if due and route.matches(alert) else None
    over = alert.state is State.RESOLVED and notified_at is not None
    return Reason.RESOLVED if over and route.send_resolved and not alert.quiet else None
