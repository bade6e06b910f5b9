from datetime import datetime, timedelta

import pytest

from fluence_watch.model.moment import clock, distance

NOW = datetime.fromisoformat("2025-06-01T17:17:00+00:00")


@pytest.mark.parametrize(
    ("ahead", "time", "away"),
    [
        (timedelta(0), "17:17 UTC", "just now"),
        (timedelta(seconds=-59), "17:16 UTC", "just now"),
        (timedelta(minutes=-90), "15:47 UTC", "1 h 30 min ago"),
        (timedelta(minutes=42), "17:59 UTC", "in 42 min"),
        (timedelta(days=2, hours=1), "2025-06-03 18:17 UTC", "in 2 d 1 h"),
    ],
)
def test_times(ahead: timedelta, time: str, away: str) -> None:
    """The date is there when it is not today's."""
    assert (time, away) == (clock(NOW + ahead, NOW), distance(NOW + ahead, NOW))
