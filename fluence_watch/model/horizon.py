"""Horizons: until when something holds, as long as what is listed stays the same. Pure.

`None` is for ever. A horizon may be too early, and is never too late: what holds until then may go on
to hold.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

Horizon = datetime | None

JUST_AFTER = timedelta(microseconds=1)
"""To be added where a moment itself still belongs to what was before."""


def next_of(now: datetime, moments: Iterable[datetime | None]) -> Horizon:
    """The first of the moments that are still to come."""
    return min((each for each in moments if each is not None and each > now), default=None)


def earliest(horizons: Iterable[Horizon]) -> Horizon:
    """The first of them."""
    return min((each for each in horizons if each is not None), default=None)


def expiry(at: datetime, lasts: timedelta) -> Sequence[Horizon]:
    """When something becomes valid, if the clock that wrote it ran ahead, and when it is not any more."""
    return shifted(at, JUST_AFTER - lasts), shifted(at, lasts)


def shifted(moment: datetime, by: timedelta) -> Horizon:
    """The moment so much later, for ever if there is no such time."""
    try:
        return moment + by
    except OverflowError:
        return None
