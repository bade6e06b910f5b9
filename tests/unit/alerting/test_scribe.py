"""What is written for a receiver, and what is not any more."""

from datetime import UTC, datetime

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
WAITS, NEVER = (Judgement(what, WhyNot.ESCALATE_AFTER, "ops") for what in (What.WAITS, What.NEVER))


def written(scribe: Scribe) -> list[tuple[Episode | None, What]]:
    """Of which alert what is to be stored now."""
    return [(entry.episode, entry.what) for entry in scribe.take()]


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
