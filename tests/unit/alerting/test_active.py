"""When windows are open, against clocks that are read minute by minute."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.active import ActiveTimes, parse_windows

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PARIS = "Europe/Paris"
NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def times(*texts: str, zone: str = PARIS) -> ActiveTimes:
    """The active times of these texts."""
    return ActiveTimes(tuple(each for text in texts for each in parse_windows(text)), zone)


def utc(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OFFICE = times("Mon-Fri 08:00-18:00", "Sat 10:00-14:00")
NIGHT = times("Fri 22:00-06:00")


@pytest.mark.parametrize(
    ("active", "at", "opens_at"),
    [
        # 2026-04-16 is a Thursday; Paris is at +2
        (OFFICE, "2026-04-16 05:59", "2026-04-16 06:00"),
        (OFFICE, "2026-04-16 06:00", None),
        (OFFICE, "2026-04-16 15:59:59", None),
        (OFFICE, "2026-04-16 16:00", "2026-04-17 06:00"),
        (OFFICE, "2026-04-17 20:00", "2026-04-18 08:00"),
        (OFFICE, "2026-04-18 12:00", "2026-04-20 06:00"),
        # past midnight: of the day on which it begins
        (NIGHT, "2026-04-17 20:00", None),
        (NIGHT, "2026-04-18 03:59", None),
        (NIGHT, "2026-04-18 04:00", "2026-04-24 20:00"),
        (NIGHT, "2026-04-17 03:00", "2026-04-17 20:00"),
        (times("Fri-Mon 00:00-24:00"), "2026-04-20 21:59", None),
        (times("Fri-Mon 00:00-24:00"), "2026-04-20 22:00", "2026-04-23 22:00"),
        # 2026-03-29: 02:00 to 03:00 is skipped, at 01:00 UTC
        (times("02:30-05:00"), "2026-03-29 00:59", "2026-03-29 01:00"),
        (times("02:30-05:00"), "2026-03-29 02:59", None),
        (times("02:30-05:00"), "2026-03-29 03:00", "2026-03-30 00:30"),
        (times("01:00-02:30"), "2026-03-29 00:59", None),
        (times("01:00-02:30"), "2026-03-29 01:00", "2026-03-29 23:00"),
        (times("Sun 02:15-02:45"), "2026-03-29 01:00", "2026-04-05 00:15"),
        # 2026-10-25: 02:00 to 03:00 comes twice, from 00:00 and from 01:00 UTC on
        (times("02:30-02:45"), "2026-10-25 00:29", "2026-10-25 00:30"),
        (times("02:30-02:45"), "2026-10-25 01:00", None),
        (times("02:30-02:45"), "2026-10-25 01:45", "2026-10-26 01:30"),
        (times("22:00-02:00"), "2026-10-25 00:00", "2026-10-25 21:00"),
        # a day that a zone skipped
        (times("Fri 00:00-24:00", zone="Pacific/Apia"), "2011-12-30 10:00", "2012-01-05 10:00"),
    ],
)
def test_when_a_window_opens(active: ActiveTimes, at: str, opens_at: str | None) -> None:
    """Days, nights, and what daylight saving time does to them."""
    assert (opens_at is None) is active.is_open(utc(at))
    assert utc(opens_at or at) == active.opens_at(utc(at))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "has no hours"),
        ("Mon-Fri", "'Mon-Fri' has no hours: write days and hours"),
        ("Mon-Fri 8-18", "has no hours"),
        ("Mom 08:00-18:00", "'Mom' is no day: write Mon, Tue"),
        ("Mon,Wed 08:00-18:00", "'Mon' has no hours"),
        ("08:00-08:00", "a whole day is 00:00-24:00"),
        ("24:00-08:00", "a whole day is 00:00-24:00"),
        ("08:00-25:00", "'25:00' is no time of day"),
        ("08:60-18:00", "'08:60' is no time of day"),
        ("08:00-24:01", "'24:01' is no time of day"),
        ("Mon -08:00-18:00", "has no hours"),
        ("x" * 500, "has no hours"),
    ],
)
def test_what_is_no_window(text: str, error: str) -> None:
    """The error says what is wrong, and what to write."""
    with pytest.raises(ValueError, match=error) as wrong:
        parse_windows(text)
    assert len(str(wrong.value)) < 200


def test_how_windows_are_written() -> None:
    """Case and blanks do not count; several may share a text."""
    assert times("Mon-Fri 08:00-18:00", "Sat 10:00-14:00") == times(
        " mon - fri  8:00-18:00,SAT 10:00-14:00"
    )


TURNS = {
    PARIS: (date(2026, 3, 29), date(2026, 10, 25)),
    "America/Sao_Paulo": (date(2017, 10, 15), date(2018, 2, 18)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Asia/Kathmandu": (date(2026, 1, 1), date(2026, 7, 1)),
    "UTC": (date(2026, 1, 1), date(2026, 7, 1)),
}
minutes = st.one_of(st.integers(0, 1439), st.sampled_from([0, 60, 90, 119, 120, 150, 179, 180]))
windows = st.tuples(st.sampled_from([*NAMES, "Mon-Fri", "Sat-Mon", ""]), minutes, minutes)


def clock(minute: int) -> str:
    """A time of day."""
    return f"{minute // 60:02}:{minute % 60:02}"


def opened(zone: str, drawn: tuple[str, int, int], first: datetime, days: int) -> set[datetime]:
    """The minutes at which a window is open: from the first to the last that clocks show in it."""
    name, begin, end = drawn
    begun, _, ended = name.partition("-")
    wanted = range(7)
    if name:
        at, to = NAMES.index(begun), NAMES.index(ended or begun)
        wanted = [(at + n) % 7 for n in range(7) if n <= (to - at) % 7]  # type: ignore[assignment]
    length = (end - begin) % 1440
    shown: dict[date, list[datetime]] = {}
    for number in range(days * 1440):
        at_utc = first + number * MINUTE
        wall = at_utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        for day in (wall.date(), wall.date() - DAY):
            start = datetime.combine(day, datetime.min.time()) + begin * MINUTE
            if day.weekday() in wanted and start <= wall < start + length * MINUTE:
                shown.setdefault(day, []).append(at_utc)
    return {
        moments[0] + n * MINUTE
        for moments in shown.values()
        for n in range((moments[-1] - moments[0]) // MINUTE + 1)
    }


@given(
    st.sampled_from([(zone, day) for zone, days in TURNS.items() for day in days]),
    st.lists(windows.filter(lambda each: each[1] != each[2]), min_size=1, max_size=2),
)
def test_against_clocks_read_minute_by_minute(
    place: tuple[str, date], drawn: list[tuple[str, int, int]]
) -> None:
    """Around each change of the clocks a window is open when they show it, without a break."""
    zone, day = place
    texts = [f"{name} {clock(begin)}-{clock(end)}" for name, begin, end in drawn]
    active = times(*texts, zone=zone)
    first = datetime.combine(day, datetime.min.time(), UTC) - 3 * DAY
    oracle = set[datetime]().union(*(opened(zone, each, first, 6) for each in drawn))
    looked = [first + (1440 + n) * MINUTE for n in range(0, 3 * 1440, 7)]
    edges = [at + step for at in oracle for step in (-MINUTE, MINUTE) if at + step not in oracle]
    inside = [at for at in {*looked, *edges} if first + DAY <= at < first + 4 * DAY]
    assert {at for at in inside if at in oracle} == {at for at in inside if active.is_open(at)}
    ahead = sorted(oracle)
    for at in inside[::40]:
        opens = active.opens_at(at)
        after = next((each for each in ahead if each >= at), None)
        assert after is None or after == opens
        assert active.is_open(opens)
