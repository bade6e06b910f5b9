"""Checks on the record."""

from collections.abc import Iterator

from fluence_watch.settings.checks.doubt import Doubt, unused
from fluence_watch.settings.model import WatchSettings


def something_is_recorded(settings: WatchSettings) -> Iterator[Doubt]:
    """Bounds are those of a record."""
    if settings.record.dir is None:
        what = "without effect: nothing is recorded without dir"
        yield from unused("record", settings.record, what)
