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
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
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
