"""Times for display: in UTC, with the date unless it is today, and relative to now.

Seconds are shown where less than `BRIEF` lies between.
"""

from datetime import datetime, timedelta

from fluence_watch.model.duration import BRIEF, rough

_JUST_NOW = timedelta(seconds=1)


def clock(moment: datetime, now: datetime) -> str:
    """The time: `17:59 UTC`, or `2026-04-17 17:59 UTC` if it is not today."""
    return f"{_written(moment, now, exact=False)} UTC"


def exact(moment: datetime, now: datetime) -> str:
    """The same, with seconds if it is near: `17:59:12 UTC`."""
    return f"{_written(moment, now, exact=abs(moment - now) < BRIEF)} UTC"


def to_the_second(moment: datetime, now: datetime) -> str:
    """The time, always with seconds: `2026-04-17 17:59:12 UTC`."""
    return f"{_written(moment, now, exact=True)} UTC"


def span(first: datetime, last: datetime, now: datetime) -> str:
    """From one time to another: `15:02 to 16:17 UTC`, `16:17:02 to 16:17:07 UTC`."""
    brief = abs(last - first) < BRIEF
    return f"{_written(first, now, exact=brief)} to {_written(last, now, exact=brief)} UTC"


def _written(moment: datetime, now: datetime, *, exact: bool) -> str:
    date = "" if moment.date() == now.date() else "%Y-%m-%d "
    return moment.strftime(f"{date}%H:%M:%S" if exact else f"{date}%H:%M")


def distance(moment: datetime, now: datetime) -> str:
    """The time relative to now: `in 42 min`, `3 h 12 min ago`, `12 s ago`, `just now`."""
    ahead = moment - now
    if timedelta(0) >= ahead > -_JUST_NOW:
        return "just now"
    return f"in {rough(ahead)}" if ahead > timedelta(0) else f"{rough(ahead)} ago"
