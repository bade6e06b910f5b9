"""Durations with bounds."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from fluence_watch.rules.base import Duration


def _positive(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be above zero")
    return value


PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
