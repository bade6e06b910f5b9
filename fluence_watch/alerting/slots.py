"""When a digest is due: the slots of a schedule, and what became of the last one. Pure.

- A slot is sent once. It is stored as begun before it is sent, and as sent after.
- What passed while nobody looked is sent late: the latest slot alone, and only within `catch_up`.
- A clock that is set back repeats nothing: a slot that is not after the stored one is dealt with.

Schedules are those of Debian's cron. A job at a fixed hour runs once, also if clocks skip the hour or
repeat it; a job of every hour runs by hours that really pass.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from fluence_watch.alerting.active import zone_named
from fluence_watch.model.digest import Period

FAR = timedelta(days=31)
"""A slot that is further ahead was stored while the clock was wrong."""

_SPANS = (timedelta(hours=2), timedelta(days=2), timedelta(days=40), timedelta(days=400))
_LEAP_YEARS = timedelta(days=366 * 9)
_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
_FORM = 'minute, hour, day of month, month and day of week, such as "0 8 * * 1-5"'
_START = datetime(2000, 1, 1, tzinfo=UTC)
_ONE_WORD = 200
_ALIKE = 0.8
_ANY_ZONE = ": write a name such as Europe/Paris"


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule in a time zone. Both are valid: see `check_schedule` and `check_zone`."""

    schedule: str
    timezone: str = "UTC"

    def following(self, moment: datetime) -> datetime | None:
        """The first slot after the moment, in UTC."""
        return next(self._after(moment), None)

    def slots(self) -> Iterator[datetime]:
        """Its slots from some year on, in UTC."""
        return self._after(_START)

    def latest(self, moment: datetime) -> datetime | None:
        """The last slot that is not after the moment, in UTC; `None` if there was none in years."""
        for span in (*_SPANS, _LEAP_YEARS):
            found = deque(self._between(moment - span, moment), maxlen=1)
            if found:
                return found[0]
        return None

    def _between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        for slot in self._after(first):
            if slot > last:
                return
            yield slot

    def _after(self, moment: datetime) -> Iterator[datetime]:
        for local in CronSim(self.schedule, moment.astimezone(zone_named(self.timezone))):
            # in an hour that comes twice, the library begins again with the first of the two
            if (slot := local.astimezone(UTC)) > moment:
                yield slot


def period_of(cron: Cron, slot: datetime) -> Period:
    """The days from that of the slot before up to the day before this one, at least that day."""
    previous = cron.latest(slot - _TICK)
    last = slot.astimezone(UTC).date() - _DAY
    return Period(min(previous.date(), last) if previous else last, last)


@dataclass(frozen=True, slots=True)
class Progress:
    """The last slot of a digest that was begun, and whether it is dealt with: sent or skipped."""

    slot: datetime
    is_sent: bool


class Step(Enum):
    """What to do with a slot. `START_OVER`: what is stored is from a clock that was wrong."""

    SEND = auto()
    SKIP = auto()
    START_OVER = auto()


class Due(NamedTuple):
    """The slot to deal with now, and how."""

    slot: datetime
    step: Step


def due(cron: Cron, progress: Progress, now: datetime, catch_up: timedelta) -> Due | None:
    """What is due now; `None` if nothing is."""
    if progress.slot - now > FAR:
        return Due(now, Step.START_OVER)
    latest = cron.latest(now)
    if latest is not None and latest > progress.slot:
        slot = latest
    elif progress.is_sent:
        return None
    else:
        slot = progress.slot
    return Due(slot, Step.SKIP if now - slot > catch_up else Step.SEND)


def check_schedule(text: str) -> None:
    """Raise `ValueError` with what is wrong with a schedule."""
    fields = text[:_ONE_WORD].split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"write five fields: {_FORM}")
    for name, field in zip(_FIELDS, fields, strict=True):
        alone = ["*" if each != name else field for each in _FIELDS]
        if not _is_valid(" ".join(alone)):
            raise ValueError(f"the {name} {field!r} is wrong: write {_FORM}")
    if not _is_valid(" ".join(fields)):
        raise ValueError("never comes: there is no such day in these months")


def _is_valid(schedule: str) -> bool:
    try:
        return next(CronSim(schedule, _START), None) is not None
    except (CronSimError, ValueError, AssertionError):  # the library asserts some of its syntax
        return False


def check_zone(name: str) -> None:
    """Raise `ValueError`, with the nearest name, if there is no such time zone."""
    try:
        zone_named(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r:.80} is no time zone{_hint(name)}") from None


def _hint(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it
    from zoneinfo import available_timezones  # noqa: PLC0415 - it reads many files

    known = sorted(available_timezones())
    if not known:
        return ": this system has no database of them (tzdata)"
    # of cities alone: an abbreviation such as EST has no summer time
    zones = {each.lower(): each for each in known if "/" in each and not each.startswith("Etc/")}
    cities = {each.rpartition("/")[2]: zone for each, zone in zones.items()}
    wanted = name[:_ONE_WORD].lower().replace(" ", "_")
    for where in (zones, cities):
        if close := get_close_matches(wanted, where, n=1, cutoff=_ALIKE):
            return f"; did you mean {where[close[0]]!r}?"
    return _ANY_ZONE
