"""Which notifications two settings would send differently. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.app.rehearsal.sent import Sent


class Kind(StrEnum):
    """How they differ about a notification of an alert."""

    ADDED = "added"
    GONE = "gone"
    MOVED = "moved"  # at another time
    REROUTED = "rerouted"  # to a receiver that only one of them has
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

    @property
    def is_repetition(self) -> bool:
        """Whether the receiver was notified of the same before."""
        return self.line.reason is Reason.REPEAT


@dataclass(frozen=True, slots=True)
class MessageDifference:
    """What is sent by the old settings and by the new ones, `None` where nothing is."""

    kind: Kind
    old: SentAlert | None
    new: SentAlert | None

    @property
    def sent(self) -> SentAlert:
        """What the new settings send, or else the old ones."""
        sent = self.new or self.old
        assert sent
        return sent

    @property
    def at(self) -> datetime:
        """When it is sent."""
        return self.sent.at

    @property
    def severity_differs(self) -> bool:
        """Whether both send it, at two severities."""
        given = {each.line.alert.severity for each in (self.old, self.new) if each}
        return len(given) > 1


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often both repeat an alert to a receiver, of which `sent` is one notification."""

    sent: SentAlert
    old: int
    new: int


def repeats(old: Iterable[Sent], new: Iterable[Sent]) -> list[Repeats]:
    """The alerts and receivers that the two repeat not equally often, by their first repetition."""
    olds, news = _repetitions(old), _repetitions(new)
    before, now = (Counter(map(_repeated, each)) for each in (olds, news))
    first = {_repeated(each): each for each in sorted(olds + news, key=_at, reverse=True)}
    found = [
        Repeats(sent, before[key], now[key])
        for key, sent in first.items()
        if before[key] != now[key]
    ]
    return sorted(found, key=lambda each: each.sent.at)


def _repetitions(messages: Iterable[Sent]) -> list[SentAlert]:
    return [each for each in _sent(messages) if each.is_repetition]


def _repeated(sent: SentAlert) -> tuple[object, ...]:
    return sent.line.alert.fingerprint, sent.receiver


def _at(sent: SentAlert) -> datetime:
    return sent.at


def differences(
    old: Iterable[Sent], new: Iterable[Sent], common: Collection[str] = ()
) -> list[MessageDifference]:
    """What differs, in the order of time; `common` are the receivers that both settings have.

    Of what only one of them sends, pairs are made: of the same alert and receiver for the same reason at
    the same time at another severity, and at another time; and of the same alert for the same reason at
    the same time to two receivers, of which not both are common: those have routes of their own.
    """
    found: list[MessageDifference] = []
    olds, news = [*_sent(old)], [*_sent(new)]
    for kind, key in _PAIRS:
        kept = common if kind is Kind.REROUTED else ()
        pairs, olds, news = _paired(olds, news, key, kept)
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
    (Kind.MOVED, lambda each: (*_alert(each), each.receiver, each.line.alert.active_at)),
    (Kind.MOVED, lambda each: (*_alert(each), each.receiver)),
    (Kind.REROUTED, lambda each: (*_alert(each), each.at)),
)


def _paired(
    olds: Sequence[SentAlert], news: Sequence[SentAlert], key: _Key, kept: Collection[str]
) -> tuple[list[tuple[SentAlert, SentAlert]], list[SentAlert], list[SentAlert]]:
    """The pairs with the same key, in order, and what is left over of both; no pair is of two `kept` receivers."""
    waiting: defaultdict[tuple[object, ...], list[SentAlert]] = defaultdict(list)
    for each in olds:
        waiting[key(each)].append(each)
    pairs: list[tuple[SentAlert, SentAlert]] = []
    left: list[SentAlert] = []
    for each in news:
        same = waiting.get(key(each), [])
        fitting = (
            at for at, of in enumerate(same) if not (of.receiver in kept and each.receiver in kept)
        )
        place = next(fitting, None)
        if place is None:
            left.append(each)
        else:
            pairs.append((same.pop(place), each))
    taken = {id(before) for before, _ in pairs}
    return pairs, [each for each in olds if id(each) not in taken], left
