"""What is escalated and what active times hold: to whom, when, and when to look again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.alerting.active import ActiveTimes, parse_windows
from fluence_watch.alerting.due import Due, due, kept_back
from fluence_watch.alerting.escalation import Escalated, Escalation
from fluence_watch.alerting.inhibition import Inhibit
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import (
    Acknowledgement,
    Mute,
    Mutes,
    Silence,
    Why,
)
from fluence_watch.alerting.telling import Heard, Notified, Reason, Recipient
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EVENTS = frozenset({"price_changed"})
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL

FIRING = Alert(Fingerprint("main", "port_drift", "0xab"), WARNING, State.FIRING, "", NOON, NOON)
RESOLVED = replace(FIRING, state=State.RESOLVED, ends_at=NOON + 5 * HOUR)
DEADLINE = replace(FIRING, relevant_until=NOON + HOUR)
EVENT = replace(FIRING, fingerprint=Fingerprint("main", "price_changed", "0xab"))
ABOUT_PAGER = replace(FIRING, fingerprint=Fingerprint(WATCHER, "delivery_failing", "pager"))
ABOUT_OPS = replace(FIRING, fingerprint=Fingerprint(WATCHER, "delivery_failing", "ops"))
TOLD = Notified(NOON + 2 * HOUR, WARNING)

OPS = Route("ops", min_severity=WARNING)
BOSS = Escalation(Route("boss", rules=("vm_*",)), HOUR)
PAGER = Recipient(
    Route("pager", rules=(), repeat_interval=HOUR), escalations=(Escalation(OPS, 2 * HOUR), BOSS)
)
LAST = Recipient(Route("last", rules=()), escalations=(Escalation(PAGER.route, 3 * HOUR, PAGER.escalations),))  # fmt: skip


@pytest.mark.parametrize(
    ("alert", "notified", "recipient", "hours", "reason", "waits"),
    [
        (FIRING, None, PAGER, 0, None, 2),
        (FIRING, None, PAGER, 1.99, None, 2),
        (FIRING, None, PAGER, 2, Reason.ESCALATED, None),
        (FIRING, None, PAGER, 99, Reason.ESCALATED, None),
        (FIRING, None, PAGER, -99, Reason.ESCALATED, None),  # the clock was set back
        (replace(FIRING, starts_at=NOON + HOUR), None, PAGER, 2, None, 3),
        (replace(FIRING, severity=Severity.INFO), None, PAGER, 9, None, None),
        # of several escalations the first
        (replace(FIRING, fingerprint=Fingerprint("main", "vm_status")), None, PAGER, 1, Reason.ESCALATED, None),
        # what is over, or never for others
        (RESOLVED, None, PAGER, 9, None, None),
        (DEADLINE, None, PAGER, 0, None, 2),
        (DEADLINE, None, PAGER, 2, None, None),
        (EVENT, None, PAGER, 9, None, None),
        (ABOUT_PAGER, None, PAGER, 9, None, None),
        (ABOUT_OPS, None, PAGER, 9, None, None),
        (replace(FIRING, state=State.PENDING), None, PAGER, 9, None, None),
        # who was told hears as any other
        (FIRING, TOLD, PAGER, 2.5, None, 3),
        (FIRING, TOLD, PAGER, 3, Reason.REPEAT, None),
        (replace(FIRING, severity=CRITICAL), TOLD, PAGER, 2.5, Reason.WORSE, None),
        (RESOLVED, TOLD, PAGER, 5, Reason.RESOLVED, None),
        (FIRING, TOLD, replace(PAGER, escalations=()), 9, None, None),
        # whose own route takes it hears at once
        (FIRING, None, replace(PAGER, route=Route("pager")), 0, Reason.FIRST, None),
        # a chain
        (FIRING, None, LAST, 4.99, None, 5),
        (FIRING, None, LAST, 5, Reason.ESCALATED, None),
        (ABOUT_PAGER, None, LAST, 5, Reason.ESCALATED, None),
    ],
)  # fmt: skip
def test_when_it_is_escalated(
    alert: Alert,
    notified: Notified | None,
    recipient: Recipient,
    hours: float,
    reason: Reason | None,
    waits: float | None,
) -> None:
    """So long after its start as the receivers before say, if it still fires."""
    told = {alert.episode: notified} if notified else {}
    found = due([alert], told, recipient, NOON + hours * HOUR, events=EVENTS)
    assert [reason] * (reason is not None) == [line.reason for line in found.lines]
    assert (None if waits is None else NOON + waits * HOUR) == found.wait_until


@pytest.mark.parametrize(
    ("first", "notified_at"),
    [
        (None, None),
        (TOLD, TOLD.at),
        (replace(TOLD, heard=Heard.GIVEN_UP), None),
    ],
)
def test_who_was_notified_first(first: Notified | None, notified_at: datetime | None) -> None:
    """A line says it, and since when it is due."""
    others = {"ops": {FIRING.episode: first} if first else {}}
    (line,) = due([FIRING], {}, PAGER, NOON + 9 * HOUR, others=others).lines
    assert Escalated("ops", notified_at) == line.escalated
    assert NOON + 2 * HOUR == line.since


ACK = Acknowledgement(NOON, NOON + 4 * HOUR, WARNING, 0)


@pytest.mark.parametrize(
    ("alert", "hours", "reason"),
    [
        (FIRING, 2, None),
        (FIRING, 4, Reason.ESCALATED),
        (replace(FIRING, step=1), 2, Reason.ESCALATED),
        (replace(FIRING, severity=CRITICAL), 2, Reason.ESCALATED),
    ],
)
def test_an_acknowledged_alert(alert: Alert, hours: int, reason: Reason | None) -> None:
    """It is not escalated, until that ends or it gets worse."""
    mutes = Mutes(acknowledged={alert.episode: ACK})
    found = due([alert], {}, PAGER, NOON + hours * HOUR, taken=mutes.acknowledgement)
    assert [reason] * (reason is not None) == [line.reason for line in found.lines]
    assert (None if reason else ACK.until) == found.wait_until


BY_DAY = Recipient(Route("ops", active=ActiveTimes(parse_windows("08:00-16:00")), repeat_interval=HOUR))  # fmt: skip
ASLEEP = replace(BY_DAY, route=replace(BY_DAY.route, critical_at_once=False))
NIGHT = replace(FIRING, active_at=NOON + 5 * HOUR, starts_at=NOON + 5 * HOUR)
BRIEF = replace(NIGHT, state=State.RESOLVED, ends_at=NOON + 6 * HOUR)
UNTIL_DAY = replace(RESOLVED, ends_at=NOON + 6 * HOUR)
SEVERE = replace(NIGHT, severity=CRITICAL)
EVENT_OVER = replace(EVENT, active_at=NOON + 5 * HOUR, starts_at=NOON + 5 * HOUR, state=State.RESOLVED, ends_at=NOON + 6 * HOUR, quiet=True)  # fmt: skip


@pytest.mark.parametrize(
    ("alert", "notified", "recipient", "reason", "morning"),
    [
        (NIGHT, None, BY_DAY, None, Reason.FIRST),
        (FIRING, TOLD, BY_DAY, None, Reason.REPEAT),
        (replace(FIRING, step=1), TOLD, BY_DAY, None, Reason.WORSE),
        (RESOLVED, TOLD, BY_DAY, None, Reason.RESOLVED),
        (UNTIL_DAY, None, BY_DAY, None, Reason.MISSED),  # it began by day
        (BRIEF, None, BY_DAY, None, None),
        (replace(NIGHT, relevant_until=NOON + 6 * HOUR), None, BY_DAY, None, None),
        (EVENT_OVER, None, BY_DAY, None, Reason.FIRST),
        # critical
        (SEVERE, None, BY_DAY, Reason.FIRST, Reason.FIRST),
        (replace(FIRING, severity=CRITICAL), TOLD, BY_DAY, Reason.WORSE, Reason.WORSE),
        (replace(RESOLVED, severity=CRITICAL), TOLD, BY_DAY, Reason.RESOLVED, Reason.RESOLVED),
        (RESOLVED, replace(TOLD, severity=CRITICAL), BY_DAY, Reason.RESOLVED, Reason.RESOLVED),
        (replace(BRIEF, severity=CRITICAL), None, BY_DAY, Reason.MISSED, Reason.MISSED),
        (SEVERE, None, ASLEEP, None, Reason.FIRST),
        (replace(BRIEF, severity=CRITICAL), None, ASLEEP, None, None),
    ],
)
def test_what_is_held(
    alert: Alert,
    notified: Notified | None,
    recipient: Recipient,
    reason: Reason | None,
    morning: Reason | None,
) -> None:
    """It waits for eight o'clock, as far as it is then still true."""
    told = {alert.episode: notified} if notified else {}
    found = due([alert], told, recipient, NOON + 9 * HOUR, events=EVENTS)
    assert [reason] * (reason is not None) == [line.reason for line in found.lines]
    opens = NOON + 20 * HOUR
    assert (None if reason or not morning else opens) == found.wait_until
    later = due([alert], told, recipient, opens, events=EVENTS).lines
    assert [morning] * (morning is not None) == [line.reason for line in later]


def test_the_reason_why_it_is_held() -> None:
    """It has a name, whose active times they are, and their begin."""
    found = kept_back(NIGHT, Reason.FIRST, None, BY_DAY, NOON + 5 * HOUR)
    assert Mute(Why.INACTIVE, "ops", NOON + 20 * HOUR) == found
    over = kept_back(BRIEF, Reason.MISSED, None, BY_DAY, NOON + 5 * HOUR)
    assert Mute(Why.INACTIVE, "ops") == over


OPS_ALL = Recipient(OPS)
LATE = Fingerprint("main", "vm_status", "0xcd")
WHILE = Mutes(
    inhibits=(Inhibit(parse_matchers("rule=vm_status"), parse_matchers("rule=port_drift")),)
)


@pytest.mark.parametrize(
    ("sources", "told"),
    [
        ([(2, 4.5)], True),  # from 4 on it was night
        ([(2, 4)], True),
        ([(0, 4)], False),
        ([(0, 5)], False),
        ([(0, 3)], True),
        ([(0, 2), (2, 4)], False),
        ([(0, 2), (2.5, 4)], True),
        ([(0, 3), (1, 5)], False),
        ([(1, 5)], True),
    ],
)  # fmt: skip
def test_what_others_kept_back_until_the_evening(
    sources: list[tuple[float, float]], *, told: bool
) -> None:
    """What was first muted and then outside active times was never to be sent, and never is."""
    others = [
        replace(
            RESOLVED, fingerprint=LATE._replace(key=str(begin)),
            starts_at=NOON + begin * HOUR, ends_at=NOON + end * HOUR,
        )
        for begin, end in sources
    ]  # fmt: skip
    muted = WHILE.among(others)
    found = due([UNTIL_DAY], {}, BY_DAY, NOON + 20 * HOUR, muted=muted).lines
    assert [Reason.MISSED] * told == [line.reason for line in found]


def test_a_silence_until_after_the_deadline() -> None:
    """The poll that ends the alert comes later than both: it was never to be sent, and never is."""
    span = NOON, NOON + 4.5 * HOUR
    mutes = Mutes(silences=[Silence("s", parse_matchers("rule=port_drift"), *span)])
    late = replace(RESOLVED, relevant_until=NOON + 4 * HOUR)
    assert due([RESOLVED], {}, OPS_ALL, NOON + 5 * HOUR, muted=mutes.among([RESOLVED])).lines
    assert () == due([late], {}, OPS_ALL, NOON + 5 * HOUR, muted=mutes.among([late])).lines


def test_what_is_held_counts_from_the_begin() -> None:
    """It waits for nobody before that, and is news as long after it as anything else."""
    (line,) = due([NIGHT], {}, BY_DAY, NOON + 21 * HOUR).lines
    assert NOON + 20 * HOUR == line.since
    impatient = replace(BY_DAY, route=replace(BY_DAY.route, give_up_after=HOUR))
    told = {RESOLVED.episode: TOLD}
    assert due([RESOLVED], told, impatient, NOON + 20 * HOUR).lines
    assert not due([RESOLVED], told, impatient, NOON + 22 * HOUR).lines


def test_a_critical_repetition_takes_along_no_held_one() -> None:
    """The other one waits for its time."""
    severe = replace(FIRING, fingerprint=Fingerprint("main", "debt"), severity=CRITICAL)
    heard = {each.episode: Notified(NOON + 8 * HOUR, CRITICAL) for each in (FIRING, severe)}
    heard[FIRING.episode] = replace(TOLD, at=NOON + 8.5 * HOUR)
    found = due([FIRING, severe], heard, BY_DAY, NOON + 9 * HOUR)
    assert [severe] == [line.alert for line in found.lines]
    assert NOON + 9.5 * HOUR == found.wait_until


# a law: hours from noon on, in which everything begins and ends

HOURS = 60
spans = st.tuples(st.integers(0, HOURS), st.integers(1, 20)).map(lambda each: (each[0], sum(each)))


@dataclass(frozen=True)
class Life:
    """An alert from one hour to another, and when somebody acknowledged it, and until when."""

    number: int
    severity: Severity
    fires: tuple[int, int]
    taken: tuple[int, int] | None

    def at(self, hour: int) -> Alert:
        """As it is in that hour."""
        begin, end = (NOON + each * HOUR for each in self.fires)
        about = Fingerprint("main", "port_drift", str(self.number))
        alert = Alert(about, self.severity, State.FIRING, "", begin, begin)
        over = hour >= self.fires[1]
        return replace(alert, state=State.RESOLVED, ends_at=end) if over else alert


@dataclass(frozen=True)
class World:
    """What happens to a receiver. `after` is that of an escalation; `None`: its route takes all."""

    lives: Sequence[Life]
    after: int | None
    window: tuple[int, int] | None
    at_once: bool
    silences: Sequence[tuple[int, int]]

    @property
    def recipient(self) -> Recipient:
        """The receiver."""
        active = None
        if self.window:
            text = "{:02}:00-{:02}:00".format(*self.window)
            active = ActiveTimes(parse_windows(text))
        rules = ("*",) if self.after is None else ()
        route = Route("ops", rules=rules, active=active, critical_at_once=self.at_once)
        if self.after is None:
            return Recipient(route)
        return Recipient(route, None, (Escalation(Route("first"), self.after * HOUR),))

    def is_open(self, hour: int, severity: Severity) -> bool:
        """Whether the receiver may be notified in that hour."""
        if self.window is None or (self.at_once and severity is CRITICAL):
            return True
        begin, end = self.window
        now = (12 + hour) % 24
        return begin <= now < end if begin < end else now >= begin or now < end

    def tells(self, life: Life, hour: int) -> bool:
        """Whether the receiver would be told in that hour that it fires."""
        if any(begin <= hour < end for begin, end in self.silences):
            return False
        if self.after is None:
            return self.is_open(hour, life.severity)
        taken = life.taken is not None and life.taken[0] <= hour < life.taken[1]
        late = hour >= life.fires[0] + self.after
        return late and not taken and self.is_open(hour, life.severity)

    def expected(self) -> list[tuple[int, int, Reason]]:
        """What is told of which life in which hour."""
        found = []
        for life in self.lives:
            first = next((hour for hour in range(*life.fires) if self.tells(life, hour)), None)
            if first is not None:
                reason = Reason.FIRST if self.after is None else Reason.ESCALATED
                hours = range(life.fires[1], life.fires[1] + 24)
                end = next(hour for hour in hours if self.is_open(hour, life.severity))
                found += [(first, life.number, reason), (end, life.number, Reason.RESOLVED)]
        return sorted(found)

    def mutes(self, hour: int) -> Mutes:
        """Silences and acknowledgements, as far as they were made."""
        silences = [Silence(str(n), (), NOON + a * HOUR, NOON + b * HOUR) for n, (a, b) in enumerate(self.silences)]  # fmt: skip
        taken = {
            life.at(0).episode: Acknowledgement(NOON, NOON + life.taken[1] * HOUR, life.severity, 0)
            for life in self.lives
            if life.taken and life.taken[0] <= hour < life.fires[1]
        }
        return Mutes(silences, acknowledged=taken)


def heard(world: World) -> list[tuple[int, int, Reason]]:
    """What a receiver hears that looks when something changes, and whenever it is told to."""
    told: dict[Episode, Notified] = {}
    found = []
    changes = {hour for life in world.lives for hour in (*life.fires, *(life.taken or ()))}
    looks = {NOON + hour * HOUR for hour in changes}
    while looks:
        now = min(looks)
        looks.remove(now)
        hour = (now - NOON) // HOUR
        alerts = [life.at(hour) for life in world.lives if life.fires[0] <= hour]
        mutes = world.mutes(hour)
        new = due(
            alerts, told, world.recipient, now,
            muted=mutes.among(alerts), taken=mutes.acknowledgement,
        )  # fmt: skip
        for line in new.lines:
            told[line.episode] = line.notified(told.get(line.episode), now)
            found.append((hour, int(line.alert.fingerprint.subject), line.reason))
        looks |= {new.wait_until} if new.wait_until else set()
        assert new.wait_until is None or new.wait_until > now
    return sorted(found)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from([WARNING, CRITICAL]), spans, st.none() | spans),
        min_size=1,
        max_size=3,
    ),
    st.none() | st.integers(0, 10),
    st.none() | st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda w: w[0] != w[1]),
    st.booleans(),
    st.lists(spans, max_size=3),
)
def test_whoever_looks_when_told_to_hears_at_the_first_allowed_moment(
    drawn: list[tuple[Severity, tuple[int, int], tuple[int, int] | None]],
    after: int | None,
    window: tuple[int, int] | None,
    at_once: bool,  # noqa: FBT001 - drawn
    silences: list[tuple[int, int]],
) -> None:
    """Of each alert that lasts so long, once, and of its end, once; of nothing else."""
    lives = [Life(number, *each) for number, each in enumerate(drawn)]
    world = World(lives, after, window, at_once, silences)
    assert world.expected() == heard(world)


def test_nobody_to_look_at() -> None:
    """Nothing is due, and nothing will be."""
    assert Due() == due([], {}, PAGER, NOON)
