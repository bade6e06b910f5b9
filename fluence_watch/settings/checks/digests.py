"""Checks on digests."""

from collections.abc import Iterator

from fluence_watch.settings.checks.doubt import Doubt, error, hint, repeated
from fluence_watch.settings.model import WatchSettings


def receivers_exist(settings: WatchSettings) -> Iterator[Doubt]:
    """Each digest goes to a receiver of the settings."""
    known = [receiver.name for receiver in settings.receivers]
    for number, digest in enumerate(settings.digests):
        if digest.receiver not in known:
            meant = hint(digest.receiver, known, "there are no [[receivers]]")
            what = f"there is no receiver {digest.receiver!r}; {meant}"
            yield error(what, ("digests", number, "receiver"), ("receivers",))


def digests_differ(settings: WatchSettings) -> Iterator[Doubt]:
    """No receiver gets the same digest twice."""
    for number, before in repeated(digest.key for digest in settings.digests):
        what = f"the same receiver, schedule and timezone as digests[{before}]"
        yield error(what, ("digests", number, "schedule"), ("digests", number, "receiver"))
