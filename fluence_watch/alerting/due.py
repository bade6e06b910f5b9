"""What a receiver is due now, what is kept back, and when that may change by itself. Pure.

What keeps back what there would be a reason to send (see `telling.py`):

  what would be sent     silenced, inhibited (see muting.py)   acknowledged   outside active times
  first, worse           waits                                 sent           waits
  escalated, repeat      waits                                 waits          waits
  resolved               sent                                  sent           waits
  missed                 never sent                            sent           waits
  first, an event: over  never sent                            sent           waits

What is over and was kept back as long as it fired is never sent, but for events, and for what may
have been sent before: the process died, or the receiver did not answer in time (`begun`).
What waits for active times is sent in one message when they begin, as far as it is still true.
Critical alerts do not wait for them where the route says so.
What is written of it all: see `judging.py`.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fluence_watch.alerting.escalation import Escalated, first_of
from fluence_watch.alerting.judging import Judgement, judged
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Mute, Muted, Why, never
from fluence_watch.alerting.telling import (
    Heard,
    Line,
    Notified,
    Reason,
    Recipient,
    Told,
    escalates_in,
    may_know,
    opens_at,
    reason_to_notify,
    since_when,
    takes,
    when_over,
)


@dataclass(frozen=True, slots=True)
class Due:
    """The lines that a receiver is due now, and when that may change by itself.

    `judged` says it of each alert of which there is something to say; `alerts` has these as they were.
    """

    lines: tuple[Line, ...] = ()
    wait_until: datetime | None = None
    judged: Mapping[Episode, Judgement] = field(default_factory=dict, compare=False)
    alerts: Mapping[Episode, Alert] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is the same for all alerts that are looked at."""

    recipient: Recipient
    now: datetime
    paused: Container[str]
    events: Container[str]
    muted: Muted
    taken: Muted
    others: Mapping[str, Told]
    begun: frozenset[str]


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
    others: Mapping[str, Told] | None = None,
    begun: frozenset[str] = frozenset(),
) -> Due:
    """What the receiver is due of these alerts.

    Alerts with a `paused` subject are not repeated. `events` are the rules that report events.
    `muted` says what keeps an alert back, `taken` whether somebody acknowledged it.
    `others` is what the receivers were told that escalate to this one. `begun` has the marks of
    episodes of which a message may have arrived: their ends are not kept back by `muted`.
    """
    muted = heeded(muted, begun)
    look = _Look(recipient, now, paused, events, muted, taken, others or {}, begun)
    found = _Gathered(look, told)
    for alert in alerts:
        found.add(alert)
    found.repeat_together()
    return found.due


@dataclass(slots=True)
class _Gathered:
    """What is found, alert by alert: `later` are repetitions that are not due yet."""

    look: _Look
    told: Told
    lines: list[Line] = field(default_factory=list)
    later: list[tuple[datetime, Alert]] = field(default_factory=list)
    waits: list[datetime] = field(default_factory=list)
    judged: dict[Episode, Judgement] = field(default_factory=dict)
    alerts: dict[Episode, Alert] = field(default_factory=dict)

    def add(self, alert: Alert) -> None:
        """Look at an alert."""
        notified, look = self.told.get(alert.episode), self.look
        reason = _reason(alert, notified, look)
        mute = _kept_back(alert, reason, notified, look)
        if mute:
            self.waits += [mute.until] if mute.until else []
        elif reason:
            self.lines.append(_line(alert, reason, notified, look))
        elif at := _repeats_at(alert, notified, look):
            self.later.append((at, alert))
        self.waits += _escalates_at(alert, look)
        if about := _judged(alert, notified, reason, mute, look):
            self.judged[alert.episode], self.alerts[alert.episode] = about, alert

    def repeat_together(self) -> None:
        """Let repetitions that are due soon go along with one that is due now."""
        if not any(line.reason is Reason.REPEAT for line in self.lines):
            return
        later, self.later = self.later, []
        for at, alert in later:
            if _repeats_too(at, alert, self.told.get(alert.episode), self.look):
                self.lines.append(Line(alert, Reason.REPEAT, self.look.now))
            else:
                self.later.append((at, alert))

    @property
    def due(self) -> Due:
        """All of it."""
        waits = [*self.waits, *(at for at, _ in self.later)]
        return Due(tuple(self.lines), min(waits, default=None), self.judged, self.alerts)


def heeded(muted: Muted, begun: frozenset[str]) -> Muted:
    """What keeps alerts back, but not the end of one whose beginning may have arrived.

    `begun` has the marks of those: the process died, or the receiver did not answer in time.
    """

    def other(alert: Alert, at: datetime) -> Mute | None:
        over = alert.ends_at is not None
        return None if over and may_know(alert, begun) else muted(alert, at)

    return other if begun else muted


def kept_back(
    alert: Alert,
    reason: Reason | None,
    notified: Notified | None,
    recipient: Recipient,
    now: datetime,
    *,
    muted: Muted = never,
    taken: Muted = never,
) -> Mute | None:
    """What keeps back a message that would be sent for that reason.

    What is over and has no `until` is never sent.
    """
    if reason is None:
        return None
    over_at, route = when_over(alert, now), recipient.route
    mute = None if reason is Reason.RESOLVED else muted(alert, over_at or now)
    if mute is None and over_at and reason is Reason.MISSED:
        mute = _all_along(alert, route, over_at, muted)
    if mute and over_at:
        return replace(mute, until=None)
    if mute is None and reason in {Reason.REPEAT, Reason.ESCALATED}:
        mute = taken(alert, now)
    return mute or _inactive(route, now, opens_at(alert, notified, route, now))


def _inactive(route: Route, at: datetime, until: datetime) -> Mute | None:
    return Mute(Why.INACTIVE, route.receiver, until) if until > at else None


def _all_along(alert: Alert, route: Route, over_at: datetime, muted: Muted) -> Mute | None:
    """What kept an alert back as long as it fired, one after the other: the last of them."""
    mute, at = None, since_when(alert)
    over_at = min(over_at, alert.relevant_until or over_at)
    # as it was while it fired: what ends with an alert mutes the end of that alert too
    firing = replace(alert, state=State.FIRING)
    while at < over_at:
        mute = _inactive(route, at, opens_at(alert, None, route, at)) or muted(firing, at)
        if mute is None or mute.until is None:
            return mute
        at = mute.until
    return mute


def _kept_back(
    alert: Alert, reason: Reason | None, notified: Notified | None, look: _Look
) -> Mute | None:
    return kept_back(
        alert, reason, notified, look.recipient, look.now, muted=look.muted, taken=look.taken
    )


def _judged(
    alert: Alert, notified: Notified | None, reason: Reason | None, mute: Mute | None, look: _Look
) -> Judgement | None:
    """What is written of it, if there is something to say."""
    if notified is not None and not reason and alert.state is not State.RESOLVED:
        return None
    return judged(
        alert,
        notified,
        reason,
        mute,
        recipient=look.recipient,
        now=look.now,
        events=look.events,
        taken=look.taken,
    )


def _repeats_too(at: datetime, alert: Alert, notified: Notified | None, look: _Look) -> bool:
    """Whether a repetition that is due soon goes along with one that is due now."""
    is_soon = at <= look.now + look.recipient.route.repeat_interval / 2
    return is_soon and not _kept_back(alert, Reason.REPEAT, notified, look)


def _reason(alert: Alert, notified: Notified | None, look: _Look) -> Reason | None:
    repeats = alert.fingerprint.subject not in look.paused
    return reason_to_notify(
        alert, notified, look.recipient, look.now,
        repeats=repeats, events=look.events, begun=look.begun,
    )  # fmt: skip


def _line(alert: Alert, reason: Reason, notified: Notified | None, look: _Look) -> Line:
    since = opens_at(alert, notified, look.recipient.route, _due_since(alert, reason, look))
    escalated = _escalated(alert, look) if reason is Reason.ESCALATED else None
    return Line(alert, reason, min(since, look.now), escalated)


def _due_since(alert: Alert, reason: Reason, look: _Look) -> datetime:
    if reason in {Reason.WORSE, Reason.REPEAT}:
        return look.now
    if reason is Reason.ESCALATED:
        left = escalates_in(alert, look.recipient, look.now)
        return look.now + left if left else look.now
    if reason is Reason.FIRST:
        return since_when(alert)
    return when_over(alert, look.now) or look.now


def _escalated(alert: Alert, look: _Look) -> Escalated | None:
    """From whom the alert is escalated."""
    step = first_of(look.recipient.escalations, alert)
    if step is None:
        return None
    notified = look.others.get(step.receiver, {}).get(alert.episode)
    knows = notified is not None and notified.heard is Heard.FIRING
    return Escalated(step.receiver, notified.at if notified and knows else None)


def _escalates_at(alert: Alert, look: _Look) -> list[datetime]:
    """When an alert that is not for the receiver yet is escalated to it."""
    if alert.state is not State.FIRING or when_over(alert, look.now) is not None:
        return []
    if not look.recipient.escalations or look.recipient.route.matches(alert):
        return []
    left = escalates_in(alert, look.recipient, look.now, events=look.events)
    return [look.now + left] if left and look.now + left > look.now else []


def _repeats_at(alert: Alert, notified: Notified | None, look: _Look) -> datetime | None:
    """When a repetition comes due."""
    route, now = look.recipient.route, look.now
    if alert.state is not State.FIRING or notified is None:
        return None
    if notified.heard is not Heard.FIRING or not route.repeat_interval:
        return None
    if alert.fingerprint.subject in look.paused or when_over(alert, now) is not None:
        return None
    at = min(notified.at, now) + route.repeat_interval
    return at if at > now and takes(alert, look.recipient, now, events=look.events) else None
