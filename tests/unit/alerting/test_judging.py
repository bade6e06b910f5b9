"""What is written of an alert and a receiver: one case for each reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.active import ActiveTimes, parse_windows
from fluence_watch.alerting.due import due
from fluence_watch.alerting.escalation import Escalation
from fluence_watch.alerting.journal import What, WhyNot
from fluence_watch.alerting.judging import Judgement
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Acknowledgement, Mute, Mutes, Silence, Why
from fluence_watch.alerting.telling import Heard, Notified, Reason, Recipient
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRING = Alert(
    Fingerprint("main", "port_drift", "0xab"),
    Severity.WARNING,
    State.FIRING,
    PollFailing("x", "y"),
    active_at=NOW - HOUR,
    starts_at=NOW - HOUR,
)
OVER = replace(FIRING, state=State.RESOLVED, ends_at=NOW - HOUR / 2)
HEARD = Notified(NOW - HOUR, Severity.WARNING)
OPS = Route("ops")
NIGHTS = Route("ops", active=ActiveTimes(parse_windows("22:00-06:00")))
HOURLY = Route("ops", repeat_interval=HOUR / 2)
OTHERS = Route("ops", rules=("vm_*",))
LATER = Recipient(OTHERS, escalations=(Escalation(Route("first"), 2 * HOUR),))
SILENCE = Silence("5115", parse_matchers("account=main"), NOW - HOUR, NOW + HOUR, "we know")
SOURCE = replace(FIRING, fingerprint=Fingerprint("main", "poll_failing"))
ABOUT_OPS = replace(FIRING, fingerprint=Fingerprint(WATCHER, "delivery_failing", "ops"))
TAKEN = Acknowledgement(NOW - HOUR, NOW + HOUR, Severity.WARNING, 0, "ann", "on it")

DUE, WAITS, SKIPPED, NEVER = What.DUE, What.WAITS, What.SKIPPED, What.NEVER
NONE = None, Recipient(OPS), Mutes()


def to(route: Route) -> tuple[None, Recipient, Mutes]:
    return None, Recipient(route), Mutes()


@pytest.mark.parametrize(
    ("alert", "notified", "recipient", "mutes", "expected"),
    [
        (FIRING, *NONE, Judgement(DUE, Reason.FIRST)),
        (replace(FIRING, state=State.PENDING), *NONE, None),
        (FIRING, HEARD, Recipient(OPS), Mutes(), None),
        (replace(FIRING, step=1), HEARD, Recipient(OPS), Mutes(), Judgement(DUE, Reason.WORSE)),
        (OVER, HEARD, Recipient(OPS), Mutes(), Judgement(DUE, Reason.RESOLVED)),
        (OVER, *NONE, Judgement(DUE, Reason.MISSED)),
        (
            FIRING,
            *to(Route("ops", min_severity=Severity.CRITICAL)),
            Judgement(SKIPPED, WhyNot.MIN_SEVERITY, "critical"),
        ),
        (FIRING, *to(OTHERS), Judgement(SKIPPED, WhyNot.RULES, "vm_*")),
        (
            FIRING,
            *to(Route("ops", accounts=("dev", "test"))),
            Judgement(SKIPPED, WhyNot.ACCOUNTS, "dev, test"),
        ),
        (
            FIRING,
            *to(Route("ops", match=parse_matchers("account=main,severity!=warning,vm=a"))),
            Judgement(SKIPPED, WhyNot.MATCH, 'severity!="warning"'),
        ),
        (ABOUT_OPS, *to(OPS), Judgement(SKIPPED, WhyNot.ABOUT_ITSELF)),
        (
            FIRING, None, LATER, Mutes(),
            Judgement(WAITS, WhyNot.ESCALATE_AFTER, "first", until=NOW + HOUR),
        ),
        (
            FIRING, None, LATER, Mutes(acknowledged={FIRING.episode: TAKEN}),
            Judgement(WAITS, Why.ACKNOWLEDGED, "ann", "on it", NOW + HOUR),
        ),
        (OVER, None, LATER, Mutes(), Judgement(NEVER, WhyNot.ESCALATE_AFTER, "first")),
        (
            FIRING, None, Recipient(OPS), Mutes([SILENCE]),
            Judgement(WAITS, Why.SILENCED, "5115", "we know", NOW + HOUR),
        ),
        (OVER, None, Recipient(OPS), Mutes([SILENCE]), Judgement(NEVER, Why.SILENCED, "5115", "we know")),
        (
            FIRING, None, Recipient(OPS), Mutes(),
            Judgement(WAITS, Why.INHIBITED, "main poll_failing"),
        ),
        (
            FIRING, replace(HEARD, at=NOW - HOUR), Recipient(HOURLY),
            Mutes(acknowledged={FIRING.episode: TAKEN}),
            Judgement(WAITS, Why.ACKNOWLEDGED, "ann", "on it", NOW + HOUR),
        ),
        (FIRING, *to(NIGHTS), Judgement(WAITS, Why.INACTIVE, "ops", until=NOW + 10 * HOUR)),
        (OVER, *to(NIGHTS), Judgement(NEVER, Why.INACTIVE, "ops")),
        (OVER, HEARD, Recipient(Route("ops", send_resolved=False)), Mutes(), Judgement(NEVER, WhyNot.SEND_RESOLVED)),
        (replace(OVER, quiet=True), HEARD, Recipient(OPS), Mutes(), Judgement(NEVER, WhyNot.QUIET)),
        (replace(OVER, quiet=True), *NONE, Judgement(NEVER, WhyNot.QUIET)),
        (OVER, None, Recipient(OPS, since=NOW), Mutes(), Judgement(NEVER, WhyNot.ADDED_LATER)),
        (OVER, *to(Route("ops", give_up_after=HOUR / 4)), Judgement(NEVER, WhyNot.GIVE_UP_AFTER)),
        (OVER, HEARD, Recipient(Route("ops", give_up_after=HOUR / 4)), Mutes(), Judgement(NEVER, WhyNot.GIVE_UP_AFTER)),
        (OVER, replace(HEARD, heard=Heard.RESOLVED), Recipient(OPS), Mutes(), None),
        (OVER, replace(HEARD, heard=Heard.GIVEN_UP), Recipient(OPS), Mutes(), None),
    ],
)  # fmt: skip
def test_what_is_written(
    alert: Alert,
    notified: Notified | None,
    recipient: Recipient,
    mutes: Mutes,
    expected: Judgement | None,
) -> None:
    """The reason, what it is by, and until when."""
    told = {alert.episode: notified} if notified else {}
    inhibited = isinstance(expected, Judgement) and expected.reason == Why.INHIBITED
    others = [SOURCE] if inhibited else []
    found = due(
        [alert],
        told,
        recipient,
        NOW,
        muted=mutes.among([alert, *others]),
        taken=mutes.acknowledgement,
    )

    assert expected == found.judged.get(alert.episode)


def test_what_keeps_back_is_said_to_be_open() -> None:
    """What waits for another alert has no time, and still waits."""
    mute = Mute(Why.INHIBITED, "main poll_failing")
    found = due([FIRING], {}, Recipient(OPS), NOW, muted=lambda *_: mute)
    assert [WAITS] == [each.what for each in found.judged.values()]
