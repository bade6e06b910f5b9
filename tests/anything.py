"""Any value of a type of the model, for laws."""

import types
from dataclasses import is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

WORST = "\0 \\u0000 \\ \ud83d\ude00 \udfff \"' \u202e \x1b[31m <!channel> %s :of_key é😀"

any_text = st.text(st.characters(exclude_categories=()), max_size=20) | st.just(WORST)
any_moment = st.datetimes(timezones=st.just(UTC))
PLAIN = {
    str: any_text,
    int: st.integers(),
    bool: st.booleans(),
    datetime: any_moment,
    date: st.dates(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False),
}


def anything(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - an annotation is of no one type
    """Any value of an annotated type, nested as deep as it is."""
    kind = getattr(kind, "__supertype__", kind)  # a NewType
    arguments = get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if kind is type(None):
        return st.none()
    if get_origin(kind) in {Union, types.UnionType}:
        return st.one_of([anything(of) for of in arguments])
    if get_origin(kind) is tuple:
        return st.lists(anything(arguments[0]), max_size=3).map(tuple)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    assert is_dataclass(kind) or issubclass(kind, tuple), kind
    return st.builds(kind, **{name: anything(of) for name, of in get_type_hints(kind).items()})
