"""What each receiver must, may and must not be told, by the tables of the manual.

must    it is due now, and nothing keeps it back
may     the manual leaves it open
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from tests.e2e.truth.plan import Plan, Receiver
from tests.e2e.truth.referee.episodes import End, Episode
from tests.e2e.truth.referee.lines import Due, Silence, Taken, Told, Why
from tests.e2e.truth.referee.matching import MUTED_BY, RANK, is_active, is_on, matches, takes

WATCHER = "fluence-watch"
_FIRST, _ESCALATED, _WORSE = "first", "escalated", "worse"
_KEPT = timedelta(hours=1)
_REPEAT, _RESOLVED, _MISSED = "repeat", "resolved", "missed"


@dataclass
class Hearing:
    """Everything that is or was true lately, and what each receiver knows of it."""

    plan: Plan
    episodes: dict[str, list[Episode]] = field(default_factory=dict)
    told: dict[str, dict[Episode, Told]] = field(default_factory=dict)
    silences: dict[str, Silence] = field(default_factory=dict)
    taken: dict[Episode, Taken] = field(default_factory=dict)
    missing: Callable[[Episode], bool] = lambda _: False
    kept: dict[tuple[str, Episode], set[str]] = field(default_factory=dict)
    dropped: set[tuple[str, Episode]] = field(default_factory=set)
    unsure: set[tuple[str, Episode]] = field(default_factory=set)
    settled: Callable[[Episode], None] = lambda _: None
    _past: dict[str, list[Episode]] = field(default_factory=dict)
    _open: set[tuple[str, Episode]] = field(default_factory=set)
    _shut: dict[tuple[str, Episode], tuple[datetime, Why | None]] = field(default_factory=dict)
    _first: dict[str, list[Receiver]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.plan.receivers:
            self.told[each.name] = {}
            if each.escalate_to:
                self._first.setdefault(each.escalate_to, []).append(each)

    def add(self, episode: Episode) -> None:
        """It fires."""
        self.episodes.setdefault(episode.what.account, []).append(episode)

    def due(self, receiver: Receiver, now: datetime) -> Iterator[Due]:
        """What the receiver is due now."""
        for account in self.episodes:
            lines = list(self._of(receiver, account, now))
            self._open |= {(receiver.name, x.episode) for x in lines if x.reason != _MISSED}
            begun = [each.since for each in lines if each.sure] or [each.since for each in lines]
            if not begun or now - min(begun) < receiver.group_wait:
                continue
            repeats = any(each.reason == _REPEAT and each.sure for each in lines)
            for line in lines:
                if line.reason != _REPEAT or line.sure or repeats:
                    yield line

    def all_lines(self, receiver: Receiver, now: datetime) -> Iterator[Due]:
        """What the receiver is due now, or once its group has waited."""
        for account in self.episodes:
            yield from self._of(receiver, account, now)

    def _of(self, receiver: Receiver, account: str, now: datetime) -> Iterator[Due]:
        for episode in self.episodes[account]:
            line = self._line(receiver, episode, now)
            why = line and self.kept_back(receiver, line, now)
            if why:
                self.kept.setdefault((receiver.name, episode), set()).add(why)
                self._note(receiver, episode, why, now)
            elif line:
                if line.reason != _MISSED:
                    self._shut[receiver.name, episode] = now, None
                yield line

    def _note(self, receiver: Receiver, episode: Episode, why: Why, now: datetime) -> None:
        """Note whether what is kept back now was so all the time, as far as that is certain."""
        this = receiver.name, episode
        at, before = self._shut.get(this, (now, why if now == episode.starts_at else None))
        held = before is Why.INACTIVE and not is_active(receiver, now)
        is_shut = before is not None and (at == now or before is Why.INHIBITED or held)
        self._shut[this] = now, why if is_shut else None

    def _line(self, receiver: Receiver, episode: Episode, now: datetime) -> Due | None:
        """What there is to tell, whatever keeps it back."""
        told, over_at = self.told[receiver.name].get(episode), episode.over_at(now)
        if over_at is not None:
            return self._when_over(receiver, episode, told, over_at)
        routed = self.routes(receiver, episode)
        if not (routed or self.escalates(receiver, episode, now)):
            return None
        if told is None:
            first = Due(episode, _FIRST, episode.starts_at or now)
            return first if routed else Due(episode, _ESCALATED, now)
        return self._again(receiver, episode, told, now)

    def _again(self, receiver: Receiver, episode: Episode, told: Told, now: datetime) -> Due | None:
        """What there is to tell of an alert that still fires, to who knows it."""
        if episode.rank > told.rank or episode.found.step > told.step:
            return Due(episode, _WORSE, now)
        waited, interval = now - told.at, receiver.repeat_interval
        if interval and waited >= interval / 2 and not self.missing(episode):
            return Due(episode, _REPEAT, now, waited >= interval)
        return None

    def _when_over(
        self, receiver: Receiver, episode: Episode, told: Told | None, over_at: datetime
    ) -> Due | None:
        if told is not None:
            ended = episode.ends_at and receiver.send_resolved and not told.over
            if not ended or episode.end is End.QUIET:
                return None
            return Due(episode, _RESOLVED, over_at)
        if not self.routes(receiver, episode):
            return None
        if episode.event:
            return Due(episode, _FIRST, over_at)
        was_open = (receiver.name, episode) in self._open
        until = episode.found.until
        is_quiet = episode.end is End.QUIET and not (until and until <= over_at)
        _, shut = self._shut.get((receiver.name, episode), (None, None))
        if shut is Why.INACTIVE and is_active(receiver, min(over_at, until or over_at)):
            shut = None  # its times began before it was over: whether somebody looked is left open
        if is_quiet or (shut and not was_open):  # one thing and another kept it back, to its end
            return None
        return Due(episode, _MISSED, over_at, was_open)

    def routes(self, receiver: Receiver, episode: Episode) -> bool:
        """Whether the settings of the receiver let it hear of this."""
        of_watcher = episode.what.account == WATCHER
        return takes(receiver, episode.labels, of_watcher=of_watcher, about=episode.what.subject)

    def escalates(self, receiver: Receiver, episode: Episode, now: datetime) -> bool:
        """Whether it has fired for so long that another receiver passes it on to this one."""
        return not episode.event and any(
            self.routes(first, episode)
            and now - (episode.starts_at or now) >= first.escalate_after
            and receiver.name != episode.what.subject
            for first in self._first.get(receiver.name, ())
        )

    # What keeps it back

    def kept_back(self, receiver: Receiver, line: Due, now: datetime) -> Why | None:
        """Why it is not told now, though there is something to tell."""
        over_at = line.episode.over_at(now)
        if line.reason != _RESOLVED and (why := self.muted(line.episode, over_at or now)):
            return why
        if line.reason in {_REPEAT, _ESCALATED} and self._acknowledged(line.episode, now):
            return Why.ACKNOWLEDGED
        told = self.told[receiver.name].get(line.episode)
        worst = max(line.episode.rank, told.rank if told and over_at else 0)
        at_once = receiver.critical_at_once and worst == 2
        return None if at_once or is_active(receiver, now) else Why.INACTIVE

    def muted(self, episode: Episode, at: datetime) -> Why | None:
        """What mutes it for everybody."""
        if any(
            each.starts_at <= at < each.ends_at and self._silences(each, episode)
            for each in self.silences.values()
        ):
            return Why.SILENCED
        if any(matches(m.match, episode.labels) and is_on(m, at) for m in self.plan.maintenance):
            return Why.MAINTENANCE
        return Why.INHIBITED if self.inhibited(episode, at) else None

    @staticmethod
    def _silences(silence: Silence, episode: Episode) -> bool:
        about_it = episode.what.rule == "silence_ending" and episode.what.detail == silence.id
        return not about_it and matches(silence.match, episode.labels)

    def inhibited(self, episode: Episode, at: datetime) -> bool:
        """Whether another alert explains it."""
        rules = [*MUTED_BY, *((i.source, i.target, i.equal) for i in self.plan.inhibits)]
        return any(
            matches(target, episode.labels) and self._source(episode, source, target, equal, at)
            for source, target, equal in rules
        )

    def _source(
        self,
        episode: Episode,
        source: Iterable[str],
        target: Iterable[str],
        equal: Iterable[str],
        at: datetime,
    ) -> bool:
        both, account = matches(source, episode.labels), episode.what.account
        return any(
            other is not episode
            and other.fires(at, ended_too=episode.ends_at is not None)
            and matches(source, other.labels)
            and not (both and matches(target, other.labels))
            and all(other.labels.get(each) == episode.labels.get(each) for each in equal)
            for other in chain(self.episodes[account], self._past.get(account, ()))
        )

    def _acknowledged(self, episode: Episode, now: datetime) -> bool:
        taken = self.taken.get(episode)
        return bool(taken and now < taken.until and not taken.outgrown_by(episode))

    # What was told

    def hear(self, receiver: str, episode: Episode, line: Mapping[str, Any], now: datetime) -> None:
        """The receiver was told, perhaps as bad as it was before the poll of this moment."""
        before = self.told[receiver].get(episode)
        rank = max(RANK[line["severity"]], before.rank if before else 0)
        step = max(line["step"], before.step if before else 0)
        over = line["status"] != "firing" or episode.event
        self.told[receiver][episode] = Told(now, rank, step, over)

    def passed_on(self, episode: Episode) -> Collection[str]:
        """Whom those that take it escalate it to."""
        takers = (each for each in self.plan.receivers if self.routes(each, episode))
        return {each.escalate_to for each in takers if each.escalate_to != episode.what.subject}

    def drop(self, receiver: str, episode: Episode, now: datetime) -> None:
        """What the receiver may have been told of its end, it was not: it never is."""
        if episode not in self.told[receiver]:
            self.dropped.add((receiver, episode))
        self.told[receiver][episode] = Told(now, episode.rank, episode.found.step, over=True)

    def settle(self, now: datetime, doubtful: Collection[Episode] = ()) -> None:
        """Forget what is over and of which nobody is due anything any more, or may hear once more."""
        outgrown = [each for each, taken in self.taken.items() if taken.outgrown_by(each)]
        for episode in outgrown:
            del self.taken[episode]
        for account, episodes in self.episodes.items():
            gone = [e for e in episodes if e not in doubtful and self._settled(e, now)]
            for each in gone:
                self._forget(each)
            if gone:
                kept = self.episodes[account] = [e for e in episodes if e not in gone]
                ends = {e.ends_at for e in kept if e.ends_at}
                past = [*self._past.get(account, ()), *gone]
                self._past[account] = [e for e in past if any(_fired(e, at) for at in ends)]

    def _settled(self, episode: Episode, now: datetime) -> bool:
        if episode.ends_at is None or now - episode.ends_at < _KEPT:
            return False
        for receiver in self.plan.receivers:
            line = self._line(receiver, episode, now)
            why = line and self.kept_back(receiver, line, now)
            never = why in {Why.SILENCED, Why.MAINTENANCE, Why.INHIBITED}
            if line and not never:
                return False
        return True

    def _forget(self, episode: Episode) -> None:
        self.settled(episode)
        for each in self.plan.receivers:
            self.kept.pop((each.name, episode), None)
            self.dropped.discard((each.name, episode))
            self.unsure.discard((each.name, episode))
            self._shut.pop((each.name, episode), None)
        for told in self.told.values():
            told.pop(episode, None)
        self.taken.pop(episode, None)
        self._open = {each for each in self._open if each[1] is not episode}


def _fired(episode: Episode, at: datetime) -> bool:
    """Whether it may have muted what ended then."""
    return episode.fires(at, ended_too=True)
