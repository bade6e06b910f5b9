"""Which notifications two settings would send differently. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fluence_watch.alerting.telling import Line
from fluence_watch.app.rehearsal.sent import Sent


class Kind(StrEnum):
    """How they differ about a notification of an alert."""

    ADDED = "added"
    GONE = "gone"
    MOVED = "moved"  # at another time
    REROUTED = "rerouted"  # to another receiver
    SEVERITY = "severity"  # at another severity


@dataclass(frozen=True, slots=True)
class SentAlert:
    """An alert in a message, which may have others as well."""

    line: Line
    message: Sent

    @property
    def at(self) -> datetime:
        """When it was sent."""
        return self.message.at

    @property
    def receiver(self) -> str:
        """Who was notified."""
        return self.message.receiver


@dataclass(frozen=True, slots=True)
class MessageDifference:
    """What is sent by the old settings and by the new ones, `None` where nothing is."""

    kind: Kind
    old: SentAlert | None
    new: SentAlert | None

    @property
    def at(self) -> datetime:
        """When the new settings send it, or else the old ones."""
        sent = self.new or self.old
        assert sent
        return sent.at


def differences(old: Iterable[Sent], new: Iterable[Sent]) -> list[MessageDifference]:
    """What differs, in the order of time.

    Of what only one of them sends, pairs are made: of the same alert and receiver for the same reason at
    another time, of the same alert at the same time at another severity, and to another receiver.
    """
    found: list[MessageDifference] = []
    olds, news = [*_sent(old)], [*_sent(new)]
    for kind, key in _PAIRS:
        pairs, olds, news = _paired(olds, news, key)
        if kind is not None:
            found += [MessageDifference(kind, before, after) for before, after in pairs]
    found += [MessageDifference(Kind.GONE, each, None) for each in olds]
    found += [MessageDifference(Kind.ADDED, None, each) for each in news]
    return sorted(found, key=lambda each: each.at)


def _sent(messages: Iterable[Sent]) -> Iterator[SentAlert]:
    return (SentAlert(line, sent) for sent in messages for line in sent.lines)


def _alert(sent: SentAlert) -> tuple[object, ...]:
    return sent.line.alert.fingerprint, sent.line.reason


_Key = Callable[[SentAlert], tuple[object, ...]]
_PAIRS: Sequence[tuple[Kind | None, _Key]] = (
    (None, lambda each: (*_alert(each), each.receiver, each.at, each.line.alert.severity)),
    (Kind.SEVERITY, lambda each: (*_alert(each), each.receiver, each.at)),
    (Kind.REROUTED, lambda each: (*_alert(each), each.at)),
    (Kind.MOVED, lambda each: (*_alert(each), each.receiver)),
)


def _paired(
    olds: Sequence[SentAlert], news: Sequence[SentAlert], key: _Key
) -> tuple[list[tuple[SentAlert, SentAlert]], list[SentAlert], list[SentAlert]]:
    """The pairs with the same key, in order, and what is left over of both."""
    waiting: defaultdict[tuple[object, ...], list[SentAlert]] = defaultdict(list)
    for each in reversed(olds):
        waiting[key(each)].append(each)
    pairs: list[tuple[SentAlert, SentAlert]] = []
    left: list[SentAlert] = []
    for each in news:
        same = waiting.get(key(each))
        if same:
            pairs.append((same.pop(), each))
        else:
            left.append(each)
    taken = {id(before) for before, _ in pairs}
    return pairs, [each for each in olds if id(each) not in taken], left
