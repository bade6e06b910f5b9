"""Why a receiver is notified of an alert or is not, for the journal. Pure.

what there is                            what is written
a reason, and nothing keeps it back      due (the reason)
a reason, kept back until something      waits (silenced, maintenance, inhibited, ...)
a reason, kept back until it was over    never (the same)
not notified: the route does not match   skipped (what does not match)
the same, but it will be escalated       waits (escalate_after)
the same, over before it was escalated   never (escalate_after)
not notified: over and no news any more  never (added_later, give_up_after)
not notified: over without a message     never (quiet)
notified, nothing new                    -
notified: no resolved message            never (send_resolved, quiet, added_later, give_up_after)
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.escalation import first_of
from fluence_watch.alerting.journal import Details, What, WhyNot
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.muting import Mute, Muted, never
from fluence_watch.alerting.telling import (
    Heard,
    Notified,
    Reason,
    Recipient,
    escalates_in,
    is_old,
    opens_at,
    when_over,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a receiver is due of an alert, with the reason."""

    what: What
    reason: str
    by: str = ""
    text: str = ""
    until: datetime | None = None

    @property
    def details(self) -> Details:
        """The same for an entry."""
        return Details(self.reason, self.by, self.text, until=self.until)


def judged(
    alert: Alert,
    notified: Notified | None,
    reason: Reason | None,
    mute: Mute | None,
    *,
    recipient: Recipient,
    now: datetime,
    events: Container[str] = frozenset(),
    taken: Muted = never,
) -> Judgement | None:
    """What is written of the alert and the receiver; `None` if nothing. See the table above.

    `reason` is why there is a message, `mute` what keeps it back (see `due.py`). `taken` says
    whether somebody acknowledged the alert, before it is escalated too.
    """
    if mute is not None:
        what = What.WAITS if mute.until or when_over(alert, now) is None else What.NEVER
        return Judgement(what, mute.why, mute.by, mute.comment, mute.until)
    if reason is not None:
        step = first_of(recipient.escalations, alert) if reason is Reason.ESCALATED else None
        return Judgement(What.DUE, reason, step.receiver if step else "")
    if alert.state is State.PENDING:
        return None
    if notified is not None:
        return _of_notified(alert, notified, recipient, now)
    return _of_others(alert, recipient, now, events, taken)


def _of_notified(
    alert: Alert, notified: Notified, recipient: Recipient, now: datetime
) -> Judgement | None:
    if alert.state is not State.RESOLVED or notified.heard is not Heard.FIRING:
        return None
    if alert.quiet:
        return Judgement(What.NEVER, WhyNot.QUIET)
    if not recipient.route.send_resolved:
        return Judgement(What.NEVER, WhyNot.SEND_RESOLVED)
    return Judgement(What.NEVER, _why_old(alert, notified, recipient, now) or WhyNot.GIVE_UP_AFTER)


def _of_others(
    alert: Alert, recipient: Recipient, now: datetime, events: Container[str], taken: Muted
) -> Judgement | None:
    over_at = when_over(alert, now)
    misfit = recipient.route.misfit(alert)
    if misfit is not None:
        left = escalates_in(alert, recipient, now, events=events)
        if left is None:
            return Judgement(What.SKIPPED, misfit.part, misfit.by)
        step = first_of(recipient.escalations, alert)
        by = step.receiver if step else ""
        if over_at is None and (mute := taken(alert, now)):
            return Judgement(What.WAITS, mute.why, mute.by, mute.comment, mute.until)
        if over_at is None:
            return Judgement(What.WAITS, WhyNot.ESCALATE_AFTER, by, until=now + left)
        return Judgement(What.NEVER, WhyNot.ESCALATE_AFTER, by)
    if over_at is None:
        return None
    return Judgement(What.NEVER, _why_old(alert, None, recipient, now) or WhyNot.QUIET)


def _why_old(
    alert: Alert, notified: Notified | None, recipient: Recipient, now: datetime
) -> WhyNot | None:
    """Why what is over is no news any more."""
    over_at = when_over(alert, now)
    if over_at is None:
        return None
    inactive = opens_at(alert, notified, recipient.route, over_at) - over_at
    if not is_old(over_at, recipient, now, inactive, heard=notified is not None):
        return None
    added_later = notified is None and recipient.since is not None and over_at < recipient.since
    return WhyNot.ADDED_LATER if added_later else WhyNot.GIVE_UP_AFTER
