"""Times for display: in UTC, with the date unless it is today, and relative to now."""

from datetime import datetime, timedelta

from fluence_watch.model.duration import rough

_MINUTE = timedelta(minutes=1)


def clock(moment: datetime, now: datetime) -> str:
    """The time: `17:59 UTC`, or `2026-04-17 17:59 UTC` if it is not today."""
    return moment.strftime("%H:%M UTC" if moment.date() == now.date() else "%Y-%m-%d %H:%M UTC")


def distance(moment: datetime, now: datetime) -> str:
    """The time relative to now: `in 42 min`, `3 h 12 min ago`, `just now`."""
    ahead = moment - now
    if timedelta(0) >= ahead > -_MINUTE:
        return "just now"
    return f"in {rough(ahead)}" if ahead > timedelta(0) else f"{rough(ahead)} ago"
