"""How commands read days, times and durations. Times without a zone are UTC."""

import re
from datetime import UTC, date, datetime, timedelta

from fluence_watch.model.duration import parse_duration
from fluence_watch.model.text import inert

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_LONGEST = 40


def read_time(text: str) -> datetime:
    """Read a time, or a day: its beginning.

    Raises:
        ValueError: it is neither.
    """
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        what = f"{inert(text, _LONGEST)!r} is no time: write 2026-11-29 or 2026-11-29T18:00 (UTC)"
        raise ValueError(what) from None


def read_time_or_ago(text: str, now: datetime) -> datetime:
    """Read a time, or a duration: so long before now.

    Raises:
        ValueError: it is neither.
    """
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        return read_time(text)
    except ValueError as error:
        raise ValueError(f"{error}, or 2d: so long ago") from None


def read_day(text: str, now: datetime) -> date:
    """Read a day, or a duration: the day (UTC) so long before now.

    Raises:
        ValueError: it is neither.
    """
    try:
        if _ISO_DAY.fullmatch(text):
            return date.fromisoformat(text)
        return (now - parse_duration(text)).date()
    except (ValueError, OverflowError):
        what = f"{inert(text, _LONGEST)!r} is not a day: write a day such as 2026-11-29, or 7d: so long ago"
        raise ValueError(what) from None


def read_duration(text: str, most: timedelta) -> timedelta:
    """Read a duration above zero.

    Raises:
        ValueError: it is none, or longer than `most`.
    """
    found = parse_duration(text)
    if not timedelta(0) < found <= most:
        raise ValueError(f"write a duration longer than 0, up to {most.days}d")
    return found
