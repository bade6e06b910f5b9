"""Lists of matchers in the settings: all of them must match."""

from typing import Annotated

from pydantic import AfterValidator

from fluence_watch.alerting.matchers import parse_matchers


def _checked(text: str) -> str:
    parse_matchers(text)
    return text


MatchList = tuple[Annotated[str, AfterValidator(_checked)], ...]
"""Texts with matchers, each checked by itself."""
