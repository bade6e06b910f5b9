import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.text import inert


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("web-1", "web-1"),
        ("Zürich 東京", "Zürich 東京"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("two\r\nlines\tand\u2028more", "two lines and more"),
        ("abc\u202ecba", "abccba"),
        ("  wide   open ", "wide open"),
        ("x" * 201, "x" * 199 + "…"),
        ("é" * 10_000, "é" * 199 + "…"),
        ("", ""),
    ],
)
def test_text_made_harmless(text: str, harmless: str) -> None:
    """Control and direction-changing characters go, white space is folded, length is bounded."""
    assert harmless == inert(text)


@given(st.text(max_size=300), st.integers(1, 50))
def test_no_text_does_harm(text: str, limit: int) -> None:
    """Whatever comes in, one short printable line comes out, and it stays as it is."""
    result = inert(text, limit)
    assert len(result) <= limit
    assert not any(unicodedata.category(each).startswith("C") for each in result)
    assert result == " ".join(result.split())
    assert result == inert(result, limit)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mRED\x1b[0m", "RED"),
        ("\x1b[1;38;5;196mweb\x1b[m-1", "web-1"),
        ("\x1b]0;title\x07web", "web"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bcweb", "cweb"),
        ("\x1b[", "["),
        ("[31mRED", "[31mRED"),
    ],
)
def test_escape_sequences_go_as_a_whole(text: str, shown: str) -> None:
    """A terminal would act upon them; their remnants would only puzzle."""
    assert shown == inert(text)
