"""What a receiver is due: what is true, compared with what it was notified of. Pure.

The unit is the episode: one problem from its start to its end.

  episode                        never notified   notified: firing         given up   resolved
  pending                        -                -                        -          -
  firing                         first            worse, repeat or -       worse or - -
  its deadline passed            missed           -                        -          -
  over                           missed           resolved                 -          -
  over, an event                 first            -                        -          -
  over without a message (gone)  -                -                        -          -

- `worse`: the severity or the rule's step is higher than the receiver ever heard in the episode.
- `repeat`: the route's `repeat_interval` has passed. A missing VM's alerts are not repeated.
  A repetition takes along all that would be repeated within half an interval.
- `missed`: it began and ended while the receiver could not be reached.
- A first or worse notification needs a route that matches. A resolved one needs `send_resolved`.
- What a silence, a maintenance, another alert or an acknowledgement keeps back: see `muting.py`.
- What ended before the receiver was added, or more than `give_up_after` ago, is no longer news.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Mute, Muted, never
from fluence_watch.model.finding import Severity


class Reason(StrEnum):
    """Why a receiver is notified."""

    FIRST = "first"
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
    """A receiver: its route, and when it was added to the settings (`None`: unknown, long ago)."""

    route: Route
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """An alert that a receiver is due, the reason, and since when it is due."""

    alert: Alert
    reason: Reason
    since: datetime

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


@dataclass(frozen=True, slots=True)
class Due:
    """The lines that a receiver is due now, and when that may change by itself."""

    lines: tuple[Line, ...] = ()
    wait_until: datetime | None = None


def due(
    alerts: Iterable[Alert],
    told: Told,
    recipient: Recipient,
    now: datetime,
    *,
    paused: Container[str] = frozenset(),
    events: Container[str] = frozenset(),
    muted: Muted = never,
    taken: Muted = never,
) -> Due:
    """What the receiver is due of these alerts.

    Alerts with a `paused` subject are not repeated. `events` are the rules that report events.
    `muted` says what keeps an alert back, `taken` whether somebody acknowledged it.
    """
    lines: list[Line] = []
    later: list[tuple[datetime, Alert]] = []
    waits: list[datetime] = []
    for alert in alerts:
        notified = told.get(alert.episode)
        repeats = alert.fingerprint.subject not in paused
        reason = reason_to_notify(alert, notified, recipient, now, repeats=repeats, events=events)
        mute = kept_back(alert, reason, now, muted=muted, taken=taken)
        if mute:
            waits += [mute.until] if mute.until and _over_at(alert, now) is None else []
        elif reason:
            lines.append(Line(alert, reason, _due_since(alert, reason, now)))
        elif at := _repeats_at(alert, notified, recipient.route, now, repeats=repeats):
            later.append((at, alert))
    if any(line.reason is Reason.REPEAT for line in lines):
        soon = now + recipient.route.repeat_interval / 2
        also = [
            (at, alert)
            for at, alert in later
            if at <= soon and not kept_back(alert, Reason.REPEAT, now, muted=muted, taken=taken)
        ]
        lines += [Line(alert, Reason.REPEAT, now) for _, alert in also]
        later = [each for each in later if each not in also]
    waits += [at for at, _ in later]
    return Due(tuple(lines), min(waits, default=None))


def kept_back(
    alert: Alert,
    reason: Reason | None,
    now: datetime,
    *,
    muted: Muted = never,
    taken: Muted = never,
) -> Mute | None:
    """What keeps back a message that would be sent for that reason."""
    if reason is None or reason is Reason.RESOLVED:
        return None
    mute = muted(alert, _over_at(alert, now) or now)
    return mute or (taken(alert, now) if reason is Reason.REPEAT else None)


def reason_to_notify(
    alert: Alert,
    notified: Notified | None,
    recipient: Recipient,
    now: datetime,
    *,
    repeats: bool = True,
    events: Container[str] = frozenset(),
) -> Reason | None:
    """The reason to notify the receiver of the alert now; `None` for none. See the table above.

    What may keep the message back all the same, `kept_back` says.
    """
    route = recipient.route
    over_at = _over_at(alert, now)
    if alert.state is State.PENDING:
        return None
    if over_at is not None:
        if is_old(over_at, recipient, now):
            return None
        return _reason_when_over(alert, notified, route, event=alert.fingerprint.rule in events)
    return _reason_while_firing(alert, notified, route, now, repeats=repeats)


def _reason_while_firing(
    alert: Alert, notified: Notified | None, route: Route, now: datetime, *, repeats: bool
) -> Reason | None:
    if not route.matches(alert):
        return None
    if notified is None:
        return Reason.FIRST
    if _is_worse(alert, notified):
        return Reason.WORSE
    return Reason.REPEAT if repeats and _repeats(notified, route, now) else None


def _reason_when_over(
    alert: Alert, notified: Notified | None, route: Route, *, event: bool
) -> Reason | None:
    if notified is not None:
        open_end = notified.heard is Heard.FIRING and alert.state is State.RESOLVED
        return Reason.RESOLVED if open_end and route.send_resolved and not alert.quiet else None
    if not route.matches(alert):
        return None
    if event:
        return Reason.FIRST
    return None if alert.quiet and not _reached_deadline(alert) else Reason.MISSED


def _over_at(alert: Alert, now: datetime) -> datetime | None:
    """When the episode ended, or when its deadline passed."""
    if alert.ends_at is not None:
        return alert.ends_at
    passed = alert.relevant_until is not None and now >= alert.relevant_until
    return alert.relevant_until if passed else None


def _reached_deadline(alert: Alert) -> bool:
    return alert.relevant_until is not None and (
        alert.ends_at is None or alert.ends_at >= alert.relevant_until
    )


def is_old(over_at: datetime, recipient: Recipient, now: datetime) -> bool:
    """Whether the receiver is not told any more of what was over at that time."""
    added_later = recipient.since is not None and over_at < recipient.since
    return added_later or now - over_at > recipient.route.give_up_after


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


def _due_since(alert: Alert, reason: Reason, now: datetime) -> datetime:
    if reason in {Reason.WORSE, Reason.REPEAT}:
        return now
    if reason is Reason.FIRST:
        return alert.starts_at or alert.active_at
    return _over_at(alert, now) or now


def _repeats_at(
    alert: Alert, notified: Notified | None, route: Route, now: datetime, *, repeats: bool
) -> datetime | None:
    """When a repetition comes due."""
    if alert.state is not State.FIRING or notified is None or not repeats:
        return None
    if notified.heard is not Heard.FIRING or not route.repeat_interval:
        return None
    at = min(notified.at, now) + route.repeat_interval
    return at if at > now and route.matches(alert) and _over_at(alert, now) is None else None


def _remembered(alert: Alert, before: Notified | None, at: datetime, heard: Heard) -> Notified:
    if before is None:
        return Notified(at, alert.severity, alert.step, heard)
    severity = max(before.severity, alert.severity, key=lambda each: each.rank)
    step = None if before.step is None else max(before.step, alert.step)
    return Notified(at, severity, step, heard)
