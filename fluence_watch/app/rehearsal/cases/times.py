"""Times since the start of a test: `"90s"`, `"12h15m"`, `"1d 6h"`."""

import re
from datetime import timedelta

from fluence_watch.model.duration import parse_duration, short

_PART = re.compile(r"[\d.]+\s*[a-z]+")
_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


def parse_moment(text: str) -> timedelta:
    """Read one duration, or several that follow each other.

    Raises:
        ValueError: the text is neither.
    """
    parts = _PART.findall(text)
    if len(parts) < 2 or _PART.sub("", text).strip():  # noqa: PLR2004 - several
        return parse_duration(text)
    return sum(map(parse_duration, parts), timedelta(0))


def written(moment: timedelta) -> str:
    """The time in the form that `parse_moment` reads: `12h15m`."""
    text, left = "", moment
    for unit, length in _UNITS.items():
        number, left = divmod(left, length)
        text += f"{number}{unit}" if number else ""
    return text + (short(left) if left or not text else "")
