"""The answers of receivers of which nothing is written about an alert."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.escalation import Escalation
from fluence_watch.alerting.journal import What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Recipient
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.notify.render import brief
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.views.why import Answer
from fluence_watch.views.why_answers import summaries
from fluence_watch.views.why_unwritten import removed, unwritten
from fluence_watch.views.why_words import Words

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRING = Alert(
    Fingerprint("main", "port_drift", "a"), Severity.WARNING, State.FIRING,
    PollFailing("timeout", ""), NOW - 3 * HOUR, NOW - 2 * HOUR,
)  # fmt: skip
PENDING = replace(FIRING, state=State.PENDING, starts_at=None)
OVER = replace(FIRING, state=State.RESOLVED, ends_at=NOW - HOUR)
PAST = replace(FIRING, relevant_until=NOW - HOUR)
ALL = Recipient(Route("ops"), NOW - 9 * HOUR)
LATER = Recipient(Route("ops"), NOW)
UNKNOWN = Recipient(Route("ops"))
SOME = Recipient(Route("ops", rules=("vm_*",)), NOW)
BOSS = Recipient(SOME.route, NOW, (Escalation(Route("first"), 5 * HOUR),))


@pytest.mark.parametrize(
    ("alert", "recipient", "what", "reason", "words"),
    [
        (OVER, ALL, What.WAITS, "not_judged", "waits: it is not judged yet"),
        (OVER, UNKNOWN, What.WAITS, "not_judged", "waits: it is not judged yet"),
        (PAST, ALL, What.WAITS, "not_judged", "waits: it is not judged yet"),
        (PENDING, ALL, What.WAITS, "pending", "waits: its `for` has not passed"),
        (PENDING, SOME, What.SKIPPED, "rules", "not notified: its route takes rules vm_* only"),
        (PENDING, BOSS, What.WAITS, "pending", "waits: its `for` has not passed"),
        (FIRING, ALL, What.WAITS, "not_judged", "waits: it is not judged yet"),
        (FIRING, LATER, What.WAITS, "not_judged", "waits: it is not judged yet"),
        (FIRING, SOME, What.SKIPPED, "rules", "not notified: its route takes rules vm_* only"),
        (OVER, LATER, What.NEVER, "added_later", "not notified: it ended before the receiver was added"),
        (PAST, LATER, What.NEVER, "added_later", "not notified: it ended before the receiver was added"),
        (OVER, BOSS, What.NEVER, "added_later", "not notified: it ended before the receiver was added"),
        (OVER, SOME, What.SKIPPED, "rules", "not notified: its route takes rules vm_* only"),
    ],
)  # fmt: skip
def test_the_answer(
    alert: Alert, recipient: Recipient, what: What | None, reason: str, words: str
) -> None:
    """By the state of the alert, the route, and when the receiver was added; with words."""
    answer = unwritten(alert, recipient, NOW, is_settled=False)
    assert (what, reason, f"ops: {words}") == said(answer)


@pytest.mark.parametrize(
    ("recipient", "what", "reason"),
    [
        (ALL, None, "not_written"),
        (UNKNOWN, None, "not_written"),
        (LATER, What.NEVER, "added_later"),
        (SOME, What.SKIPPED, "rules"),
    ],
)
def test_an_alert_that_is_settled(recipient: Recipient, what: What | None, reason: str) -> None:
    """Nothing will be written of it any more: what the route and the times do not say is unknown."""
    answer = unwritten(OVER, recipient, NOW, is_settled=True)
    assert (what, reason) == (answer.what, answer.reason)
    unknown = "ops: unknown: it was over before this was written down"
    assert (answer.what is None) is (said(answer)[-1] == unknown)


def test_a_receiver_that_is_removed() -> None:
    """What it was told is not known any more."""
    words = "ops: unknown: it is no receiver any more, and nothing is written of it"
    assert (None, "removed", words) == said(removed("ops", OVER))


def said(answer: Answer) -> tuple[What | None, str, str]:
    (summary,) = summaries([answer], Words(NOW, brief))
    return answer.what, answer.reason, summary.words
