"""How commands read days, times and durations."""

from datetime import UTC, date, datetime, timedelta

import pytest

from fluence_watch.cli.common.times import read_day, read_duration, read_time, read_time_or_ago

NOW = datetime(2026, 11, 29, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-29", datetime(2026, 11, 29, tzinfo=UTC)),
        (" 2026-11-29T18:00", datetime(2026, 11, 29, 18, tzinfo=UTC)),
        ("2026-11-29T18:00+02:00", datetime(2026, 11, 29, 16, tzinfo=UTC)),
        ("2d", NOW - timedelta(days=2)),
    ],
)
def test_a_time_or_how_long_ago_it_is(text: str, time: datetime) -> None:
    """Times without a zone are UTC."""
    assert time == read_time_or_ago(text, NOW)


@pytest.mark.parametrize(
    "text", ["soon", "", "2026-13-01", "0001-01-01T00:00+02:00", "9999999d", "2"]
)
def test_no_time(text: str) -> None:
    """It says what to write."""
    with pytest.raises(
        ValueError, match=r"is no time: write 2026-11-29 or 2026-11-29T18:00 \(UTC\), or 2d"
    ):
        read_time_or_ago(text, NOW)
    with pytest.raises(ValueError, match="is no time"):
        read_time(text)


def test_a_day() -> None:
    """Or the day so long ago."""
    assert date(2026, 11, 28) == read_day("2026-11-28", NOW)
    assert date(2026, 11, 28) == read_day("19h", NOW)
    for text in ("20261128", "2026-11-31", "soon", "9999999d"):
        with pytest.raises(ValueError, match="is not a day: write a day such as"):
            read_day(text, NOW)


def test_a_duration() -> None:
    """Above zero, within a bound."""
    assert timedelta(hours=2) == read_duration("2h", timedelta(days=3))
    for text in ("0s", "4d"):
        with pytest.raises(ValueError, match="write a duration longer than 0, up to 3d"):
            read_duration(text, timedelta(days=3))
