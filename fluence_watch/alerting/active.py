"""When a receiver may be notified: windows of days and hours in a time zone. Pure.

- A window that passes midnight belongs to the day on which it begins.
- A begin or an end that clocks skip is at the first moment after the skipped time.
- Where clocks are turned back a window stays one: from the first moment at which they show its
  begin to the last one before they show its end.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)", re.ASCII)
_FORM = 'write days and hours, such as "Mon-Fri 08:00-18:00", "Sat 10:00-14:00" or "22:00-06:00"'
_HOUR = 60
_DAY = 24 * _HOUR
_AHEAD = 22
"""Days to look for the next window: three weeks, in case clocks skip a whole one."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week, in minutes after midnight. Monday is 0.

    An `end` of more than 24 hours is on the day after.
    """

    days: frozenset[int]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class ActiveTimes:
    """At least one window, in a time zone that exists."""

    windows: tuple[Window, ...]
    timezone: str = "UTC"

    def is_open(self, at: datetime) -> bool:
        """Whether a window is open."""
        day = self._day(at)
        days = (day + timedelta(days=each) for each in (-1, 0, 1))
        return any(begin <= at < end for each in days for begin, end in self._spans(each))

    def opens_at(self, at: datetime) -> datetime:
        """The first moment, from then on, at which a window is open; in UTC unless it is `at`."""
        if self.is_open(at):
            return at
        day = self._day(at)
        for ahead in range(_AHEAD):
            spans = self._spans(day + timedelta(days=ahead))
            begins = [begin for begin, end in spans if at < begin < end]
            if begins:
                return min(begins)
        raise AssertionError("a window opens in each week")

    def _day(self, at: datetime) -> date:
        return at.astimezone(zone_named(self.timezone)).date()

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The begins and ends of the windows that begin on this day."""
        for window in self.windows:
            if day.weekday() in window.days:
                yield _span(window, self.timezone, day)


def parse_windows(text: str) -> tuple[Window, ...]:
    """The windows in a text, separated by commas.

    Raises:
        ValueError: it has none, or one that is wrong.
    """
    return tuple(_window(part.strip()) for part in text.split(","))


def _window(text: str) -> Window:
    days, _, hours = text.rpartition(" ")
    found = _HOURS.fullmatch(hours)
    if found is None:
        raise ValueError(f"{text!r:.60} has no hours: {_FORM}")
    begin, end = _minutes(*found.groups()[:2]), _minutes(*found.groups()[2:])
    if begin in {end, _DAY}:
        raise ValueError(f"{hours!r} has no begin or no length: a whole day is 00:00-24:00")
    return Window(_days(days.strip()), begin, end if end > begin else end + _DAY)


def _minutes(hour: str, minute: str) -> int:
    found = int(hour) * _HOUR + int(minute)
    if int(minute) >= _HOUR or found > _DAY:
        raise ValueError(f"'{hour}:{minute}' is no time of day: {_FORM}")
    return found


def _days(text: str) -> frozenset[int]:
    """The days of `Mon`, `Mon-Fri`, or of nothing: all. `Fri-Mon` passes the end of the week."""
    if not text:
        return frozenset(range(7))
    first, _, last = text.partition("-")
    begin, end = _weekday(first), _weekday(last or first)
    return frozenset((begin + each) % 7 for each in range((end - begin) % 7 + 1))


def _weekday(text: str) -> int:
    name = text.strip().title()
    if name not in _DAYS:
        raise ValueError(f"{text.strip()!r:.40} is no day: write {', '.join(_DAYS)}")
    return _DAYS.index(name)


@lru_cache(maxsize=256)
def _span(window: Window, timezone: str, day: date) -> tuple[datetime, datetime]:
    """The first moment of the window that begins on that day, and the first one after it."""
    midnight, zone = datetime.combine(day, time()), zone_named(timezone)
    begin = _moment(midnight + timedelta(minutes=window.begin), zone)
    return begin, _moment(midnight + timedelta(minutes=window.end), zone, last=True)


def zone_named(name: str) -> tzinfo:
    """The time zone. UTC needs no database of them."""
    return UTC if name == "UTC" else ZoneInfo(name)


def _moment(shown: datetime, zone: tzinfo, *, last: bool = False) -> datetime:
    """When clocks show this time: of two moments the first, or the last one.

    What is turned back to, `last` takes the first too: before the second it was never earlier.
    """
    both = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    early, late = sorted(both)
    if early == late:
        return early
    if _shown(early, zone) != shown:
        return _jump(early, late, zone)
    is_turn = _shown(late - timedelta(microseconds=1), zone) >= shown
    return late if last and not is_turn else early


def _shown(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _jump(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The second between the two at which clocks are put forward."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
