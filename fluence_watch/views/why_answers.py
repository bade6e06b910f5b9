"""The answer of each receiver in plain words: one line. Pure."""

from collections.abc import Iterable

from fluence_watch.alerting.journal import Details, What
from fluence_watch.model.moment import exact
from fluence_watch.model.text import inert
from fluence_watch.views.why import Answer, Summary
from fluence_watch.views.why_others import LONGEST
from fluence_watch.views.why_words import Words

AWAITS_A_TRY = frozenset({What.DUE, What.REFUSED})
"""The `until` of such an answer is when the receiver is tried next."""


def summaries(answers: Iterable[Answer], words: Words) -> tuple[Summary, ...]:
    """The answers, each with its line."""
    return tuple(Summary(each, _line(each, words)) for each in answers)


def _line(answer: Answer, words: Words) -> str:
    parts = [
        f"{what} {exact(at, words.now)}"
        for what, at in (
            ("notified", answer.notified_at),
            ("last repeated", answer.repeated_at),
            ("resolved", answer.resolved_at),
        )
        if at is not None
    ]
    details = Details(answer.reason, answer.by, answer.text, until=answer.until)
    if answer.what is None:
        parts.append(f"unknown: {words.why(details)}")
    elif answer.what is not What.SENT:
        notified = answer.notified_at is not None
        parts.append(words.told(answer.what, details, notified=notified) + _next_try(answer, words))
    return f"{inert(answer.receiver, LONGEST)}: {', '.join(parts) or 'notified'}"


def _next_try(answer: Answer, words: Words) -> str:
    ahead = answer.what in AWAITS_A_TRY and answer.until is not None and answer.until > words.now
    return f"; next try {words.when(answer.until)}" if ahead and answer.until else ""
