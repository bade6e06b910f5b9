"""What two settings would tell otherwise. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fluence_watch.alerting.telling import Line
from fluence_watch.app.rehearsal.sent import Sent


class Change(StrEnum):
    """How they differ about an alert that is told."""

    ADDED = "added"
    GONE = "gone"
    MOVED = "moved"  # at another time
    REROUTED = "rerouted"  # to another receiver
    SEVERITY = "severity"  # at another severity


@dataclass(frozen=True, slots=True)
class Told:
    """An alert in a message, whose `message` has others as well perhaps."""

    line: Line
    message: Sent

    @property
    def at(self) -> datetime:
        """When it was told."""
        return self.message.at

    @property
    def receiver(self) -> str:
        """Who was told."""
        return self.message.receiver


@dataclass(frozen=True, slots=True)
class Difference:
    """What is told by the old settings and by the new ones, `None` where nothing is."""

    change: Change
    old: Told | None
    new: Told | None

    @property
    def at(self) -> datetime:
        """When the new settings tell it, or else the old ones."""
        told = self.new or self.old
        assert told
        return told.at


def differences(old: Iterable[Sent], new: Iterable[Sent]) -> list[Difference]:
    """What differs, in the order of time.

    Of what only one of them tells, pairs are made: of the same alert and receiver for the same reason at
    another time, of the same alert at the same time at another severity, and to another receiver.
    """
    found: list[Difference] = []
    olds, news = [*_told(old)], [*_told(new)]
    for change, key in _PAIRS:
        pairs, olds, news = _paired(olds, news, key)
        if change is not None:
            found += [Difference(change, before, after) for before, after in pairs]
    found += [Difference(Change.GONE, each, None) for each in olds]
    found += [Difference(Change.ADDED, None, each) for each in news]
    return sorted(found, key=lambda each: each.at)


def _told(messages: Iterable[Sent]) -> Iterator[Told]:
    return (Told(line, sent) for sent in messages for line in sent.lines)


def _alert(told: Told) -> tuple[object, ...]:
    return told.line.alert.fingerprint, told.line.reason


_Key = Callable[[Told], tuple[object, ...]]
_PAIRS: Sequence[tuple[Change | None, _Key]] = (
    (None, lambda each: (*_alert(each), each.receiver, each.at, each.line.alert.severity)),
    (Change.SEVERITY, lambda each: (*_alert(each), each.receiver, each.at)),
    (Change.REROUTED, lambda each: (*_alert(each), each.at)),
    (Change.MOVED, lambda each: (*_alert(each), each.receiver)),
)


def _paired(
    olds: Sequence[Told], news: Sequence[Told], key: _Key
) -> tuple[list[tuple[Told, Told]], list[Told], list[Told]]:
    """The pairs with the same key, in order, and what is left over of both."""
    waiting: defaultdict[tuple[object, ...], list[Told]] = defaultdict(list)
    for each in reversed(olds):
        waiting[key(each)].append(each)
    pairs: list[tuple[Told, Told]] = []
    left: list[Told] = []
    for each in news:
        same = waiting.get(key(each))
        if same:
            pairs.append((same.pop(), each))
        else:
            left.append(each)
    taken = {id(before) for before, _ in pairs}
    return pairs, [each for each in olds if id(each) not in taken], left
