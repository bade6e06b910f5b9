"""Writes for the courier of one receiver: each change of a judgement, once. Pure but for its memory."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from fluence_watch.alerting.journal import Details, Entry, What
from fluence_watch.alerting.judging import Judgement
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.telling import Line

_LONGEST = 200
_JUDGED = frozenset({What.DUE, What.WAITS, What.SKIPPED, What.NEVER})


class Scribe:
    """The scribe of one receiver.

    Entries gather here until they are stored with something else, or at the end of a round.
    """

    def __init__(self, receiver: str) -> None:
        self.receiver = receiver
        self._unwritten: list[Entry] = []
        self._last: dict[Episode, Judgement] = {}
        self._same: dict[Judgement, Judgement] = {}
        self._failing_since: datetime | None = None

    def __bool__(self) -> bool:
        """Whether anything is not stored yet."""
        return bool(self._unwritten)

    def recall(self, stored: Iterable[Entry]) -> None:
        """Adopt what was stored last about each alert, so that a restart writes none of it again."""
        for entry in stored:
            if entry.episode and entry.what not in {What.SENT, What.GIVEN_UP}:
                said = entry.details
                judgement = Judgement(entry.what, said.reason, said.by, said.text, said.until)
                self._last.setdefault(entry.episode, judgement)

    def judged(self, episode: Episode, judgement: Judgement | None, at: datetime) -> None:
        """What the receiver is due of an alert, or why it is not."""
        if judgement is None:
            return
        last = self._last.get(episode)
        still_due = last is not None and last.what is What.REFUSED and judgement.what is What.DUE
        if last != judgement and not still_due:
            self._last[episode] = self._same.setdefault(judgement, judgement)
            self._add(at, judgement.what, episode, judgement.details)

    def sent(self, lines: Sequence[Line], at: datetime, tries: int) -> None:
        """The receiver accepted these, after so many attempts in a row if it refused them before."""
        episodes = {line.episode for line in lines}
        self._unwritten = [
            each
            for each in self._unwritten
            if each.what is not What.DUE or each.episode not in episodes
        ]
        for line in lines:
            by = line.escalated.receiver if line.escalated else ""
            last = self._last.get(line.episode)
            number = tries if last is not None and last.what is What.REFUSED else 1
            details = Details(line.reason, by, since=line.since, number=number)
            self._add(at, What.SENT, line.episode, details)
            self._last.pop(line.episode, None)

    def posted(self, episode: Episode, reason: str, at: datetime, member: str) -> None:
        """A member of a cluster accepted what is new of an alert."""
        self._add(at, What.SENT, episode, Details(reason, member))
        self._last.pop(episode, None)

    def refused(self, lines: Iterable[Line], at: datetime, error: str) -> None:
        """The receiver did not accept these. Only the first time is written, and nothing after the last word.

        An alert may be over and settled while its message is on its way.
        """
        for line in lines:
            last = self._last.get(line.episode)
            if last is not None and last.what not in {What.REFUSED, What.NEVER}:
                judgement = Judgement(What.REFUSED, line.reason, text=error[:_LONGEST])
                self.judged(line.episode, judgement, at)

    def given_up(self, lines: Iterable[Line], at: datetime, error: str) -> None:
        """The receiver refuses these for good."""
        for line in lines:
            details = Details(line.reason, text=error[:_LONGEST])
            self._add(at, What.GIVEN_UP, line.episode, details)
            self._last.pop(line.episode, None)

    def failing(self, at: datetime, error: str) -> None:
        """The receiver accepts nothing. Only the first time is written."""
        if self._failing_since is None:
            self._failing_since = at
            self._add(at, What.FAILING, None, Details(text=error[:_LONGEST]))

    def works(self, at: datetime, tries: int) -> None:
        """The receiver accepts again, at this attempt."""
        if tries > 1:
            details = Details(since=self._failing_since, number=tries)
            self._add(at, What.WORKS, None, details)
        self._failing_since = None

    def take(self) -> Sequence[Entry]:
        """What is to be stored now."""
        taken, self._unwritten = self._unwritten, []
        return taken

    def put_back(self, entries: Iterable[Entry]) -> None:
        """What could not be stored."""
        self._unwritten = [*entries, *self._unwritten]

    def settled(self, episodes: Collection[Episode]) -> None:
        """The last word about these is stored: no judgement of them is written any more."""
        over = frozenset(episodes)
        self._unwritten = [
            each for each in self._unwritten if each.what not in _JUDGED or each.episode not in over
        ]
        self._forget(over)

    def forget_account(self, account: str) -> None:
        """The account is no longer watched."""
        self._forget([each for each in self._last if each.fingerprint.account == account])

    def _forget(self, episodes: Collection[Episode]) -> None:
        for episode in episodes:
            self._last.pop(episode, None)
        self._same = {each: each for each in self._last.values()} if episodes else self._same

    def _add(self, at: datetime, what: What, episode: Episode | None, details: Details) -> None:
        about, active_at = episode or (None, None)
        self._unwritten.append(Entry(at, what, about, active_at, self.receiver, details))
