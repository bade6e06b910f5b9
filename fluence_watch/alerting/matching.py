"""Which alerts go to which receiver."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from fluence_watch.alerting.journal import WhyNot
from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.matchers import Matchers, first_misfit
from fluence_watch.model.finding import WATCHER, Severity
from fluence_watch.model.globs import matches_any

if TYPE_CHECKING:
    from fluence_watch.alerting.active import ActiveTimes

GIVE_UP_AFTER = timedelta(days=7)


class Misfit(NamedTuple):
    """The part of a route that an alert does not match. `by` is that part as it is written."""

    part: WhyNot
    by: str = ""


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
        return self.misfit(alert) is None

    def misfit(self, alert: Alert) -> Misfit | None:
        """The first part of the route that the alert does not match; `None` if it matches all."""
        about = alert.fingerprint
        if self.is_about_receiver(alert):
            return Misfit(WhyNot.ABOUT_ITSELF)
        if about.account != WATCHER and not matches_any(self.accounts, about.account):
            return Misfit(WhyNot.ACCOUNTS, ", ".join(self.accounts))
        if alert.severity.rank < self.min_severity.rank:
            return Misfit(WhyNot.MIN_SEVERITY, self.min_severity)
        if not matches_any(self.rules, about.rule):
            return Misfit(WhyNot.RULES, ", ".join(self.rules))
        wrong = first_misfit(self.match, labels(alert)) if self.match else None
        return Misfit(WhyNot.MATCH, str(wrong)) if wrong else None

    def is_about_receiver(self, alert: Alert) -> bool:
        """Whether the watcher reports this receiver."""
        about = alert.fingerprint
        return about.account == WATCHER and about.subject == self.receiver

    def opens_at(self, at: datetime, severity: Severity) -> datetime:
        """When the receiver may be notified of an alert this severe, at that time or later."""
        if self.active is None or (self.critical_at_once and severity is Severity.CRITICAL):
            return at
        return self.active.opens_at(at)
