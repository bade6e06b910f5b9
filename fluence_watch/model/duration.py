"""Durations as people write them: `"90s"`, `"15m"`, `"4h"`, `"2d"`."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

BRIEF = timedelta(minutes=5)
"""Where less time than this lies between two moments, seconds are shown."""

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SHORTEST = {"d": 172_800, "h": 3_600, "m": 120, "s": 0}
_ROUGH = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_TICK = timedelta(microseconds=1)
_TICKS = {"ms": 1_000} | {unit: seconds * 1_000_000 for unit, seconds in _UNITS.items()}
_DURATION = re.compile(r"(\d{1,18}(?:\.\d{1,6})?)\s*(ms|[smhd])", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Read `"90s"`, `"15m"`, `"4h"`, `"2d"` or `"500ms"`.

    Raises:
        ValueError: the text is not a duration. A number without a unit is not accepted.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{text!r:.40} is not a duration: write "90s", "15m", "4h" or "2d"')
    number, unit = match.groups()
    try:
        return timedelta(microseconds=round(Decimal(number) * _TICKS[unit]))
    except OverflowError:
        raise ValueError(f"{text!r:.40} is too long a duration") from None


def by_day(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The parts of a span of time, each within a day (UTC)."""
    start = since.astimezone(UTC)
    while start < until:
        midnight = datetime.combine(start.date() + timedelta(days=1), time(), UTC)
        end = min(midnight, until)
        yield start, end
        start = end


def hour_of(at: datetime) -> datetime:
    """The beginning of its hour."""
    return part_of_hour(at, 60)


def part_of_hour(at: datetime, minutes: int) -> datetime:
    """The beginning of its part of the hour; each is so many minutes long."""
    return at.replace(minute=at.minute // minutes * minutes, second=0, microsecond=0)


def short(duration: timedelta) -> str:
    """The duration in the form that `parse_duration` reads: `90s`, `15m`, `24h`, `2d`."""
    if duration.microseconds:
        return f"{(Decimal(duration // _TICK) / 1_000).normalize():f}ms"
    seconds = int(duration.total_seconds())
    fits = (u for u, n in _UNITS.items() if seconds % n == 0 and seconds >= _SHORTEST[u])
    unit = next(fits, "s")
    return f"{seconds // _UNITS[unit]}{unit}"


def rough(duration: timedelta) -> str:
    """The duration for display, in its two largest units: `3 h 12 min`, `42 min`, `1 min 12 s`.

    Seconds are left out unless it is shorter than `BRIEF`.
    """
    seconds = int(abs(duration).total_seconds())
    units = _ROUGH if seconds < BRIEF.total_seconds() else _ROUGH[:-1]
    parts = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        parts.append((count, name))
    first = next((i for i, (count, _) in enumerate(parts) if count), 0)
    return " ".join(f"{count} {name}" for count, name in parts[first : first + 2] if count) or "0 s"
