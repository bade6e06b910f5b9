from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fluence_watch.model.duration import parse_duration, rough, short

durations = st.timedeltas(min_value=timedelta(0))
lookalikes = st.text(st.sampled_from("0123456789.smhd -e٣"), max_size=30)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("4h", timedelta(hours=4)),
        ("2d", timedelta(days=2)),
        ("500ms", timedelta(milliseconds=500)),
        ("0s", timedelta(0)),
        ("1.5h", timedelta(minutes=90)),
        (" 10 s ", timedelta(seconds=10)),
        ("999999999d", timedelta(days=999_999_999)),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    """A number and a unit, as in the configuration."""
    assert duration == parse_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "90",
        "s",
        "-5s",
        "+5s",
        "1e3s",
        "5 w",
        "1h30m",
        "5S",
        "٣s",
        ".5s",
        "1000000000d",
        "inf s",
    ],
)
def test_texts_that_are_no_duration(text: str) -> None:
    """Without a unit, with a sign or with two units it is no duration."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@given(durations)
@example(timedelta(hours=1, milliseconds=500))
@example(timedelta.max)
def test_short_text_is_read_back(duration: timedelta) -> None:
    """What `short` writes is the duration to the microsecond."""
    assert duration == parse_duration(short(duration))


@given(lookalikes | st.text(max_size=40))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    """Hostile text raises ValueError and nothing else; a duration is never negative."""
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert timedelta(0) <= duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (60, "60s"),
        (90, "90s"),
        (900, "15m"),
        (3_600, "1h"),
        (86_400, "24h"),
        (90_000, "25h"),
        (172_800, "2d"),
        (3_600.5, "3600500ms"),
    ],
)
def test_short_text_is_what_people_write(seconds: float, text: str) -> None:
    """A day is `24h`, a minute `60s`; from two of them on the larger unit is used."""
    assert text == short(timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(seconds=72), "1 min 12 s"),
        (timedelta(minutes=4, seconds=59.9), "4 min 59 s"),
        (timedelta(minutes=5, seconds=1), "5 min"),
        (timedelta(minutes=42, seconds=30), "42 min"),
        (timedelta(hours=3, minutes=12), "3 h 12 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=2, hours=4, minutes=59), "2 d 4 h"),
        (timedelta(days=2, minutes=59), "2 d"),
        (timedelta(minutes=-42), "42 min"),
    ],
)
def test_rough_text(duration: timedelta, text: str) -> None:
    """People read the two largest units, and nothing that is zero; seconds are for what is brief."""
    assert text == rough(duration)
