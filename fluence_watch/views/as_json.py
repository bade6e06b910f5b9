"""Views as JSON. The format of each kind of value is defined here."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal

from fluence_watch.model.funding import FOREVER

Json = None | bool | int | str | list["Json"] | dict[str, "Json"]


def as_json(value: object) -> Json:
    """The value as JSON types. Dataclasses become objects, recursively.

    Amounts are decimal strings (USDC).
    Times are RFC 3339 in UTC (`2026-04-17T14:47:00Z`) or `"forever"`. Days are ISO 8601
    (`2026-04-17`). Unknown values are null.

    Raises:
        TypeError: the value has an unsupported type.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return format(value, "f")
        case date():
            return _when(value)
        case Mapping():
            return {str(key): as_json(each) for key, each in value.items()}
        case Sequence():
            return [as_json(each) for each in value]
    if is_dataclass(value):
        return {name: as_json(each) for name, each in fields_of(value).items()}
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _when(moment: date) -> str:
    """A day, or a time, which is a kind of day."""
    return "forever" if moment == FOREVER else moment.isoformat().replace("+00:00", "Z")


def fields_of(view: object) -> dict[str, object]:
    """The fields of a view by name, unconverted."""
    assert is_dataclass(view)
    return {each.name: getattr(view, each.name) for each in fields(view)}
