"""Lists of matchers in the settings: all of them must match."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fluence_watch.alerting.matchers import parse_matchers, read_matchers


def _checked(text: str) -> str:
    parse_matchers(text)
    return text


def _few(texts: tuple[str, ...]) -> tuple[str, ...]:
    read_matchers(texts)
    return texts


MatchList = Annotated[
    tuple[Annotated[str, AfterValidator(_checked)], ...],
    AfterValidator(_few),
    Field(examples=[["rule=low_balance"]]),
]
"""Texts with matchers, each checked by itself; all of them are not too many."""
