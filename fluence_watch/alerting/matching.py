"""Which alerts go to which receiver."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.matchers import Matchers, all_match
from fluence_watch.model.finding import WATCHER, Severity
from fluence_watch.model.globs import matches_any

if TYPE_CHECKING:
    from fluence_watch.alerting.active import ActiveTimes

GIVE_UP_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Route:
    """Which alerts go to a receiver, and how often. `rules` and `accounts` are globs.

    All matchers in `match` must match too.

    A message waits `group_wait` for more alerts, and `group_interval` after the message before it.
    What is over for longer than `give_up_after` is no longer news.
    Outside `active` messages are held, but for critical ones with `critical_at_once`.
    """

    receiver: str
    min_severity: Severity = Severity.INFO
    rules: tuple[str, ...] = ("*",)
    accounts: tuple[str, ...] = ("*",)
    match: Matchers = ()
    send_resolved: bool = True
    repeat_interval: timedelta = timedelta(0)
    group_wait: timedelta = timedelta(0)
    group_interval: timedelta = timedelta(0)
    give_up_after: timedelta = GIVE_UP_AFTER
    active: "ActiveTimes | None" = None
    critical_at_once: bool = True

    def matches(self, alert: Alert) -> bool:
        """Whether the alert's severity, rule, account and labels match the route.

        Alerts about the watcher ignore `accounts`.
        They never go to the receiver that they are about.
        """
        about = alert.fingerprint
        of_account = about.account == WATCHER or matches_any(self.accounts, about.account)
        return (
            of_account
            and not self.is_about_receiver(alert)
            and alert.severity.rank >= self.min_severity.rank
            and matches_any(self.rules, about.rule)
            and (not self.match or all_match(self.match, labels(alert)))
        )

    def is_about_receiver(self, alert: Alert) -> bool:
        """Whether the watcher reports this receiver."""
        about = alert.fingerprint
        return about.account == WATCHER and about.subject == self.receiver

    def opens_at(self, at: datetime, severity: Severity) -> datetime:
        """When the receiver may be notified of an alert this severe, at that time or later."""
        if self.active is None or (self.critical_at_once and severity is Severity.CRITICAL):
            return at
        return self.active.opens_at(at)
