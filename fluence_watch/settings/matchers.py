"""Lists of matchers in the settings: all of them must match."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

from fluence_watch.alerting.matchers import Matchers, parse_matchers


def read_matchers(texts: Iterable[str]) -> Matchers:
    """The matchers of these texts.

    Raises:
        ValueError: a text has none.
    """
    return tuple(matcher for text in texts for matcher in parse_matchers(text))


def _checked(text: str) -> str:
    parse_matchers(text)
    return text


MatchList = tuple[Annotated[str, AfterValidator(_checked)], ...]
"""Texts with matchers, each checked by itself."""
