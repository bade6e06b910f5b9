from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import Alert, State, Timing, advance
from fluence_watch.model.finding import Finding, Fingerprint, Severity, Verdict

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULE, SUBJECT = "port_drift", "0xab"
PAIR = frozenset({(RULE, SUBJECT)})
DRIFT = Fingerprint("main", RULE, SUBJECT, "opened:80/tcp")
FOUND = Finding(DRIFT, Severity.WARNING, "80/tcp is open")

JUDGED = frozenset({RULE})
VERDICTS = {
    "found": Verdict({DRIFT: FOUND}, judged=JUDGED),
    "at once": Verdict({DRIFT: replace(FOUND, at_once=True)}, judged=JUDGED),
    "over": Verdict(judged=JUDGED),
    "unknown": Verdict(judged=JUDGED, unknown=PAIR),
    "not judged": Verdict(),
    "gone": Verdict(judged=JUDGED, gone=PAIR),
    "disabled": Verdict(disabled=JUDGED),
}
ABSENT = ("over", "unknown", "not judged", "gone", "disabled")


def pending(*, minutes_ago: float = 5) -> Alert:
    since = NOW - minutes_ago * MINUTE
    return Alert(DRIFT, Severity.WARNING, State.PENDING, "80/tcp is open", active_at=since)


def firing_since(minutes_ago: float = 5) -> Alert:
    return replace(
        pending(minutes_ago=minutes_ago + 5),
        state=State.FIRING,
        starts_at=NOW - minutes_ago * MINUTE,
    )


def after(
    alert: Alert | None, verdict: Verdict, timing: Timing | None = None, looked: float = 1
) -> Alert | None:
    """The only alert after one poll that comes `looked` minutes after the one before."""
    before = {} if alert is None else {alert.fingerprint: alert}
    timings = {} if timing is None else {RULE: timing}
    still_open, ended = advance(before, verdict, timings, NOW, NOW - looked * MINUTE)
    assert all(each.state is not State.RESOLVED for each in still_open.values())
    assert all(each.state is State.RESOLVED for each in ended)
    alerts = [*still_open.values(), *ended]
    assert len(alerts) <= 1
    return alerts[0] if alerts else None


@pytest.mark.parametrize(
    ("event", "hold", "state"),
    [
        ("found", 0, State.FIRING),
        ("found", 10, State.PENDING),
        ("at once", 10, State.FIRING),
        *((event, hold, None) for event in ABSENT for hold in (0, 10)),
    ],
)
def test_where_there_was_no_alert(event: str, hold: int, state: State | None) -> None:
    """A finding begins one; without a finding there is none."""
    alert = after(None, VERDICTS[event], Timing(hold=hold * MINUTE))
    if state is None:
        assert alert is None
        return
    fired_at = NOW if state is State.FIRING else None
    assert replace(pending(minutes_ago=0), state=state, starts_at=fired_at) == alert


@pytest.mark.parametrize(
    ("event", "hold", "state"),
    [
        ("found", 5, State.FIRING),
        ("found", 5.01, State.PENDING),
        ("found", 0, State.FIRING),
        ("at once", 10, State.FIRING),
        ("over", 10, None),
        ("unknown", 10, State.PENDING),
        ("unknown", 0, State.PENDING),
        ("not judged", 10, State.PENDING),
        ("gone", 10, None),
        ("disabled", 10, None),
    ],
)
def test_what_was_pending_for_five_minutes(event: str, hold: float, state: State | None) -> None:
    """It fires when found after `for`, is dropped when over, and waits while unknown."""
    alert = after(pending(), VERDICTS[event], Timing(hold=hold * MINUTE))
    assert state == (alert and alert.state)
    if alert is not None:
        assert (NOW - 5 * MINUTE) == alert.active_at
        assert (NOW if state is State.FIRING else None) == alert.starts_at


@pytest.mark.parametrize(
    ("event", "state", "quiet"),
    [
        ("found", State.FIRING, False),
        ("at once", State.FIRING, False),
        ("over", State.RESOLVED, False),
        ("unknown", State.FIRING, False),
        ("not judged", State.FIRING, False),
        ("gone", State.RESOLVED, True),
        ("disabled", State.RESOLVED, True),
    ],
)
@pytest.mark.parametrize("hold", [0, 60])
def test_what_fires(event: str, state: State, quiet: bool, hold: int) -> None:  # noqa: FBT001 - a column of the table
    """Only an end that was seen resolves it loudly; a longer `for` does not unfire it."""
    before = firing_since()
    alert = after(before, VERDICTS[event], Timing(hold=hold * MINUTE))
    if state is State.FIRING:
        assert alert is before
    else:
        assert replace(before, state=state, ends_at=NOW, quiet=quiet) == alert


@pytest.mark.parametrize(
    ("clear_minutes", "keep", "state"),
    [
        (None, 0, State.RESOLVED),
        (None, 5, State.FIRING),
        (4.99, 5, State.FIRING),
        (5, 5, State.RESOLVED),
        (4, 3, State.RESOLVED),
    ],
)
def test_keep_firing_for(clear_minutes: float | None, keep: int, state: State) -> None:
    """It must be over for that long before it resolves."""
    since = None if clear_minutes is None else NOW - clear_minutes * MINUTE
    before = replace(firing_since(), clear_since=since)
    alert = after(before, VERDICTS["over"], Timing(keep_firing_for=keep * MINUTE))
    assert alert is not None
    assert state is alert.state
    assert ((since or NOW) if state is State.FIRING else None) == alert.clear_since


def test_a_problem_that_comes_back_under_keep_firing_for() -> None:
    """It is the same alert, and being over begins anew the next time."""
    before = replace(firing_since(), clear_since=NOW - MINUTE)
    timing = Timing(keep_firing_for=5 * MINUTE)
    assert firing_since() == after(before, VERDICTS["found"], timing)
    assert before == after(before, VERDICTS["unknown"], timing)
    gone = after(before, VERDICTS["gone"], timing)
    assert replace(firing_since(), state=State.RESOLVED, ends_at=NOW, quiet=True) == gone


def test_an_end_that_is_no_news() -> None:
    """A rule that does not tell its ends resolves quietly, and has nothing to keep firing for."""
    for keep in (0, 60):
        timing = Timing(sends_resolved=False, keep_firing_for=keep * MINUTE)
        alert = after(firing_since(), VERDICTS["over"], timing)
        assert replace(firing_since(), state=State.RESOLVED, ends_at=NOW, quiet=True) == alert


@pytest.mark.parametrize(
    ("event", "minutes", "state"),
    [
        ("over", 10, State.FIRING),
        ("over", 0, State.RESOLVED),
        ("over", -1, State.RESOLVED),
        ("unknown", -1, State.FIRING),
        ("gone", 10, State.RESOLVED),
        ("disabled", 10, State.RESOLVED),
    ],
)
def test_an_alert_that_matters_until_a_moment(event: str, minutes: int, state: State) -> None:
    """It fires until then though it is not found, so that it does not notify a second time."""
    before = replace(firing_since(), relevant_until=NOW + minutes * MINUTE)
    alert = after(before, VERDICTS[event])
    assert alert is not None
    assert state is alert.state


@pytest.mark.parametrize(
    ("gap", "hold", "tolerance", "state"),
    [
        (60, 30, 60, State.FIRING),
        (61, 30, 60, State.PENDING),
        (61, 120, 60, State.FIRING),
        (121, 120, 60, State.PENDING),
        (1_440, 30, 2_880, State.FIRING),
    ],
)
def test_when_nobody_looked(gap: int, hold: int, tolerance: int, state: State) -> None:
    """A pending alert starts anew after a gap over both `for` and the tolerance."""
    before = pending(minutes_ago=max(gap, hold))
    timing = Timing(hold=hold * MINUTE, outage_tolerance=tolerance * MINUTE)
    alert = after(before, VERDICTS["found"], timing, looked=gap)
    assert alert is not None
    assert state is alert.state
    assert (NOW if state is State.PENDING else before.active_at) == alert.active_at


@pytest.mark.parametrize("interval", [1, 29, 31, 45, 60])
@pytest.mark.parametrize("hold", [1, 30])
def test_slow_polls_fire_as_well(interval: int, hold: int) -> None:
    """With polls rarer than `for`, what lasts from one poll to the next fires."""
    alert: Alert | None = None
    for _ in range(max(2, hold // interval + 2)):
        if alert is not None:
            alert = replace(alert, active_at=alert.active_at - interval * MINUTE)
        timing = Timing(hold=hold * MINUTE)
        alert = after(alert, VERDICTS["found"], timing, looked=interval)
    assert alert is not None
    assert State.FIRING is alert.state


def test_a_gap_changes_nothing_that_fires() -> None:
    """Neither a long outage nor the first poll of all begins a firing alert anew."""
    before = firing_since()
    assert before is after(before, VERDICTS["found"], looked=100_000)
    still_open, ended = advance({DRIFT: before}, VERDICTS["found"], {}, NOW, None)
    assert ({DRIFT: before}, []) == (still_open, ended)


def test_a_clock_that_was_set_back() -> None:
    """What is pending or clear since the future begins now, and does not wait for years."""
    future = -60 * 24 * 365
    alert = after(
        pending(minutes_ago=future), VERDICTS["found"], Timing(hold=MINUTE), looked=future
    )
    assert pending(minutes_ago=0) == alert
    timing = Timing(keep_firing_for=5 * MINUTE)
    clear = replace(firing_since(), clear_since=NOW - future * MINUTE)
    kept = after(clear, VERDICTS["over"], timing)
    assert replace(clear, clear_since=NOW) == kept


def test_what_a_firing_alert_learns() -> None:
    """New facts and another severity are noted; it stays the alert that it is."""
    moment = NOW + MINUTE
    worse = replace(FOUND, severity=Severity.CRITICAL, facts="wide open", relevant_until=moment)
    alert = after(firing_since(), Verdict({DRIFT: worse}, judged=JUDGED), Timing(hold=60 * MINUTE))
    learned = replace(
        firing_since(), severity=Severity.CRITICAL, facts="wide open", relevant_until=moment
    )
    assert learned == alert


def test_alerts_live_side_by_side() -> None:
    """Each goes its own way, and the open ones keep their order, new ones last."""
    other = DRIFT._replace(key="opened:81/tcp")
    ending = DRIFT._replace(key="opened:82/tcp")
    alerts = {
        ending: replace(firing_since(), fingerprint=ending),
        DRIFT: firing_since(),
    }
    findings = {other: replace(FOUND, fingerprint=other), DRIFT: FOUND}
    still_open, ended = advance(alerts, Verdict(findings, judged=JUDGED), {}, NOW, NOW)
    assert [DRIFT, other] == list(still_open)
    assert [ending] == [each.fingerprint for each in ended]


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(days=1)])
@pytest.mark.parametrize("event", ["over", "gone"])
def test_what_fired_before_the_clock_was_set_back(step: timedelta, event: str) -> None:
    """It fires on from when it did, and ends no earlier than it began."""
    future = NOW + step
    fires = replace(pending(), state=State.FIRING, active_at=future, starts_at=future)
    assert fires == after(fires, VERDICTS["found"], looked=-step / MINUTE)
    ended = after(fires, VERDICTS[event], looked=-step / MINUTE)

    assert ended is not None
    assert (State.RESOLVED, future, future) == (ended.state, ended.starts_at, ended.ends_at)


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(days=1)])
def test_what_was_pending_when_the_clock_was_set_back(step: timedelta) -> None:
    """It starts anew, so that it fires after its `for` and not after the step."""
    waits = replace(pending(), active_at=NOW + step)
    alert = after(waits, VERDICTS["found"], Timing(hold=5 * MINUTE), looked=-step / MINUTE)

    assert alert is not None
    assert (State.PENDING, NOW) == (alert.state, alert.active_at)
