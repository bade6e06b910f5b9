"""The answer of each receiver in plain words: one line. Pure."""

from collections.abc import Callable, Iterable, Mapping

from fluence_watch.alerting.journal import Details, What
from fluence_watch.model.moment import exact
from fluence_watch.model.text import inert
from fluence_watch.views.why import Answer, Summary
from fluence_watch.views.why_words import LONGEST, Words, sent_because


def summaries(answers: Iterable[Answer], words: Words) -> tuple[Summary, ...]:
    """The answers, each with its line."""
    return tuple(Summary(each, _line(each, words)) for each in answers)


def _line(answer: Answer, words: Words) -> str:
    parts = [
        f"{what} {exact(at, words.now)}"
        for what, at in (("notified", answer.notified_at), ("resolved", answer.resolved_at))
        if at is not None
    ]
    details = Details(answer.reason, answer.by, answer.text, until=answer.until)
    if answer.what is not What.SENT:
        notified = answer.notified_at is not None
        parts.append(_LAST[answer.what](words, details, notified=notified))
    return f"{inert(answer.receiver, LONGEST)}: {', '.join(parts) or 'notified'}"


def _last_waits(words: Words, details: Details, *, notified: bool) -> str:
    return f"{'more ' if notified else ''}waits: {words.why(details)}"


def _last_nothing(words: Words, details: Details, *, notified: bool) -> str:
    what = "no resolved message" if notified else "nothing"
    return f"{what}: {words.why(details, ended=True)}"


def _last_skipped(words: Words, details: Details, *, notified: bool) -> str:
    return f"{'nothing more' if notified else 'nothing'}: {words.why(details)}"


def _last_due(_: Words, details: Details, *, notified: bool) -> str:
    return f"{'more ' if notified else ''}due: {sent_because(details)}"


def _last_refused(_: Words, details: Details, *, notified: bool) -> str:
    what = "more is not accepted" if notified else "not accepted"
    return f"{what}, tried again: {inert(details.text, LONGEST)}"


def _last_given_up(_: Words, details: Details, *, notified: bool) -> str:
    what = "no more" if notified else "nothing"
    return f"{what}: refused for good: {inert(details.text, LONGEST)}"


_LAST: Mapping[What, Callable[..., str]] = {
    What.WAITS: _last_waits,
    What.NEVER: _last_nothing,
    What.SKIPPED: _last_skipped,
    What.DUE: _last_due,
    What.REFUSED: _last_refused,
    What.GIVEN_UP: _last_given_up,
}
