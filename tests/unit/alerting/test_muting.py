"""What keeps messages back, until when, and what is never sent."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.due import Due, due
from fluence_watch.alerting.inhibition import FIXED, Inhibit, Sources
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import (
    Acknowledgement,
    Maintenance,
    Mute,
    Mutes,
    Silence,
    Why,
)
from fluence_watch.alerting.slots import Cron
from fluence_watch.alerting.telling import Notified, Reason, Recipient
from fluence_watch.model.finding import Fingerprint, Severity, VmRef

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
EVENTS = frozenset({"price_changed"})


@dataclass(frozen=True)
class Facts:
    """Facts about a VM."""

    vm: VmRef
    status: str | None = None


def alert_of(
    rule: str = "port_drift",
    vm: str | None = "0xab",
    severity: Severity = Severity.WARNING,
    since: timedelta = HOUR,
    status: str | None = None,
) -> Alert:
    """An alert that fires."""
    facts = Facts(VmRef(vm, "web-1", None), status) if vm else "no VM"
    return Alert(
        Fingerprint("main", rule, vm or "main"), severity, State.FIRING, facts,
        active_at=NOW - since, starts_at=NOW - since, step=1,
    )  # fmt: skip


FIRING = alert_of()
RESOLVED = replace(FIRING, state=State.RESOLVED, ends_at=NOW - MINUTE)
EVENT = alert_of("price_changed")
EVENT_OVER = replace(EVENT, state=State.RESOLVED, ends_at=NOW - MINUTE, quiet=True)
WORSE = replace(FIRING, step=2)
HEARD = Notified(NOW - HOUR, Severity.WARNING, 1)
HOURLY = Recipient(Route("ops", repeat_interval=HOUR))


def silence(
    text: str = "rule=~.*", begun: timedelta = 2 * HOUR, lasts: timedelta = 3 * HOUR
) -> Silence:
    """A silence that began so long ago."""
    return Silence("s1", parse_matchers(text), NOW - begun, NOW - begun + lasts)


def told(
    mutes: Mutes, alert: Alert, notified: Notified | None = None, now: datetime = NOW, *more: Alert
) -> Due:
    """What an hourly receiver is due."""
    known = {alert.episode: notified} if notified else {}
    return due(
        [alert], known, HOURLY, now, events=EVENTS,
        muted=mutes.among([alert, *more]), taken=mutes.acknowledgement,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alert", "notified", "reason", "waits"),
    [
        (FIRING, None, Reason.FIRST, True),
        (WORSE, HEARD, Reason.WORSE, True),
        (FIRING, HEARD, Reason.REPEAT, True),
        (RESOLVED, HEARD, None, False),
        (RESOLVED, None, Reason.MISSED, False),
        (EVENT, None, Reason.FIRST, True),
        (EVENT_OVER, None, Reason.FIRST, False),
    ],
)
@pytest.mark.parametrize("kind", ["silence", "maintenance"])
def test_a_silence(
    alert: Alert,
    notified: Notified | None,
    reason: Reason | None,
    waits: bool,  # noqa: FBT001 - a column of the table
    kind: str,
) -> None:
    """What is muted waits for its end; what resolves is told to who knows it; what was missed is not."""
    weekly = Maintenance("weekly", parse_matchers("rule=~.*"), Cron("0 11 * * 3"), 2 * HOUR)
    mutes = Mutes([silence()] if kind == "silence" else [], [weekly] * (kind != "silence"))
    other = Mutes([silence("rule=billing_due")])
    found = told(mutes, alert, notified)
    if reason is None:
        assert [Reason.RESOLVED] == [line.reason for line in found.lines]
        return
    assert Due(wait_until=NOW + HOUR if waits else None) == found
    assert [reason] == [line.reason for line in told(other, alert, notified).lines]
    after = told(mutes, alert, notified, NOW + HOUR)
    assert [reason] * waits == [line.reason for line in after.lines]


@pytest.mark.parametrize(
    ("silences", "mute"),
    [
        ([], None),
        ([silence(begun=-MINUTE)], None),
        ([silence(lasts=2 * HOUR)], None),
        ([silence("vm=web-2")], None),
        ([silence(lasts=2 * HOUR + MINUTE)], Mute(Why.SILENCED, "s1", NOW + MINUTE)),
        ([silence("vm=web-1"), silence(lasts=4 * HOUR)], Mute(Why.SILENCED, "s1", NOW + 2 * HOUR)),
    ],
)
def test_which_silence_counts(silences: list[Silence], mute: Mute | None) -> None:
    """One that is active and matches; of several the last to end."""
    assert mute == Mutes(silences).among([])(FIRING, NOW)


def test_what_began_and_ended_before_a_silence() -> None:
    """It was missed, and is told once the receiver is there again."""
    late = Mutes([silence(begun=MINUTE / 2)])
    assert [Reason.MISSED] == [line.reason for line in told(late, RESOLVED).lines]


VANISHED = alert_of("vm_vanished", severity=Severity.CRITICAL)
ENDED = alert_of("vm_status", severity=Severity.CRITICAL, status="terminated")
STOPPED = alert_of("vm_status", status="stopped")
FAILING = alert_of("poll_failing", vm=None)
PROXY = (Inhibit(parse_matchers("rule=vm_status,vm=web-1"), parse_matchers("rule=low_balance")),)


@pytest.mark.parametrize(
    ("source", "target", "inhibits", "muted"),
    [
        (VANISHED, FIRING, FIXED, True),
        (VANISHED, alert_of(vm="0xcd"), FIXED, False),
        (VANISHED, alert_of("account_low", vm=None), FIXED, False),
        (ENDED, FIRING, FIXED, True),
        (ENDED, alert_of("locked_funds"), FIXED, False),
        (STOPPED, FIRING, FIXED, False),
        (FAILING, FIRING, FIXED, True),
        (FAILING, alert_of("account_low", vm=None), FIXED, True),
        (FAILING, alert_of("topup_failed", severity=Severity.CRITICAL), FIXED, False),
        (STOPPED, alert_of("low_balance", vm="0xcd"), PROXY, True),
        (STOPPED, FIRING, PROXY, False),
        (replace(VANISHED, state=State.PENDING, starts_at=None), FIRING, FIXED, False),
        (replace(VANISHED, starts_at=NOW + MINUTE), FIRING, FIXED, False),
        (replace(VANISHED, state=State.RESOLVED, ends_at=NOW), FIRING, FIXED, False),
        (replace(VANISHED, state=State.RESOLVED, ends_at=NOW - MINUTE), RESOLVED, FIXED, True),
        (replace(VANISHED, state=State.RESOLVED, ends_at=NOW - HOUR / 2), RESOLVED, FIXED, False),
    ],
)
def test_inhibition(
    source: Alert,
    target: Alert,
    inhibits: tuple[Inhibit, ...],
    muted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """An alert that fires mutes others, as long as it fires; what ends with it is not told either."""
    found = told(Mutes(inhibits=inhibits), target, None, NOW, source)
    assert muted is not bool(found.lines)
    assert found.wait_until is None
    assert told(Mutes(inhibits=inhibits), target).lines  # an alert does not mute itself


def test_thousands_that_mute_and_are_muted() -> None:
    """Each finds its own at once: compared in pairs, these would take minutes."""
    gone = [alert_of("vm_vanished", f"0x{number}") for number in range(3000)]
    others = [alert_of(vm=f"0x{number}") for number in range(3000)]
    muted = Mutes().among([*gone, *others])
    expected = [Mute(Why.INHIBITED, each.fingerprint.words) for each in gone]
    assert expected == [muted(each, NOW) for each in others]
    assert {None} == {muted(each, NOW) for each in gone}


def test_hundreds_that_mute_one_another() -> None:
    """Whatever their number, one search finds the circle that they are in."""
    debt, drift = parse_matchers("rule=debt"), parse_matchers("rule=port_drift")
    inhibits = (Inhibit(debt, drift), Inhibit(drift, debt))
    early = [alert_of("debt", f"0x{number}", since=HOUR) for number in range(300)]
    late = [alert_of("port_drift", f"0x{number}") for number in range(300)]
    muted = Mutes(inhibits=inhibits).among([*late, *early])
    assert {None} == {muted(each, NOW) for each in early}
    assert None not in {muted(each, NOW) for each in late}


def test_what_matches_source_and_target() -> None:
    """It does not mute what matches both too, or two alerts would mute each other."""
    both = Inhibit(parse_matchers("rule=~.*"), parse_matchers("rule=~.*"))
    assert told(Mutes(inhibits=(both,)), FIRING, None, NOW, VANISHED).lines


def test_alerts_that_mute_each_other() -> None:
    """One of them is told: the first, then the worse, then the one whose name comes first."""
    debt, drift = parse_matchers("rule=debt"), parse_matchers("rule=port_drift")
    mutes = Mutes(inhibits=(Inhibit(debt, drift), Inhibit(drift, debt)))
    early, late = alert_of("debt", since=2 * HOUR), FIRING
    assert told(mutes, early, None, NOW, late).lines
    assert not told(mutes, late, None, NOW, early).lines
    same, worse = alert_of("debt"), alert_of(severity=Severity.CRITICAL)
    assert told(mutes, worse, None, NOW, same).lines
    assert not told(mutes, same, None, NOW, worse).lines
    assert told(mutes, same, None, NOW, FIRING).lines
    assert not told(mutes, FIRING, None, NOW, same).lines


RULES = ("debt", "port_drift", "vm_status", "low_balance", "price_changed")


@given(
    st.sets(st.tuples(st.sampled_from(RULES), st.sampled_from(RULES)), max_size=12),
    st.lists(st.integers(0, 5), min_size=5, max_size=5),
)
def test_what_is_muted_is_explained(pairs: set[tuple[str, str]], hours: list[int]) -> None:
    """Whatever mutes each other, in circles too: each that is muted leads to one that is told."""
    inhibits = [Inhibit(*(parse_matchers(f"rule={each}") for each in pair)) for pair in pairs]
    alerts = [alert_of(rule, since=n * HOUR) for rule, n in zip(RULES, hours, strict=True)]
    muted, sources = Mutes(inhibits=inhibits).among(alerts), Sources(inhibits, alerts)
    told = {each for each in alerts if muted(each, NOW) is None}
    for alert in alerts:
        reached, ahead = {alert}, [alert]
        while ahead:
            new = {*sources.explaining(ahead.pop())} - reached
            reached |= new
            ahead += new
        assert told & reached


def test_a_circle() -> None:
    """Of three that mute one another in turn, only what fired after what mutes it is muted."""
    circle = [("debt", "port_drift"), ("port_drift", "vm_status"), ("vm_status", "debt")]
    inhibits = [Inhibit(*(parse_matchers(f"rule={each}") for each in pair)) for pair in circle]
    alerts = [alert_of(rule, since=n * HOUR) for n, (rule, _) in enumerate(circle)]
    muted = Mutes(inhibits=inhibits).among(alerts)
    assert [True, False, False] == [muted(each, NOW) is not None for each in alerts]


def test_a_vm_that_ends_and_vanishes() -> None:
    """Each mutes the other by what is fixed: one is told."""
    both = (ENDED, VANISHED)
    lines = [told(Mutes(), each, None, NOW, *both).lines for each in both]
    assert 1 == sum(map(bool, lines))


TAKEN = Acknowledgement(NOW - MINUTE, NOW + HOUR, Severity.WARNING, 1, "ann")


@pytest.mark.parametrize(
    ("alert", "notified", "now", "reason"),
    [
        (FIRING, HEARD, NOW, None),
        (FIRING, HEARD, NOW + HOUR, Reason.REPEAT),
        (FIRING, None, NOW, Reason.FIRST),
        (WORSE, HEARD, NOW, Reason.WORSE),
        (WORSE, replace(HEARD, step=2), NOW, Reason.REPEAT),
        (replace(FIRING, severity=Severity.CRITICAL), HEARD, NOW, Reason.WORSE),
        (RESOLVED, HEARD, NOW, Reason.RESOLVED),
    ],
)
def test_an_acknowledgement(
    alert: Alert, notified: Notified | None, now: datetime, reason: Reason | None
) -> None:
    """It stops repetitions until its end, or until the alert gets worse, and nothing else."""
    found = told(Mutes(acknowledged={FIRING.episode: TAKEN}), alert, notified, now)
    assert [reason] * (reason is not None) == [line.reason for line in found.lines]
    assert (None if reason else NOW + HOUR) == found.wait_until


def test_an_acknowledgement_that_is_outgrown() -> None:
    """Once the alert was worse it is over, also when it gets milder again."""
    mutes = Mutes(acknowledged={FIRING.episode: TAKEN})
    assert mutes is mutes.without_outgrown([FIRING, VANISHED])
    assert {} == mutes.without_outgrown([WORSE]).acknowledged


def test_a_repetition_takes_along_only_what_is_not_taken_care_of() -> None:
    """That one is looked at when its own repetition comes due."""
    other = alert_of("vm_status")
    heard = {FIRING.episode: replace(HEARD, at=NOW - HOUR / 2), other.episode: HEARD}
    mutes = Mutes(acknowledged={FIRING.episode: TAKEN})
    found = due([FIRING, other], heard, HOURLY, NOW, muted=mutes.among([]), taken=mutes.acknowledgement)  # fmt: skip
    assert [other] == [line.alert for line in found.lines]
    assert NOW + HOUR / 2 == found.wait_until


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(1, 20)), max_size=4),
    st.integers(0, 20),
    st.integers(1, 20),
)
def test_whoever_is_awake_hears_of_what_outlasts_all_silences(
    spans: list[tuple[int, int]], begins: int, lasts: int
) -> None:
    """Looked at whenever it says, what fires is told at the first moment without a silence, or never."""
    start, end = NOW + begins * HOUR, NOW + (begins + lasts) * HOUR
    alert = replace(FIRING, active_at=start, starts_at=start)
    mutes = Mutes([Silence(str(n), (), NOW + a * HOUR, NOW + (a + b) * HOUR) for n, (a, b) in enumerate(spans)])  # fmt: skip
    quiet = [n for n in range(begins, begins + lasts) if not _covered(spans, n)]
    at: datetime | None = start
    while at and at < end:
        found = told(mutes, alert, None, at)
        if found.lines:
            assert quiet
            assert at == NOW + quiet[0] * HOUR
            return
        at = found.wait_until
    assert not quiet
    over = replace(alert, state=State.RESOLVED, ends_at=end - MINUTE)
    assert () == told(mutes, over, None, end + 99 * HOUR).lines


def _covered(spans: list[tuple[int, int]], hour: int) -> bool:
    return any(begun <= hour < begun + lasts for begun, lasts in spans)
