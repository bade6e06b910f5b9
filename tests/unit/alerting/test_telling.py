from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.attempts import marks
from fluence_watch.alerting.due import Due, due
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import GIVE_UP_AFTER, Route
from fluence_watch.alerting.telling import (
    Heard,
    Line,
    Notified,
    Reason,
    Recipient,
    reason_to_notify,
)
from fluence_watch.model.finding import Fingerprint, Severity

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = "port_drift"

FIRING = Alert(
    Fingerprint("main", RULE, "0xab", "opened:80/tcp"),
    Severity.WARNING,
    State.FIRING,
    "80/tcp is open",
    active_at=NOW - HOUR,
    starts_at=NOW - HOUR,
    step=1,
)
PENDING = replace(FIRING, state=State.PENDING, starts_at=None)
RESOLVED = replace(FIRING, state=State.RESOLVED, ends_at=NOW)
GONE = replace(RESOLVED, quiet=True)
LONG_AGO = replace(RESOLVED, ends_at=NOW - GIVE_UP_AFTER - HOUR, active_at=NOW - 30 * 24 * HOUR)
DUE_SOON = replace(FIRING, relevant_until=NOW + HOUR)
DUE_NOW = replace(FIRING, relevant_until=NOW)
PASSED = replace(GONE, relevant_until=NOW)
CALLED_OFF = replace(GONE, relevant_until=NOW + HOUR)
CRITICAL = replace(FIRING, severity=Severity.CRITICAL)
WORSE = replace(FIRING, step=2)
BETTER = replace(FIRING, step=0, severity=Severity.INFO)

HEARD = Notified(NOW - HOUR, Severity.WARNING, 1)
FROM_OLD = replace(HEARD, step=None)
GIVEN_UP = replace(HEARD, heard=Heard.GIVEN_UP)
KNOWS_END = replace(HEARD, heard=Heard.RESOLVED)

ALL = Route("ops")
HOURLY = Route("ops", repeat_interval=HOUR)
ONLY_CRITICAL = Route("ops", min_severity=Severity.CRITICAL)
NO_ENDS = Route("ops", send_resolved=False)
NONE: Route = Route("ops", rules=())


@pytest.mark.parametrize(
    ("alert", "notified", "route", "reason"),
    [
        # pending
        (PENDING, None, ALL, None),
        (PENDING, HEARD, HOURLY, None),
        # firing
        (FIRING, None, ALL, Reason.FIRST),
        (FIRING, None, ONLY_CRITICAL, None),
        (FIRING, None, NONE, None),
        (FIRING, HEARD, ALL, None),
        (FIRING, HEARD, HOURLY, Reason.REPEAT),
        (FIRING, replace(HEARD, at=NOW - 0.99 * HOUR), HOURLY, None),
        (FIRING, replace(HEARD, at=NOW + 0.99 * HOUR), HOURLY, None),
        (FIRING, replace(HEARD, at=NOW + 24 * HOUR), HOURLY, Reason.REPEAT),  # the clock was set back
        (FIRING, HEARD, replace(HOURLY, rules=("low_*",)), None),
        (FIRING, GIVEN_UP, HOURLY, None),
        (FIRING, KNOWS_END, HOURLY, None),
        # worse
        (CRITICAL, HEARD, ALL, Reason.WORSE),
        (CRITICAL, None, ONLY_CRITICAL, Reason.FIRST),
        (CRITICAL, FROM_OLD, ALL, Reason.WORSE),
        (WORSE, HEARD, ALL, Reason.WORSE),
        (WORSE, HEARD, HOURLY, Reason.WORSE),
        (WORSE, FROM_OLD, ALL, None),
        (WORSE, GIVEN_UP, ALL, Reason.WORSE),
        (WORSE, KNOWS_END, ALL, None),
        (WORSE, HEARD, NONE, None),
        (BETTER, HEARD, ALL, None),
        # with a deadline
        (DUE_SOON, None, ALL, Reason.FIRST),
        (DUE_NOW, None, ALL, Reason.MISSED),
        (DUE_NOW, None, NONE, None),
        (DUE_NOW, HEARD, HOURLY, None),
        (PASSED, None, ALL, Reason.MISSED),
        (PASSED, HEARD, ALL, None),
        (CALLED_OFF, None, ALL, None),
        # over
        (RESOLVED, None, ALL, Reason.MISSED),
        (RESOLVED, None, NO_ENDS, Reason.MISSED),
        (RESOLVED, None, ONLY_CRITICAL, None),
        (RESOLVED, HEARD, ALL, Reason.RESOLVED),
        (RESOLVED, HEARD, ONLY_CRITICAL, Reason.RESOLVED),
        (RESOLVED, HEARD, NO_ENDS, None),
        (RESOLVED, GIVEN_UP, ALL, None),
        (RESOLVED, KNOWS_END, ALL, None),
        (GONE, None, ALL, None),
        (GONE, HEARD, ALL, None),
        (LONG_AGO, None, ALL, None),
        (LONG_AGO, HEARD, ALL, None),
    ],
)  # fmt: skip
def test_the_table(
    alert: Alert, notified: Notified | None, route: Route, reason: Reason | None
) -> None:
    """Why a receiver is notified, or that it is not."""
    assert reason is reason_to_notify(alert, notified, Recipient(route), NOW)


@pytest.mark.parametrize(
    ("alert", "notified", "reason"),
    [
        (FIRING, None, None),
        (RESOLVED, None, Reason.MISSED),
        (RESOLVED, HEARD, Reason.RESOLVED),
        (RESOLVED, KNOWS_END, None),
        (RESOLVED, GIVEN_UP, None),
        (DUE_NOW, None, Reason.MISSED),
        (PASSED, None, Reason.MISSED),
        (GONE, None, None),
        (LONG_AGO, None, None),
    ],
)
def test_what_is_for_others_and_may_have_arrived(
    alert: Alert, notified: Notified | None, reason: Reason | None
) -> None:
    """Its end is sent as to any receiver, and that of nothing else."""
    begun = marks([alert.episode])
    assert reason is reason_to_notify(alert, notified, Recipient(NONE), NOW, begun=begun)
    other = marks([replace(alert, active_at=NOW).episode])
    fits = reason if notified else None
    assert fits is reason_to_notify(alert, notified, Recipient(NONE), NOW, begun=other)


def test_an_event_that_may_have_arrived_has_no_end() -> None:
    """It is sent again to whom it is for, and to nobody else."""
    begun = marks([GONE.episode])
    found = [
        reason_to_notify(GONE, None, Recipient(route), NOW, events={RULE}, begun=begun)
        for route in (ALL, NONE)
    ]
    assert [Reason.FIRST, None] == found


@pytest.mark.parametrize(
    ("notified", "reason"), [(None, Reason.FIRST), (HEARD, None), (KNOWS_END, None)]
)
def test_an_event_is_news_when_it_is_over(notified: Notified | None, reason: Reason | None) -> None:
    """It ends with the next poll, which may come before the receiver can be reached."""
    found = reason_to_notify(GONE, notified, Recipient(ALL), NOW, events={RULE})
    assert reason is found


@pytest.mark.parametrize(
    ("since", "reason"),
    [(None, Reason.MISSED), (NOW - HOUR, Reason.MISSED), (NOW + HOUR, None)],
)
def test_a_new_receiver_has_missed_nothing(since: datetime | None, reason: Reason | None) -> None:
    """What ended before it was added is not its news; what fires is."""
    recipient = Recipient(ALL, since)
    assert reason is reason_to_notify(RESOLVED, None, recipient, NOW)
    assert Reason.FIRST is reason_to_notify(FIRING, None, recipient, NOW)


def test_whoever_heard_of_it_hears_that_it_is_over() -> None:
    """Also if it was added while the clock was ahead."""
    assert Reason.RESOLVED is reason_to_notify(RESOLVED, HEARD, Recipient(ALL, NOW + HOUR), NOW)


def test_what_is_paused_is_not_repeated() -> None:
    """Whoever did not hear of it hears of it once, and hears when it is worse."""
    cases: Sequence[tuple[Alert, Notified | None]] = [
        (FIRING, None),
        (FIRING, HEARD),
        (WORSE, HEARD),
    ]
    reasons = [
        reason_to_notify(alert, notified, Recipient(HOURLY), NOW, repeats=False)
        for alert, notified in cases
    ]
    assert [Reason.FIRST, None, Reason.WORSE] == reasons


def test_what_is_due() -> None:
    """The lines with their reasons, and when the next repetition comes."""
    other = replace(FIRING, fingerprint=FIRING.fingerprint._replace(key="opened:81/tcp"))
    told = {
        other.episode: replace(HEARD, at=NOW - HOUR / 2),
    }
    found = due([FIRING, other, PENDING], told, Recipient(HOURLY), NOW)

    assert Due((Line(FIRING, Reason.FIRST, NOW - HOUR),), NOW + HOUR / 2) == found
    assert Due() == due([other], told, Recipient(HOURLY), NOW, paused={"0xab"})
    assert Due() == due([other], told, Recipient(ALL), NOW)


def test_repetitions_come_together() -> None:
    """One that is due takes along those that would follow within half an interval."""
    others = [
        replace(FIRING, fingerprint=FIRING.fingerprint._replace(key=f"{n}")) for n in range(3)
    ]
    ages = [HOUR, 0.5 * HOUR, 0.49 * HOUR]
    told = {
        each.episode: replace(HEARD, at=NOW - age) for each, age in zip(others, ages, strict=True)
    }
    found = due(others, told, Recipient(HOURLY), NOW)

    assert [Line(each, Reason.REPEAT, NOW) for each in others[:2]] == list(found.lines)
    assert NOW + 0.51 * HOUR == found.wait_until
    assert () == due(others[1:], told, Recipient(HOURLY), NOW).lines


@pytest.mark.parametrize(
    ("alert", "reason", "since"),
    [
        (FIRING, Reason.FIRST, NOW - HOUR),
        (WORSE, Reason.WORSE, NOW),
        (RESOLVED, Reason.RESOLVED, NOW),
        (DUE_NOW, Reason.MISSED, NOW),
    ],
)
def test_since_when_a_line_is_due(alert: Alert, reason: Reason, since: datetime) -> None:
    """The age of what waits counts from there."""
    told = {} if reason in {Reason.FIRST, Reason.MISSED} else {alert.episode: HEARD}
    (line,) = due([alert], told, Recipient(ALL), NOW).lines
    assert (reason, since) == (line.reason, line.since)


alerts = st.builds(
    replace,
    st.sampled_from([FIRING, PENDING, RESOLVED, GONE, DUE_SOON, DUE_NOW, PASSED, LONG_AGO]),
    severity=st.sampled_from(Severity),
    step=st.integers(0, 3),
)
routes = st.builds(
    Route,
    st.just("ops"),
    st.sampled_from(Severity),
    send_resolved=st.booleans(),
)
heard = st.none() | st.builds(
    Notified,
    st.just(NOW - HOUR),
    st.sampled_from(Severity),
    st.none() | st.integers(0, 3),
    st.sampled_from(Heard),
)


@given(alerts, heard, routes, st.booleans())
def test_nothing_is_said_twice(
    alert: Alert,
    notified: Notified | None,
    route: Route,
    event: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whoever accepted a line, or refused it for good, is due nothing of the same facts."""
    events = {RULE} if event else set()
    recipient = Recipient(route)
    for line in due([alert], {alert.episode: notified} if notified else {}, recipient, NOW, events=events).lines:  # fmt: skip
        for after in (line.notified(notified, NOW), line.given_up(notified, NOW)):
            assert Due() == due([alert], {alert.episode: after}, recipient, NOW, events=events)


@given(st.lists(st.tuples(st.sampled_from(Severity), st.integers(0, 3)), min_size=1, max_size=8))
def test_worse_is_said_once_and_better_never(course: list[tuple[Severity, int]]) -> None:
    """A receiver hears of each new worst of an episode, and of nothing else."""
    told: dict[object, Notified] = {}
    worst_severity, worst_step = -1, -1
    for severity, step in course:
        alert = replace(FIRING, severity=severity, step=step)
        lines = due([alert], told, Recipient(ALL), NOW).lines  # type: ignore[arg-type]
        news = severity.rank > worst_severity or step > worst_step
        assert news == bool(lines)
        told |= {line.episode: line.notified(told.get(line.episode), NOW) for line in lines}
        worst_severity, worst_step = max(worst_severity, severity.rank), max(worst_step, step)
