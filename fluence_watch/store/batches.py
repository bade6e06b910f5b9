"""Many values in a statement: no database takes any number of them."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 500
"""How many values a statement names at most."""


def batches(values: Collection[T]) -> Iterator[Sequence[T]]:
    """The values, so many at once."""
    left = iter(values)
    while some := list(islice(left, AT_ONCE)):
        yield some
