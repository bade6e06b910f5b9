"""What is wrong with the templates of a user: each is filled with sample facts of every rule, in every format."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import product
from typing import NamedTuple

from fluence_watch.alerting.escalation import Escalated
from fluence_watch.alerting.grouping import Message, Rank, compose
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.errors import NotifyError, Problem
from fluence_watch.model.digest import Digest, Period
from fluence_watch.notify.custom import NO_ANSWER, Failure, UserWords
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.overrides import TOO_BIG, TOO_SLOW
from fluence_watch.notify.samples import alerts, ended, sample_facts
from fluence_watch.rules import RULES
from fluence_watch.rules.base import Rule

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)
_FORMATS = (BodyFormat.TEXT, BodyFormat.MARKDOWN, BodyFormat.HTML)


_NO_TITLE = Failure("", 0, "a message has no title")


class _Filling(NamedTuple):
    """A request of `UserWords`, and of which rule it is; empty for what is of none."""

    rule: str
    what: str
    arguments: Mapping[str, object]


def problems(words: UserWords, ranks: Mapping[str, Rank]) -> list[Problem]:
    """Each problem once, with the file, the line, the rule and the format that show it first.

    The search ends with a template that takes too much of anything, since it would do so each time.
    """
    found: dict[Failure, Problem] = {}
    for filling, fmt in product(_fillings(words, ranks), _FORMATS):
        for failure in _failures(words, filling, fmt):
            found.setdefault(failure, _problem(words, failure, filling.rule, fmt))
            if failure.what in {TOO_SLOW, TOO_BIG, NO_ANSWER}:
                return list(found.values())
    return list(found.values())


def _problem(words: UserWords, failure: Failure, rule: str, fmt: BodyFormat) -> Problem:
    where = f"{rule}, {fmt}" if rule else fmt.value
    path = words.overrides[failure.name].path if failure.name else ""
    return Problem("templates.dir", f"{failure.what} ({where})", path, failure.line or None)


def _failures(words: UserWords, filling: _Filling, fmt: BodyFormat) -> list[Failure]:
    """What is wrong; without a name if the template is unknown."""
    try:
        rendered, failures = words.ask(filling.what, fmt=fmt, **filling.arguments)
    except NotifyError as error:
        return [Failure("", 0, str(error))]
    has_title = filling.what != "message" or rendered.title.strip()
    return failures if has_title else [*failures, _NO_TITLE]


def _fillings(words: UserWords, ranks: Mapping[str, Rank]) -> Iterator[_Filling]:
    """All that may be asked of these templates."""
    for name in words.overrides:
        yield _Filling("", "compile", {"name": name})
    shared = any(name.startswith("_") for name in words.overrides)
    for rule in RULES:
        if shared or any(f"{facts.__name__}.jinja" in words.overrides for facts in rule.facts):
            yield from _of_rule(rule, ranks)
    if shared:
        yield _Filling("", "test", {"receiver": "ops", "now": NOW})
        yield _Filling("", "digest", {"digest": _EMPTY, "now": NOW})


def _of_rule(rule: Rule, ranks: Mapping[str, Rank]) -> Iterator[_Filling]:
    for message in messages(rule, NOW, ranks):
        yield _Filling(rule.name, "message", {"message": message, "now": NOW})
    for facts in sample_facts(rule, NOW):
        yield _Filling(rule.name, "brief", {"facts": facts, "now": NOW})


def messages(rule: Rule, now: datetime, ranks: Mapping[str, Rank]) -> Iterator[Message]:
    """Messages of every kind about the sample facts of a rule."""
    some = alerts(rule, now, len(sample_facts(rule, now)))
    for each in some:
        yield message([each], now, ranks)
        yield message([each], now, ranks, Reason.REPEAT)
        yield message([each], now, ranks, escalated=Escalated("team", each.starts_at))
        yield message([ended(each, now)], now, ranks)
        yield message([ended(each, now)], now, ranks, Reason.MISSED)
    yield message(some * 2, now, ranks)


def message(
    of: list[Alert],
    now: datetime,
    ranks: Mapping[str, Rank],
    reason: Reason | None = None,
    escalated: Escalated | None = None,
) -> Message:
    """A message about these alerts, `escalated` from somebody if that is the reason."""
    reason = Reason.ESCALATED if escalated else reason
    lines = [
        Line(each, reason or (Reason.RESOLVED if each.ends_at else Reason.FIRST), now, escalated)
        for each in of
    ]
    return compose("ops", of[0].fingerprint.account, lines, ranks)


_EMPTY = Digest(
    accounts=("main",),
    slot=NOW,
    is_late=False,
    period=Period(date(2026, 4, 15), date(2026, 4, 15)),
    stale=(),
    spent=None,
    changed=None,
    ahead=None,
    fired=None,
    savings=(),
)
