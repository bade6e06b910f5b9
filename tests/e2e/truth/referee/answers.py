"""Which last word `why` may have of each receiver about an alert that is over."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase

from fluence_watch.store import Store
from fluence_watch.views.why import Answer
from tests.e2e.truth.plan import Plan, Receiver
from tests.e2e.truth.referee.episodes import End, Episode, What
from tests.e2e.truth.referee.hearing import WATCHER, Hearing
from tests.e2e.truth.referee.lines import Why
from tests.e2e.truth.referee.matching import RANK, matches
from tests.e2e.truth.referee.verdict import what_of
from tests.e2e.truth.watcher import data_of
from tests.stored import reasons

Words = frozenset[str]
_TOLD, _PERHAPS = "told", "perhaps told"
_OVER = frozenset({"resolved", "missed"})


@dataclass
class Answers:
    """What must be answered of what is over, and what was answered."""

    plan: Plan
    expected: dict[tuple[What, datetime], Mapping[str, Words]] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def settled(self, hearing: Hearing, episode: Episode) -> None:
        """Nobody is due anything of this any more."""
        words = {
            each.name: frozenset(_words(hearing, each, episode)) for each in self.plan.receivers
        }
        self.expected[episode.what, episode.active_at] = words

    def compare(self, store: Store, hearing: Hearing) -> None:
        """Ask why of every alert, told or not."""
        left = {(e.what, e.active_at) for of in hearing.episodes.values() for e in of}
        wanted = dict(self.expected)
        for told in store.journal.ids().values():
            alert = store.journal.alert(told)
            if alert is None or alert.starts_at is None:
                continue
            this = what_of(data_of(told.fingerprint, alert)), told.active_at
            answers = wanted.pop(this, None)
            if answers is not None:
                self._compare(this, answers, reasons(store, told))
            elif this not in left:
                self.faults.append(f"why: {this} is not known to the referee")
        self.faults += [f"why: {this} is in no answer" for this in wanted]

    def _compare(
        self, this: object, wanted: Mapping[str, Words], found: Mapping[str, Answer]
    ) -> None:
        for receiver, words in wanted.items():
            answer = found.get(receiver)
            word = answer.reason if answer else "no answer"
            self.given[word] += 1
            was_told = answer is not None and (answer.notified_at or answer.resolved_at) is not None
            fits = _PERHAPS in words or was_told is (_TOLD in words)
            if word not in words or not fits:
                self.faults.append(f"why: {receiver} of {this}: {word}, not {sorted(words)}")


def _words(hearing: Hearing, receiver: Receiver, episode: Episode) -> Iterator[str]:
    this = receiver.name, episode
    told = hearing.told[receiver.name].get(episode)
    if told is not None and this not in hearing.dropped:
        yield _TOLD
        yield from _when_told(receiver, episode, over=told.over)
        if this in hearing.unsure:  # the watcher was killed before it knew
            yield _PERHAPS
            yield from hearing.kept.get(this, ())
    elif hearing.routes(receiver, episode):
        yield from hearing.kept.get(this, ())
        yield from _muted_at_its_end(hearing, episode)
        if episode.end is not End.TOLD:
            yield "quiet"
    elif not episode.event and receiver.name in hearing.passed_on(episode):
        yield "escalate_after"
        yield from hearing.kept.get(this, ())
    else:
        yield from _misfits(receiver, episode)


def _muted_at_its_end(hearing: Hearing, episode: Episode) -> Iterator[str]:
    over_at = episode.ends_at or episode.active_at
    muted = hearing.muted(episode, over_at)
    if muted is not None:
        yield muted
    if muted is Why.SILENCED:  # the last of them to end is named
        yield Why.MAINTENANCE
    if hearing.inhibited(episode, over_at):
        yield Why.INHIBITED


def _when_told(receiver: Receiver, episode: Episode, *, over: bool) -> Iterator[str]:
    if episode.event or episode.end is End.QUIET:
        yield "first"
    if over:
        yield from _OVER
    if episode.end is not End.TOLD:
        yield "quiet"
    if not receiver.send_resolved:
        yield "send_resolved"


def _misfits(receiver: Receiver, episode: Episode) -> Iterator[str]:
    """What of the receiver's settings does not fit."""
    labels = episode.labels
    if receiver.name == episode.what.subject:
        yield "about_itself"
    if RANK[labels["severity"]] < RANK[receiver.min_severity]:
        yield "min_severity"
    if not any(fnmatchcase(labels["rule"], glob) for glob in receiver.rules):
        yield "rules"
    if labels["account"] != WATCHER and not any(
        fnmatchcase(labels["account"], glob) for glob in receiver.accounts
    ):
        yield "accounts"
    if not matches(receiver.match, labels):
        yield "match"
