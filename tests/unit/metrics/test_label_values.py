import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import parse_labels

from fluence_watch.metrics.labels import MAX_LENGTH, identity, label_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("web-1", "web-1"),
        ("two  words", "two  words"),
        ('say "hi"', r"say \"hi\""),
        ("back\\slash", r"back\\slash"),
        ("two\nlines", "two lines"),
        ("\x1b[31mred\x00", "red"),
        ("exe.\u202egnp", "exe.gnp"),
        ("half \ud800 a pair", "half a pair"),
        ("日本語", "日本語"),
    ],
)
def test_a_value_is_one_line_of_printable_text(text: str, value: str) -> None:
    """Quotes and backslashes are escaped, control codes dropped, other scripts kept."""
    assert value == label_value(text)


def test_a_long_value_is_cut() -> None:
    """A name of a thousand characters does not make every line of the page as long."""
    assert MAX_LENGTH == len(label_value("x" * 1000))
    assert MAX_LENGTH == len(identity("x" * 1000))


def test_ids_that_look_the_same_when_cleaned_stay_apart() -> None:
    """Two VMs never come out with the same labels, which would cost the whole page."""
    ids = ["0xa1", "0xa1\x00", "0xa1\u200b", "x" * 300, "x" * 301]

    assert len(ids) == len({identity(text) for text in ids})


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=400))
def test_any_text_can_be_encoded_and_parsed(text: str) -> None:
    """Whatever the API sends, lone surrogates too, the line stays valid."""
    for value in (label_value(text), identity(text)):
        line = f'name="{value}"'.encode().decode()

        assert {"name"} == set(parse_labels(line))
        assert "\n" not in line
