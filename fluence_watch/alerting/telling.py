"""Why a receiver is notified: what is true, compared with what it was notified of. Pure.

The unit is the episode: one problem from its start to its end.

  episode                        never notified   notified: firing         given up   resolved
  pending                        -                -                        -          -
  firing                         first            worse, repeat or -       worse or - -
  firing, for another receiver   escalated or -   worse, repeat or -       worse or - -
  its deadline passed            missed           -                        -          -
  over                           missed           resolved                 -          -
  over, for another receiver     missed or -      resolved                 -          -
  over, an event                 first            -                        -          -
  over without a message (gone)  -                -                        -          -

- `worse`: the severity or the rule's step is higher than the receiver ever heard in the episode.
- `repeat`: the route's `repeat_interval` has passed. A missing VM's alerts are not repeated.
  A repetition takes along all that would be repeated within half an interval.
- `escalated`: the route does not match, but that of a receiver that escalates to this one does, for
  long enough. Then the receiver is notified as if its route matched. Events are not escalated.
- `missed`: it began and ended while the receiver could not be reached. What is for another one is
  missed if a message of it may have arrived: no answer came in time, or the process died meanwhile.
- A first or worse notification needs a route that matches. A resolved one needs `send_resolved`.
- What keeps a message back all the same, and until when: see `due.py`.
- What ended before the receiver was added, or more than `give_up_after` ago, is no longer news.
  Time outside the active times of the receiver does not count.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.escalation import Escalated, Escalation, first_of
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.matching import Route
from fluence_watch.model.finding import Severity


class Reason(StrEnum):
    """Why a receiver is notified."""

    FIRST = "first"
    ESCALATED = "escalated"
    WORSE = "worse"
    REPEAT = "repeat"
    RESOLVED = "resolved"
    MISSED = "missed"


class Heard(StrEnum):
    """The last thing that a receiver heard of an episode, or that it refuses to hear of it."""

    FIRING = "firing"
    RESOLVED = "resolved"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Notified:
    """What a receiver was last notified of an episode, and when.

    `severity` and `step` are the worst that it heard.
    `step` is `None` if an earlier version sent the notification. Then no step is worse.
    """

    at: datetime
    severity: Severity
    step: int | None = 0
    heard: Heard = Heard.FIRING


Told = Mapping[Episode, Notified]
"""What one receiver was notified of."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """A receiver: its route, and when it was added to the settings (`None`: unknown, long ago).

    `escalations` are those of other receivers to this one.
    """

    route: Route
    since: datetime | None = None
    escalations: tuple[Escalation, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """An alert that a receiver is due, the reason, and since when it is due.

    `escalated` is from whom, if that is the reason.
    """

    alert: Alert
    reason: Reason
    since: datetime
    escalated: Escalated | None = None

    @property
    def episode(self) -> Episode:
        """The episode that it is about."""
        return self.alert.episode

    def notified(self, before: Notified | None, at: datetime) -> Notified:
        """What the receiver knows once it accepts this line."""
        over = self.reason in {Reason.RESOLVED, Reason.MISSED} or self.alert.state is State.RESOLVED
        return _remembered(self.alert, before, at, Heard.RESOLVED if over else Heard.FIRING)

    def given_up(self, before: Notified | None, at: datetime) -> Notified:
        """What is remembered if the receiver refuses this line for good."""
        return _remembered(self.alert, before, at, Heard.GIVEN_UP)


def reason_to_notify(
    alert: Alert,
    notified: Notified | None,
    recipient: Recipient,
    now: datetime,
    *,
    repeats: bool = True,
    events: Container[str] = frozenset(),
    begun: frozenset[str] = frozenset(),
) -> Reason | None:
    """The reason to notify the receiver of the alert now; `None` for none. See the table above.

    `begun` has the marks of episodes of which a message may have arrived.
    What may keep the message back all the same, `kept_back` says.
    """
    route = recipient.route
    over_at = when_over(alert, now)
    if alert.state is State.PENDING:
        return None
    if over_at is not None:
        inactive = opens_at(alert, notified, route, over_at) - over_at
        if is_old(over_at, recipient, now, inactive, heard=notified is not None):
            return None
        if notified is not None:
            return _reason_to_resolve(alert, notified, route)
        return _reason_when_missed(alert, route, begun, event=alert.fingerprint.rule in events)
    if not takes(alert, recipient, now, events=events):
        return None
    return _reason_while_firing(alert, notified, route, now, repeats=repeats)


def takes(
    alert: Alert, recipient: Recipient, now: datetime, *, events: Container[str] = frozenset()
) -> bool:
    """Whether an alert that fires is for the receiver: by its route, or because it is escalated."""
    if recipient.route.matches(alert):
        return True
    left = escalates_in(alert, recipient, now, events=events)
    return left is not None and left <= timedelta(0)


def escalates_in(
    alert: Alert, recipient: Recipient, now: datetime, *, events: Container[str] = frozenset()
) -> timedelta | None:
    """The time left until an alert is escalated to the receiver; zero or less: it is. `None`: never.

    A start in the future, because the clock was set back, counts as equally far in the past.
    """
    if alert.fingerprint.rule in events or recipient.route.is_about_receiver(alert):
        return None
    step = first_of(recipient.escalations, alert)
    return step and step.wait - abs(now - since_when(alert))


def since_when(alert: Alert) -> datetime:
    """Since when the alert fires."""
    return alert.starts_at or alert.active_at


def when_over(alert: Alert, now: datetime) -> datetime | None:
    """When the episode ended, or when its deadline passed."""
    if alert.ends_at is not None:
        return alert.ends_at
    passed = alert.relevant_until is not None and now >= alert.relevant_until
    return alert.relevant_until if passed else None


def is_old(
    over_at: datetime,
    recipient: Recipient,
    now: datetime,
    inactive: timedelta = timedelta(0),
    *,
    heard: bool = False,
) -> bool:
    """Whether what was over at that time is no longer news.

    `inactive` is how long the receiver was outside its active times then. For one that `heard` of it,
    it does not matter when it was added: the clock may have been set back.
    """
    since = None if heard else recipient.since
    added_later = since is not None and over_at < since
    return added_later or now - over_at - inactive > recipient.route.give_up_after


def opens_at(alert: Alert, notified: Notified | None, route: Route, at: datetime) -> datetime:
    """When the receiver may be notified of the alert, at that time or later.

    What it heard of as critical resolves as such.
    """
    severity = alert.severity
    if notified is not None and alert.state is State.RESOLVED:
        severity = _worst(notified.severity, severity)
    return route.opens_at(at, severity)


def _reason_while_firing(
    alert: Alert, notified: Notified | None, route: Route, now: datetime, *, repeats: bool
) -> Reason | None:
    if notified is None:
        return Reason.FIRST if route.matches(alert) else Reason.ESCALATED
    if _is_worse(alert, notified):
        return Reason.WORSE
    return Reason.REPEAT if repeats and _repeats(notified, route, now) else None


def _reason_to_resolve(alert: Alert, notified: Notified, route: Route) -> Reason | None:
    open_end = notified.heard is Heard.FIRING and alert.state is State.RESOLVED
    return Reason.RESOLVED if open_end and route.send_resolved and not alert.quiet else None


def _reason_when_missed(
    alert: Alert, route: Route, begun: frozenset[str], *, event: bool
) -> Reason | None:
    matches = route.matches(alert)
    if event:
        return Reason.FIRST if matches else None
    if alert.quiet and not _reached_deadline(alert):
        return None
    return Reason.MISSED if matches or may_know(alert, begun) else None


def may_know(alert: Alert, begun: frozenset[str]) -> bool:
    """Whether a message about the alert may have arrived."""
    return bool(begun) and mark(alert.episode) in begun


def _reached_deadline(alert: Alert) -> bool:
    return alert.relevant_until is not None and (
        alert.ends_at is None or alert.ends_at >= alert.relevant_until
    )


def _is_worse(alert: Alert, notified: Notified) -> bool:
    higher = notified.step is not None and alert.step > notified.step
    return notified.heard is not Heard.RESOLVED and (
        higher or alert.severity.rank > notified.severity.rank
    )


def _repeats(notified: Notified, route: Route, now: datetime) -> bool:
    """Whether a repetition is due. A time in the future counts as equally far in the past."""
    interval = route.repeat_interval
    return (
        notified.heard is Heard.FIRING
        and interval > timedelta(0)
        and abs(now - notified.at) >= interval
    )


def _remembered(alert: Alert, before: Notified | None, at: datetime, heard: Heard) -> Notified:
    if before is None:
        return Notified(at, alert.severity, alert.step, heard)
    severity = _worst(before.severity, alert.severity)
    step = None if before.step is None else max(before.step, alert.step)
    return Notified(at, severity, step, heard)


def _worst(one: Severity, other: Severity) -> Severity:
    return max(one, other, key=lambda each: each.rank)
