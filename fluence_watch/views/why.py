"""Why receivers were notified of an alert, and why they were not: the journal, read. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.journal import FINAL, Entry, What
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.telling import Heard, Notified, Reason
from fluence_watch.views.alert import AlertView

_OF_RECEIVERS = FINAL | {What.DUE, What.WAITS, What.REFUSED}
_NOTHING = frozenset({What.SKIPPED, What.NEVER})
_FIRING = frozenset({Reason.FIRST, Reason.ESCALATED, Reason.WORSE})
_REPEATED = frozenset({Reason.REPEAT})
_OVER = frozenset({Reason.RESOLVED, Reason.MISSED})


@dataclass(frozen=True, slots=True)
class Answer:
    """The last word of a receiver about an alert: the final one, if the alert is over.

    `what` is a `What`, `None` if it is unknown. `reason` is a word of `Reason`, `Why` or `WhyNot`, or of
    `Unwritten` where nothing is written. `notified_at` is when it was
    first notified, `resolved_at` when it was notified of the end, `repeated_at` when it was last
    reminded; `None`: it was not.
    `by` names a silence, an alert, a matcher or a receiver, `text` is a comment or an error.
    """

    receiver: str
    what: What | None
    reason: str
    at: datetime
    by: str = ""
    text: str = ""
    until: datetime | None = None
    notified_at: datetime | None = None
    resolved_at: datetime | None = None
    repeated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the journal, for people in `words`, for programs in the rest.

    `since` is from when on what it tells of lasted: a message was due, polls failed or a receiver
    accepted nothing, VMs were missing, a finding was seen. Where several are told as one, `times` says
    how many, and `since` is the first of them. `reasons` says how often polls failed for each
    reason, where several failures are told as one.
    """

    at: datetime
    what: What
    receiver: str | None
    reason: str
    by: str
    until: datetime | None
    words: str
    since: datetime | None = None
    times: int = 1
    reasons: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """The answer of a receiver, for people in `words`."""

    answer: Answer
    words: str


@dataclass(frozen=True, slots=True)
class AlertWhy:
    """An alert, what happened to it in the order of time, and the answer of each receiver.

    `is_cut` is whether earlier steps are left out.
    """

    alert: AlertView
    steps: Sequence[Step]
    receivers: Sequence[Summary]
    is_cut: bool = False

    @property
    def reached_nobody(self) -> bool:
        """Whether it is over, and no receiver was, or will be, notified."""
        return self.alert.ended_at is not None and all(
            each.answer.what in _NOTHING and each.answer.notified_at is None
            for each in self.receivers
        )


@dataclass(frozen=True, slots=True)
class RuleNow:
    """Why a rule has no finding of a VM now: `disabled`, `muted`, `not_judged` or `nothing_found`."""

    rule: str
    why: str
    words: str


@dataclass(frozen=True, slots=True)
class VmWhy:
    """The alerts about a VM, open ones first, what of it never fired, and why no other rule fires now.

    `hidden` is the number of alerts that are left out.
    """

    account: str
    vm_id: str
    vm_name: str | None
    alerts: Sequence[AlertWhy]
    hidden: int
    unfired: Sequence[Step]
    rules: Sequence[RuleNow]


def answers(entries: Iterable[Entry]) -> Mapping[str, Answer]:
    """The answer of each receiver, by name, in these entries of one alert, oldest first."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.receiver is not None and entry.what in _OF_RECEIVERS:
            found.setdefault(entry.receiver, []).append(entry)
    return {receiver: _answer(receiver, each) for receiver, each in sorted(found.items())}


def _answer(receiver: str, entries: Sequence[Entry]) -> Answer:
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
        repeated_at=_sent_at(entries[::-1], _REPEATED),
    )


def told_answer(receiver: str, notified: Notified) -> Answer:
    """The answer of a receiver of which only its last notification is known."""
    over, given_up = (notified.heard is each for each in (Heard.RESOLVED, Heard.GIVEN_UP))
    return Answer(
        receiver,
        What.GIVEN_UP if given_up else What.SENT,
        Reason.RESOLVED if over else Reason.FIRST,
        notified.at,
        notified_at=None if over or given_up else notified.at,
        resolved_at=notified.at if over else None,
    )


def _sent_at(entries: Iterable[Entry], reasons: Container[str]) -> datetime | None:
    sent = (each for each in entries if each.what is What.SENT)
    return next((each.at for each in sent if each.details.reason in reasons), None)


def together(
    alert: Alert, own: Iterable[Entry], beside: Iterable[Entry], receiver: str | None = None
) -> list[Entry]:
    """The entries about an alert, with what happened beside it while it lasted, oldest first.

    `beside` are entries of its account and of receivers; `receiver` leaves out those of others.
    """
    mine = [each for each in own if receiver in {None, each.receiver} or not each.receiver]
    concerned = {each.receiver for each in mine if each.what is not What.SKIPPED}
    first, last = span(alert, mine)
    around = [
        each
        for each in beside
        if first <= each.at
        and (last is None or each.at <= last)
        and (each.receiver is None or each.receiver in concerned)
    ]
    return sorted([*mine, *around], key=lambda each: each.at)


def span(alert: Alert, own: Iterable[Entry]) -> tuple[datetime, datetime | None]:
    """From when on something is told of an alert, and until when; `None`: it is not over."""
    first = alert.active_at
    return first, max([alert.ends_at, *(each.at for each in own)]) if alert.ends_at else None
