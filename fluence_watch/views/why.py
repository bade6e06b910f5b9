"""Why receivers were notified of an alert, and why they were not: the journal, read. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.journal import Entry, What
from fluence_watch.alerting.telling import Reason

_OF_RECEIVERS = frozenset({What.DUE, What.WAITS, What.SKIPPED, What.SENT, What.REFUSED})
_OF_RECEIVERS |= {What.GIVEN_UP, What.NEVER}
_FIRING = frozenset({Reason.FIRST, Reason.ESCALATED, Reason.WORSE})
_OVER = frozenset({Reason.RESOLVED, Reason.MISSED})


@dataclass(frozen=True, slots=True)
class Answer:
    """The last word of a receiver about an alert: the final one, if the alert is over.

    `what` is a `What`, `reason` a word of `Reason`, `Why` or `WhyNot`. `notified_at` is when it was
    first notified, `resolved_at` when it was notified of the end; `None`: it was not.
    `by` names a silence, an alert, a matcher or a receiver, `text` is a comment or an error.
    """

    receiver: str
    what: What
    reason: str
    at: datetime
    by: str = ""
    text: str = ""
    until: datetime | None = None
    notified_at: datetime | None = None
    resolved_at: datetime | None = None


def answers(entries: Iterable[Entry]) -> Mapping[str, Answer]:
    """The answer of each receiver, by name, in these entries of one alert, oldest first."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.receiver is not None and entry.what in _OF_RECEIVERS:
            found.setdefault(entry.receiver, []).append(entry)
    return {receiver: _answer(receiver, each) for receiver, each in sorted(found.items())}


def _answer(receiver: str, entries: list[Entry]) -> Answer:
    last, details = entries[-1], entries[-1].details
    return Answer(
        receiver,
        last.what,
        details.reason,
        last.at,
        details.by,
        details.text,
        details.until,
        notified_at=_sent_at(entries, _FIRING),
        resolved_at=_sent_at(entries, _OVER),
    )


def _sent_at(entries: Iterable[Entry], reasons: Iterable[str]) -> datetime | None:
    sent = (each for each in entries if each.what is What.SENT)
    return next((each.at for each in sent if each.details.reason in reasons), None)
