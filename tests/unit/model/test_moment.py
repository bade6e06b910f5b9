from datetime import datetime, timedelta

import pytest

from fluence_watch.model.moment import clock, distance, exact, span

NOW = datetime.fromisoformat("2025-06-01T17:17:00+00:00")


@pytest.mark.parametrize(
    ("ahead", "time", "away"),
    [
        (timedelta(0), "17:17:00 UTC", "just now"),
        (timedelta(seconds=-0.9), "17:16:59 UTC", "just now"),
        (timedelta(seconds=-12), "17:16:48 UTC", "12 s ago"),
        (timedelta(seconds=299), "17:21:59 UTC", "in 4 min 59 s"),
        (timedelta(minutes=5), "17:22 UTC", "in 5 min"),
        (timedelta(minutes=-5, seconds=-30), "17:11 UTC", "5 min ago"),
        (timedelta(minutes=-90), "15:47 UTC", "1 h 30 min ago"),
        (timedelta(minutes=42), "17:59 UTC", "in 42 min"),
        (timedelta(days=2, hours=1), "2025-06-03 18:17 UTC", "in 2 d 1 h"),
    ],
)
def test_times(ahead: timedelta, time: str, away: str) -> None:
    """The date is there when it is not today's, and seconds when it is near."""
    assert clock(NOW + ahead, NOW).removesuffix(" UTC") in time
    assert (time, away) == (exact(NOW + ahead, NOW), distance(NOW + ahead, NOW))


@pytest.mark.parametrize(
    ("begin", "end", "text"),
    [
        (timedelta(seconds=-7), timedelta(seconds=-2), "17:16:53 to 17:16:58 UTC"),
        (timedelta(minutes=-5), timedelta(0), "17:12 to 17:17 UTC"),
        (timedelta(hours=-9), timedelta(hours=-9, seconds=5), "08:17:00 to 08:17:05 UTC"),
        (timedelta(days=-1), timedelta(0), "2025-05-31 17:17 to 17:17 UTC"),
    ],
)
def test_from_one_time_to_another(begin: timedelta, end: timedelta, text: str) -> None:
    """Seconds are there when both would be the same without, however long ago."""
    assert text == span(NOW + begin, NOW + end, NOW)
