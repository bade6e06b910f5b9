"""When a digest is due: tables of slots, and what holds for any sequence of looks."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.slots import (
    FAR,
    Cron,
    Due,
    Progress,
    Step,
    check_schedule,
    check_zone,
    due,
    period_of,
)
from fluence_watch.model.digest import Period

WEEKDAYS = Cron("0 8 * * 1-5")
CATCH_UP = timedelta(hours=12)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 4, 13, 8, 0, tzinfo=UTC)


def paris(schedule: str) -> Cron:
    return Cron(schedule, "Europe/Paris")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(cron: Cron, first: str, last: str) -> list[str]:
    """The slots between two times, in UTC, as a watcher who sleeps until each finds them."""
    found, moment = [], utc(first)
    while (slot := cron.following(moment)) and slot <= utc(last):
        found.append(slot.strftime("%d %H:%M"))
        moment = slot
    return found


@pytest.mark.parametrize(
    ("cron", "first", "last", "expected"),
    [
        (WEEKDAYS, "2026-04-10T00:00", "2026-04-14T00:00", ["10 08:00", "13 08:00"]),
        # 2026-03-29 in Paris: after 01:59 comes 03:00
        (paris("30 2 * * *"), "2026-03-28T00:00", "2026-03-30T12:00", ["28 01:30", "29 01:00", "30 00:30"]),
        (paris("0 8 * * *"), "2026-03-28T00:00", "2026-03-29T12:00", ["28 07:00", "29 06:00"]),
        (paris("0 * * * *"), "2026-03-28T23:30", "2026-03-29T02:00", ["29 00:00", "29 01:00", "29 02:00"]),
        (paris("15,45 2 * * *"), "2026-03-29T00:00", "2026-03-29T12:00", ["29 01:00"]),
        # 2026-10-25 in Paris: after 02:59 comes 02:00
        (paris("30 2 * * *"), "2026-10-24T00:00", "2026-10-26T12:00", ["24 00:30", "25 00:30", "26 01:30"]),
        (paris("0 8 * * *"), "2026-10-24T00:00", "2026-10-25T12:00", ["24 06:00", "25 07:00"]),
        (paris("0 * * * *"), "2026-10-24T23:30", "2026-10-25T02:00", ["25 00:00", "25 01:00", "25 02:00"]),
        (paris("0 1-3 * * *"), "2026-10-24T12:00", "2026-10-25T12:00", ["24 23:00", "25 00:00", "25 02:00"]),
    ],
)  # fmt: skip
def test_slots_of_a_schedule(cron: Cron, first: str, last: str, expected: list[str]) -> None:
    """An hour that does not exist or comes twice has one slot of a fixed hour, and each real hour one."""
    assert expected == slots(cron, first, last)


@pytest.mark.parametrize(
    ("cron", "moment", "latest"),
    [
        (WEEKDAYS, MONDAY, MONDAY),
        (WEEKDAYS, MONDAY - MINUTE, MONDAY - 3 * DAY),
        (Cron("* * * * *"), MONDAY + timedelta(seconds=59), MONDAY),
        (Cron("0 8 1 * *"), MONDAY, utc("2026-04-01T08:00")),
        (Cron("0 8 1 1 *"), MONDAY, utc("2026-01-01T08:00")),
        (Cron("0 8 29 2 *"), MONDAY, utc("2024-02-29T08:00")),
        (paris("30 2 * * *"), utc("2026-10-25T01:45"), utc("2026-10-25T00:30")),
    ],
)
def test_the_latest_slot(cron: Cron, moment: datetime, latest: datetime) -> None:
    """The slot at that moment counts."""
    assert latest == cron.latest(moment)


@pytest.mark.parametrize(
    ("cron", "slot", "period"),
    [
        (WEEKDAYS, MONDAY, Period(date(2026, 4, 10), date(2026, 4, 12))),
        (WEEKDAYS, MONDAY + DAY, Period(date(2026, 4, 13), date(2026, 4, 13))),
        (Cron("0 8 * * 1"), MONDAY, Period(date(2026, 4, 6), date(2026, 4, 12))),
        (Cron("0 * * * *"), MONDAY, Period(date(2026, 4, 12), date(2026, 4, 12))),
    ],
)
def test_the_days_that_a_digest_covers(cron: Cron, slot: datetime, period: Period) -> None:
    """From the day of the slot before up to the day before this one, at least that."""
    assert period == period_of(cron, slot)


def test_the_period_before_is_as_long() -> None:
    period = Period(date(2026, 4, 10), date(2026, 4, 12))
    assert Period(date(2026, 4, 7), date(2026, 4, 9)) == period.before


def sent(slot: datetime) -> Progress:
    return Progress(slot, is_sent=True)


def begun(slot: datetime) -> Progress:
    return Progress(slot, is_sent=False)


FRIDAY, SEND, SKIP = MONDAY - 3 * DAY, Step.SEND, Step.SKIP


@pytest.mark.parametrize(
    ("progress", "now", "expected"),
    [
        (sent(FRIDAY), MONDAY - MINUTE, None),
        (sent(FRIDAY), MONDAY, Due(MONDAY, SEND)),
        (sent(FRIDAY), MONDAY + CATCH_UP, Due(MONDAY, SEND)),
        (sent(FRIDAY), MONDAY + CATCH_UP + MINUTE, Due(MONDAY, SKIP)),
        (sent(FRIDAY - 30 * DAY), MONDAY + HOUR, Due(MONDAY, SEND)),
        (sent(MONDAY), MONDAY + HOUR, None),
        (begun(MONDAY), MONDAY + HOUR, Due(MONDAY, SEND)),
        (begun(MONDAY), MONDAY + 13 * HOUR, Due(MONDAY, SKIP)),
        (begun(MONDAY), MONDAY + DAY, Due(MONDAY + DAY, SEND)),
        (sent(MONDAY), MONDAY - HOUR, None),
        (sent(MONDAY), FRIDAY, None),
        (begun(MONDAY), MONDAY - HOUR, Due(MONDAY, SEND)),
        (sent(MONDAY + 400 * DAY), MONDAY, Due(MONDAY, Step.START_OVER)),
        (begun(MONDAY + 400 * DAY), MONDAY, Due(MONDAY, Step.START_OVER)),
    ],
)
def test_what_is_due(progress: Progress, now: datetime, expected: Due | None) -> None:
    """Each case of the docstring of `slots`."""
    assert expected == due(WEEKDAYS, progress, now, CATCH_UP)


class Watcher:
    """Looks as the daemon does; a crash may come before or after what it sends is accepted."""

    def __init__(self, cron: Cron, now: datetime) -> None:
        self.cron, self.progress = cron, Progress(now, is_sent=True)
        self.accepted: list[datetime] = []
        self.doubtful: set[datetime] = set()

    def look(self, now: datetime, outcome: str) -> None:
        """Deal with what is due, if anything is."""
        found = due(self.cron, self.progress, now, CATCH_UP)
        if found is None:
            return
        self.progress = Progress(found.slot, is_sent=found.step is not SEND)
        if found.step is not SEND or outcome == "refused":
            return
        self.accepted.append(found.slot)
        if outcome == "crash":
            self.doubtful.add(found.slot)
        else:
            self.progress = Progress(found.slot, is_sent=True)


JUMPS = st.timedeltas(-(FAR - 9 * DAY) / 8, 5 * DAY) | st.timedeltas(timedelta(0), 2 * HOUR)
LOOKS = st.lists(st.tuples(JUMPS, st.sampled_from(["accepted", "refused", "crash"])), max_size=8)
CRONS = st.sampled_from(
    [WEEKDAYS, paris("30 2 * * *"), paris("0 * * * *"), Cron("0 8 * * 1"), paris("0 2 25-29 * *")]
)
STARTS = st.builds(
    lambda near, after: near + after,
    st.sampled_from([utc("2026-03-25T00:00"), utc("2026-10-20T00:00")]),
    st.timedeltas(timedelta(0), 8 * DAY),
)
"""Around the days on which the clocks of Paris change."""


@given(CRONS, STARTS, LOOKS)
def test_no_slot_is_sent_twice_and_the_latest_is_not_lost(
    cron: Cron, start: datetime, looks: list[tuple[timedelta, str]]
) -> None:
    """Whatever the clock does between looks; only a crash in the middle of a send may repeat it."""
    now = start
    watcher, newest = Watcher(cron, now), now
    for jump, outcome in looks:
        now += jump
        newest = max(newest, now)
        watcher.look(now, outcome)
        latest = cron.latest(now)
        is_news = latest and start < latest and now - latest <= CATCH_UP and latest >= newest
        if outcome == "accepted" and is_news:
            assert latest in watcher.accepted

    watcher.look(now, "accepted")
    once = [slot for slot in watcher.accepted if slot not in watcher.doubtful]
    assert len(once) == len(set(once))
    latest = cron.latest(now)
    if latest and now == newest and latest > start:
        assert (now - latest > CATCH_UP) or latest in watcher.accepted


@given(CRONS, STARTS, st.timedeltas(timedelta(0), 3 * DAY))
def test_where_one_begins_to_count_does_not_matter(
    cron: Cron, start: datetime, later: timedelta
) -> None:
    """The next slot is the same from anywhere before it, and the latest is not after the moment."""
    moment = start + later
    latest, following = cron.latest(moment), cron.following(moment)

    assert latest is not None
    assert following is not None
    assert latest <= moment < following
    assert following == cron.following(latest)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("0 8 * *", "write five fields"),
        ("0 0 8 * * *", "write five fields"),
        ("@daily", "write five fields"),
        ("60 8 * * *", "the minute '60' is wrong"),
        ("0 25 * * *", "the hour '25' is wrong"),
        ("0 8 0 * *", "the day-of-month '0' is wrong"),
        ("0 8 * JNA *", "the month 'JNA' is wrong"),
        ("0 8 * * MON-FIR", "the day-of-week 'MON-FIR' is wrong"),
        ("0 8 * * 5L/2", "the day-of-week '5L/2' is wrong"),
        (f"{'9' * 150} 8 * * *", "the minute '999"),
        ("0 8 31 2 *", "never comes: there is no such day in these months"),
        ("0 8 30 2 */2", "never comes"),
    ],
)
def test_a_wrong_schedule_says_which_field(schedule: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        check_schedule(schedule)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "schedule", ["0 8 * * 1-5", "*/30 * * * *", "0 8 29 2 *", "0 8 L * *", "0 8 * JAN MON"]
)
def test_a_usual_schedule_is_right(schedule: str) -> None:
    check_schedule(schedule)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("europe/pariss", "did you mean 'Europe/Paris'?"),
        ("Paris", "did you mean 'Europe/Paris'?"),
        ("/etc/passwd", "'/etc/passwd' is no time zone"),
        ("Europe", "'Europe' is no time zone"),
        ("", "'' is no time zone"),
    ],
)
def test_an_unknown_zone_suggests_a_near_one(name: str, words: str) -> None:
    with pytest.raises(ValueError, match="no time zone") as error:
        check_zone(name)
    assert words in str(error.value)
