"""What the ledger has already of the entries of a poll. Pure.

A thing that was forgotten is first seen once more, and a total that falls for a moment rises again:
neither is a new charge.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc

OF_A_DAY = frozenset({EntryKind.CHARGE, EntryKind.ADJUSTMENT})
"""What a day costs."""

OF_THE_TOTAL = OF_A_DAY | {EntryKind.OPENING}
"""What adds up to the total that the API tells."""

DIP_LASTS = timedelta(hours=1)
"""A total that is back within this time was told wrong; what comes later is a new charge."""


@dataclass(frozen=True, slots=True)
class Dip:
    """A total fell by an amount, at a time, and is not back yet."""

    depth: MicroUsdc
    at: datetime


def unbooked(first: Sequence[Entry], booked: MicroUsdc) -> Iterator[Entry]:
    """The entries of a thing that is first seen, without so much: its oldest are booked already.

    If less was spent than that, an adjustment takes the rest back.
    """
    yield from _without(first, booked)
    missing = booked - sum(each.amount for each in first)
    if missing > 0:
        last = first[-1]
        yield replace(
            last, kind=EntryKind.ADJUSTMENT, amount=MicroUsdc(-missing), at=last.seen_at,
            certainty=Certainty.SPREAD,
        )  # fmt: skip


def risen(entries: Sequence[Entry], dip: Dip) -> Iterator[Entry]:
    """The entries of a total that rises after a dip: what undoes the dip belongs to its time."""
    undone = min(dip.depth, sum(each.amount for each in entries))
    if undone <= 0:
        yield from entries
        return
    first = entries[0]
    yield replace(
        first, kind=EntryKind.ADJUSTMENT, amount=MicroUsdc(undone), at=dip.at,
        certainty=Certainty.SPREAD,
    )  # fmt: skip
    yield from _without(entries, undone)


def _without(entries: Iterable[Entry], amount: int) -> Iterator[Entry]:
    """The entries without the first so much of them. What is left of one is not exact."""
    for each in entries:
        cut = min(amount, each.amount)
        amount -= cut
        if not cut:
            yield each
        elif each.amount > cut:
            yield replace(each, amount=MicroUsdc(each.amount - cut), certainty=Certainty.SPREAD)
