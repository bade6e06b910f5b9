"""What is written of one receiver and an alert, in which order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.journal import What, WhyNot
from fluence_watch.alerting.judging import Judgement
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.scribe import Scribe
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.model.finding import Fingerprint, Severity

NOW = datetime(2026, 6, 2, 17, 28, tzinfo=UTC)
ALERT = Alert(
    Fingerprint("main", "vm_unreadable", "0x1"), Severity.WARNING, State.FIRING, None, NOW
)
LINE = Line(ALERT, Reason.FIRST, since=NOW)
DUE, QUIET = Judgement(What.DUE, Reason.FIRST), Judgement(What.NEVER, WhyNot.QUIET)

Step = Callable[[Scribe], None]


def judge(judgement: Judgement) -> Step:
    return lambda scribe: scribe.judged(ALERT.episode, judgement, NOW)


def refuse(scribe: Scribe) -> None:
    scribe.refused([LINE], NOW + timedelta(seconds=1), "503")


def settle(scribe: Scribe) -> None:
    scribe.forget([ALERT.episode])


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([judge(DUE), refuse, refuse], [What.DUE, What.REFUSED]),
        ([judge(DUE), refuse, judge(DUE), judge(QUIET)], [What.DUE, What.REFUSED, What.NEVER]),
        ([judge(DUE), judge(QUIET), refuse], [What.DUE, What.NEVER]),
        ([judge(DUE), judge(QUIET), settle, refuse], [What.DUE, What.NEVER]),
    ],
)
def test_refusals(steps: list[Step], expected: list[What]) -> None:
    """The first one is written, and none after the last word: the alert was over meanwhile."""
    scribe = Scribe("ops")
    for step in steps:
        step(scribe)
    assert expected == [each.what for each in scribe.take()]
