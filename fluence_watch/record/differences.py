"""What differs between two values, as JSON has it, and back. Pure."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

Difference = Mapping[str, Any]
"""The fields of a dataclass that differ, with their new values."""

_NOTHING = object()
_YEARS = range(2, 9999)  # there is time before and after them, in every zone


def difference(before: T | None, after: T) -> Difference:
    """What differs between two values of a dataclass; everything, if there is none before."""
    names = [each.name for each in fields(after)]  # type: ignore[arg-type] # a dataclass
    return {
        name: msgspec.to_builtins(value)
        for name in names
        if (value := getattr(after, name)) is not getattr(before, name, _NOTHING)
        and (before is None or value != getattr(before, name))
    }


def applied(before: T | None, changed: Difference, kind: type[T]) -> T:
    """The value after the difference.

    Raises:
        ValueError: it is not one of such a value.
    """
    plain = {} if before is None else msgspec.to_builtins(before)
    value = msgspec.convert({**plain, **changed}, kind)
    for name in changed:
        _check_time(name, getattr(value, name, None))
    return value


def _check_time(name: str, value: object) -> None:
    if isinstance(value, datetime) and (value.tzinfo is None or value.year not in _YEARS):
        raise ValueError(f"{name} {value} is not usable as a time")


def differences(before: Mapping[str, T], after: Mapping[str, T]) -> Mapping[str, Difference | None]:
    """What differs, by key; `None` where it is gone."""
    moved = {
        key: difference(before.get(key), value)
        for key, value in after.items()
        if (was := before.get(key)) is not value and was != value
    }
    return moved | dict.fromkeys(before.keys() - after.keys())


def all_applied(
    before: Mapping[str, T], changed: Mapping[str, Difference | None], kind: type[T]
) -> Mapping[str, T]:
    """The values after the differences; the same object if there are none.

    Raises:
        ValueError: they are not of such values.
    """
    if not changed:
        return before
    after = dict(before)
    for key, each in changed.items():
        if each is None:
            after.pop(key, None)
        else:
            after[key] = applied(after.get(key), each, kind)
    return after
