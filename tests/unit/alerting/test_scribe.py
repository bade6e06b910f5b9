"""What is written for a receiver, and what is not any more."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.journal import What, WhyNot
from fluence_watch.alerting.judging import Judgement
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.scribe import Scribe
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.model.finding import Fingerprint, Severity

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
OVER, OTHER = (
    Alert(Fingerprint("main", "debt", key), Severity.WARNING, State.FIRING, "", NOW, NOW)
    for key in ("over", "other")
)
DUE = Judgement(What.DUE, Reason.FIRST)
WAITS, NEVER = (Judgement(what, WhyNot.ESCALATE_AFTER, "ops") for what in (What.WAITS, What.NEVER))


def written(scribe: Scribe) -> list[tuple[Episode | None, What]]:
    """Of which alert what is to be stored now."""
    return [(entry.episode, entry.what) for entry in scribe.take()]


Step = Callable[[Scribe], None]


def judge(judgement: Judgement) -> Step:
    return lambda scribe: scribe.judged(OVER.episode, judgement, NOW)


def refuse(scribe: Scribe) -> None:
    scribe.refused([Line(OVER, Reason.FIRST, NOW)], NOW + timedelta(seconds=1), "503")


def settle(scribe: Scribe) -> None:
    scribe.settled([OVER.episode])


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([judge(DUE), refuse, refuse], [What.DUE, What.REFUSED]),
        ([judge(DUE), refuse, judge(DUE), judge(NEVER)], [What.DUE, What.REFUSED, What.NEVER]),
        ([judge(DUE), judge(NEVER), refuse], [What.DUE, What.NEVER]),
        ([judge(DUE), judge(NEVER), settle, refuse], []),
    ],
)
def test_refusals(steps: list[Step], expected: list[What]) -> None:
    """The first one is written, and none after the last word: the alert was over meanwhile."""
    scribe = Scribe("ops")
    for step in steps:
        step(scribe)
    assert expected == [each.what for each in scribe.take()]


def test_the_last_word_is_the_last() -> None:
    """What was judged while it was stored is not written; what was done is, and all of others."""
    scribe = Scribe("ops")
    scribe.judged(OVER.episode, NEVER, NOW)
    scribe.judged(OTHER.episode, NEVER, NOW)
    assert [(OVER.episode, What.NEVER), (OTHER.episode, What.NEVER)] == written(scribe)
    scribe.sent([Line(OVER, Reason.FIRST, NOW)], NOW, 1)
    scribe.judged(OVER.episode, WAITS, NOW)
    scribe.judged(OTHER.episode, WAITS, NOW)
    scribe.failing(NOW, "HTTP 503")
    scribe.settled([OVER.episode])
    assert [
        (OVER.episode, What.SENT),
        (OTHER.episode, What.WAITS),
        (None, What.FAILING),
    ] == written(scribe)


def test_an_account_that_is_not_watched_any_more() -> None:
    """What was judged before is written; what is judged when it is watched again is news."""
    scribe = Scribe("ops")
    scribe.judged(OTHER.episode, WAITS, NOW)
    scribe.forget_account("main")
    scribe.judged(OTHER.episode, WAITS, NOW)
    assert [(OTHER.episode, What.WAITS)] * 2 == written(scribe)
