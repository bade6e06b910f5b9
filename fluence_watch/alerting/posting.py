"""What an Alertmanager should have of an alert: its state, not a message. Pure.

  episode                                   posted as
  pending                                   -
  firing                                    active, with an end far ahead
  firing, its deadline passed               over, at its deadline
  firing, the route takes it no more        over, now, if it was accepted before
  over, with or without a message           over, at its end
  an event                                  active for `EVENT_LASTS` from when it was first accepted

- An active alert ends `give_up_after` from now, at least `LEAST`, or at its deadline. So it outlives our silence, and
  what ended so long ago that it is no longer posted has ended by itself.
- An end is posted until each member has accepted it, not earlier than `SETTLES_AFTER` after it: a
  member whose clock is behind takes an earlier one for an end in the future, and drops it.
- What ended before the receiver was added, or more than `give_up_after` ago, is not posted.
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.telling import Heard, Notified, Recipient, is_old

EVENT_LASTS = timedelta(hours=1)
"""How long an event is active: longer than Alertmanager waits with it (`group_wait`, `group_interval`)."""
SETTLES_AFTER = timedelta(minutes=15)
"""How long an end is posted again, as Prometheus does it: clocks differ."""
LEAST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Posting:
    """An alert as it should be posted. `over` is whether it ended at `ends_at`."""

    alert: Alert
    ends_at: datetime
    over: bool = False
    event: bool = False

    @property
    def episode(self) -> Episode:
        """The episode that it is about."""
        return self.alert.episode

    @property
    def starts_at(self) -> datetime:
        """When the alert began to fire."""
        return self.alert.starts_at or self.alert.active_at

    def settles(self, at: datetime) -> bool:
        """Whether its end counts as heard once it is accepted at that time."""
        return self.over and at - self.ends_at >= SETTLES_AFTER

    def is_news(self, notified: Notified | None) -> bool:
        """Whether it is more than was accepted before."""
        if notified is None:
            return True
        if self.over:
            return notified.heard is not Heard.RESOLVED
        return notified.heard is not Heard.FIRING or _is_other(self.alert, notified)

    def notified(self, before: Notified | None, at: datetime) -> Notified:
        """What is remembered when a member has accepted it. `at` stays that of the first time."""
        first = before.at if before and before.heard is Heard.FIRING else at
        return Notified(first, self.alert.severity, self.alert.step, Heard.FIRING)

    def resolved(self, at: datetime) -> Notified:
        """What is remembered when each member has accepted that it is over."""
        return Notified(at, self.alert.severity, self.alert.step, Heard.RESOLVED)


def posting(
    alert: Alert,
    notified: Notified | None,
    recipient: Recipient,
    now: datetime,
    events: Container[str] = frozenset(),
) -> Posting | None:
    """How the alert should be posted now; `None` if not at all. See the table above."""
    if alert.state is State.PENDING:
        return None
    if alert.fingerprint.rule in events:
        return _of_event(alert, notified, recipient, now)
    if alert.state is State.FIRING:
        return _of_firing(alert, notified, recipient, now)
    return _of_ended(alert, notified, recipient, now)


def patient(recipient: Recipient) -> Recipient:
    """The same with a `give_up_after` of at least `LEAST`: it is also how far ahead ends are."""
    route = recipient.route
    long_enough = replace(route, give_up_after=max(route.give_up_after, LEAST))
    return replace(recipient, route=long_enough)


def ended_before(starts_at: datetime, now: datetime) -> datetime:
    """The end of what is no longer posted as it was: long enough ago for any clock."""
    return max(starts_at, now - SETTLES_AFTER)


def _of_event(
    alert: Alert, notified: Notified | None, recipient: Recipient, now: datetime
) -> Posting | None:
    if notified is None:
        old = alert.ends_at is not None and is_old(alert.ends_at, recipient, now)
        wanted = recipient.route.matches(alert) and not old
        return Posting(alert, now + EVENT_LASTS, event=True) if wanted else None
    until = min(notified.at, now) + EVENT_LASTS
    return Posting(alert, until, event=True) if now < until else None


def _of_firing(
    alert: Alert, notified: Notified | None, recipient: Recipient, now: datetime
) -> Posting | None:
    heard = notified.heard if notified else None
    if not recipient.route.matches(alert):
        was_active = heard is Heard.FIRING
        starts_at = alert.starts_at or alert.active_at
        return Posting(alert, ended_before(starts_at, now), over=True) if was_active else None
    deadline = alert.relevant_until
    if deadline is not None and now >= deadline:
        return None if heard is Heard.RESOLVED else Posting(alert, deadline, over=True)
    return Posting(alert, deadline or now + recipient.route.give_up_after)


def _of_ended(
    alert: Alert, notified: Notified | None, recipient: Recipient, now: datetime
) -> Posting | None:
    assert alert.ends_at is not None
    wanted = notified.heard is Heard.FIRING if notified else recipient.route.matches(alert)
    if not wanted or is_old(alert.ends_at, recipient, now, heard=notified is not None):
        return None
    return Posting(alert, alert.ends_at, over=True)


def _is_other(alert: Alert, notified: Notified) -> bool:
    return (alert.severity, alert.step) != (notified.severity, notified.step)
