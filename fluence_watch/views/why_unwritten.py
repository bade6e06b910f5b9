"""The answers of receivers of which nothing is written about an alert. Pure.

the alert              the receiver              its answer
any                    its route does not take   skipped (what does not match)
over                   was added after that      never (added_later)
pending                any other                 waits (pending)
fires                  any other                 waits (not_judged)
over, not settled      any other                 waits (not_judged)
over, settled          any other                 unknown (not_written)
any                    is removed                unknown (removed)

An alert is settled when nothing more is due of it: then the last word of each receiver is written. So
nothing is written of one that was settled before there was a journal.
"""

from collections.abc import Container, Mapping
from datetime import datetime
from enum import StrEnum

from fluence_watch.alerting.journal import What, WhyNot
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.telling import Recipient, escalates_in, since_when, when_over
from fluence_watch.views.why import Answer


class Unwritten(StrEnum):
    """Why nothing is written of an alert and a receiver."""

    PENDING = "pending"
    NOT_JUDGED = "not_judged"
    NOT_WRITTEN = "not_written"
    REMOVED = "removed"


WORDS: Mapping[str, str] = {
    Unwritten.PENDING: "its `for` has not passed",
    Unwritten.NOT_JUDGED: "it is not judged yet",
    Unwritten.NOT_WRITTEN: "it was over before this was written down",
    Unwritten.REMOVED: "it is no receiver any more, and nothing is written of it",
}


def unwritten(
    alert: Alert,
    recipient: Recipient,
    now: datetime,
    *,
    is_settled: bool,
    events: Container[str] = frozenset(),
) -> Answer:
    """The answer of a receiver of the settings. See the table above."""
    name, began, over_at = recipient.route.receiver, since_when(alert), when_over(alert, now)
    misfit = recipient.route.misfit(alert)
    if misfit and escalates_in(alert, recipient, now, events=events) is None:
        return Answer(name, What.SKIPPED, misfit.part, began, misfit.by)
    if over_at and recipient.since and over_at < recipient.since:
        return Answer(name, What.NEVER, WhyNot.ADDED_LATER, recipient.since)
    if is_settled:
        return Answer(name, None, Unwritten.NOT_WRITTEN, over_at or began)
    is_pending = alert.state is State.PENDING
    why = Unwritten.PENDING if is_pending else Unwritten.NOT_JUDGED
    return Answer(name, What.WAITS, why, over_at or began)


def removed(receiver: str, alert: Alert) -> Answer:
    """The answer of a receiver that is not in the settings."""
    return Answer(receiver, None, Unwritten.REMOVED, since_when(alert))
