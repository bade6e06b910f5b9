"""What was told, compared with what had to be told; and the table of it, by rule."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from tests.e2e.truth.plan import Plan, Receiver
from tests.e2e.truth.referee.episodes import Episode, What
from tests.e2e.truth.referee.hearing import WATCHER, Hearing
from tests.e2e.truth.referee.judge import Judge
from tests.e2e.truth.referee.lines import Due

Line = Mapping[str, Any]
_DETAIL = {
    "port_drift": "{direction} {port}",
    "vm_status": "{status}",
    "unexpected_charge": "{seen_at}",
    "price_changed": "{old} {new} {active_at}",
    "public_ip_changed": "{old} {new} {active_at}",
    "ssh_key_drift": "{direction} {fingerprint} {active_at}",
    "vm_appeared": "{active_at}",
    "silence_ending": "{id}",
    "vm_unreadable": "{key}",
    "budget": "{key}",
}


@dataclass
class Row:
    """One rule of the table."""

    injected: int = 0
    fired: int = 0
    missed: int = 0
    false: int = 0
    lines: int = 0
    delays: list[float] = field(default_factory=list)

    @property
    def delay(self) -> float | None:
        """The median time from when it could be told first, in polls."""
        return median(self.delays) if self.delays else None


@dataclass
class Verdict:
    """The comparison. `owed` is what had to be told by now and was not yet, and since when.

    `before` is what was due at this moment, before its polls: they may be later than the messages.
    `doubtful` is what arrived just before a kill: it may arrive once more. `duplicates` are the lines
    that did, `repeated` the messages with such lines. `allowed` counts what the manual leaves open.
    """

    plan: Plan
    judge: Judge
    hearing: Hearing
    rows: dict[str, Row] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    allowed: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    repeated: int = 0
    late_deadlines: int = 0
    owed: dict[tuple[str, Episode, str], datetime] = field(default_factory=dict)
    before: set[tuple[str, Episode, str]] = field(default_factory=set)
    doubtful: set[tuple[str, Episode, str]] = field(default_factory=set)
    _lines_of: Callable[[Receiver, datetime], Iterator[Due]] = field(init=False)
    _heard: set[Episode] = field(default_factory=set)
    _silent_at: dict[str, datetime] = field(default_factory=dict)

    def row(self, rule: str) -> Row:
        """The row of the rule."""
        return self.rows.setdefault(rule, Row())

    def fires(self, episode: Episode) -> None:
        """It must fire."""
        self.row(episode.what.rule).injected += 1

    def tick(
        self,
        now: datetime,
        mail: Mapping[str, Iterable[Line]],
        silent: Collection[str],
        *,
        sure: bool,
    ) -> None:
        """What arrived now. Of `silent` receivers nothing is asked.

        If it is not `sure` that the daemon lived it through, it may not know what it has sent.
        """
        self._silent_at |= dict.fromkeys(silent, now)
        for receiver in self.plan.receivers:
            due = {(d.episode, d.reason): d for d in self.hearing.due(receiver, now)}
            before = self.duplicates
            lines = [*mail.get(receiver.name, ())]
            # what begins or ends as a group is sent, also anew after a kill, may join it
            self._lines_of = self.hearing.due
            if receiver.group_wait and self._opens(receiver, lines, due):
                self._lines_of = self.hearing.all_lines
                due |= {(d.episode, d.reason): d for d in self._lines_of(receiver, now)}
            for line in lines:
                self._judge(receiver, line, due, now, sure=sure)
            self.repeated += self.duplicates > before
            if sure and receiver.name not in silent:
                self._ask(receiver, list(self.hearing.due(receiver, now)), now)
        self.hearing.settle(now, {episode for _, episode, _ in self.doubtful})

    def _ask(self, receiver: Receiver, due: Iterable[Due], now: datetime) -> None:
        """What is due and did not arrive is owed from now on; what need not arrive never does."""
        for episode, reason, since, must in due:
            # what begins as a group is sent may be the first of the next group
            waits = not must and now - since < receiver.group_wait
            if receiver.group_wait and (since == now or waits):
                continue
            if must:
                self.owed.setdefault((receiver.name, episode, reason), now)
            elif episode.ends_at:
                self.hearing.drop(receiver.name, episode, now)

    def _judge(
        self,
        receiver: Receiver,
        line: Line,
        due: dict[tuple[Episode, str], Due],
        now: datetime,
        *,
        sure: bool,
    ) -> None:
        reason, row, episode = line["reason"], self.row(line["rule"]), self.episode(line)
        row.lines += 1
        self.reasons[reason] += 1
        if episode is None:
            self._blame(now, receiver.name, line, "no such problem")
            return
        this, this_line = (receiver.name, episode, reason), (receiver, episode, reason, now)
        if since := self.owed.pop(this, None):
            self._blame(now, receiver.name, line, f"late, due since {since}")
        elif (
            (found := due.pop((episode, reason), None))
            or this in self.before
            or self._is_due(*this_line)
        ):
            self.allowed[reason] += found is not None and not found.sure
            self._first(episode, now)
        elif this in self.doubtful or self._is_told_as_missed(*this):
            self.duplicates += 1
        else:
            self._blame(now, receiver.name, line, self._why(receiver.name, episode, now))
        if self._is_late(receiver, episode, now):
            self._blame(now, receiver.name, line, f"late, its deadline was {episode.found.until}")
        self.doubtful.discard(this)
        if not sure:
            self.doubtful.add(this)
            self.hearing.unsure.add((receiver.name, episode))
        self.hearing.hear(receiver.name, episode, line, now)

    def _is_told_as_missed(self, receiver: str, episode: Episode, reason: str) -> bool:
        """Whether the end is told to who heard the begin just before a kill: the watcher cannot know that."""
        if reason != "missed" or (receiver, episode) not in self.hearing.unsure:
            return False
        self.owed.pop((receiver, episode, "resolved"), None)
        return True

    def _opens(
        self, receiver: Receiver, lines: Iterable[Line], due: Collection[tuple[Episode, str]]
    ) -> bool:
        """Whether a line of a group is due, or was just before a kill."""
        found = [(self.episode(each), each["reason"]) for each in lines]
        return any(each in due or (receiver.name, *each) in self.doubtful for each in found)

    def _is_late(self, receiver: Receiver, episode: Episode, now: datetime) -> bool:
        """Whether its deadline passed, though the receiver worked all the time and nothing held it."""
        until, begun = episode.found.until, episode.starts_at
        if until is None or begun is None or now < until or episode.what.rule != "billing_due":
            return False
        known = episode in self.hearing.told[receiver.name]
        silent_at = self._silent_at.get(receiver.name)
        was_silent = silent_at is not None and silent_at >= begun
        held = (receiver.name, episode) in self.hearing.kept or receiver.group_wait
        return not (known or was_silent or held)

    def look_ahead(self, now: datetime) -> None:
        """Note what is due at this moment, if its polls change nothing."""
        opened = {*self.hearing._open}
        self.before = {
            (receiver.name, each.episode, each.reason)
            for receiver in self.plan.receivers
            for each in self.hearing.due(receiver, now)
        }
        self.hearing._open = opened

    def _is_due(self, receiver: Receiver, episode: Episode, reason: str, now: datetime) -> bool:
        """Whether it was due until the poll of this moment ended it, or is since the line before."""
        ends_at, due = episode.ends_at, set[tuple[Episode, str]]()
        for each in {ends_at, None if ends_at == now else ends_at}:
            episode.ends_at = each
            due |= {(line.episode, line.reason) for line in self._lines_of(receiver, now)}
        episode.ends_at = ends_at
        return (episode, reason) in due

    def _why(self, receiver: str, episode: Episode, now: datetime) -> str:
        told = self.hearing.told[receiver].get(episode)
        muted = self.hearing.muted(episode, episode.over_at(now) or now)
        taken = self.hearing.taken.get(episode)
        ends = f"ends {episode.ends_at} {episode.end}, until {episode.found.until}"
        return f"not due: told {told}, muted {muted}, taken {taken}, {ends}"

    def _first(self, episode: Episode, now: datetime) -> None:
        if episode in self._heard:
            return
        self._heard.add(episode)
        row = self.row(episode.what.rule)
        row.fired += 1
        row.delays.append(
            (now - (episode.due_since or episode.starts_at or now)) / self.plan.interval
        )
        if episode.found.until and now >= episode.found.until:
            self.late_deadlines += 1

    def episode(self, line: Line) -> Episode | None:
        """The problem that a line is about."""
        what, at = what_of(line), datetime.fromisoformat(line["active_at"])
        for each in self.hearing.episodes.get(what.account, ()):
            if each.what == what and each.active_at == at:
                return each
        return None

    def close(self) -> None:
        """The run is over: what is still owed was missed."""
        for (receiver, episode, reason), since in self.owed.items():
            self.row(episode.what.rule).missed += 1
            self.faults.append(f"missed: {receiver} {reason} {episode.what} due since {since}")

    def _blame(self, now: datetime, receiver: str, line: Line, why: str) -> None:
        """What was told is wrong, or late."""
        self.row(line["rule"]).false += not why.startswith("late")
        brief = {
            key: line[key] for key in ("rule", "subject", "key", "severity", "reason", "active_at")
        }
        self.faults.append(f"{now} {receiver} {line['account']} {brief}: {why}")


def what_of(line: Line) -> What:
    """The problem that a line is about, by its facts."""
    facts, rule, subject = line["facts"], line["rule"], line["subject"]
    detail = _DETAIL.get(rule, "").format(**{**line, **facts})
    account = line["account"] or WATCHER
    if rule == "gpu_status":
        detail = facts.get("status", "not started")
    if rule == "billing_due":
        detail = datetime.fromisoformat(facts["due_at"]).isoformat(timespec="seconds")
    if rule == "vm_vanished" and subject.startswith("fleet@"):
        return What(account, rule, "fleet", subject.removeprefix("fleet@"))
    if rule == "silence_ending":
        subject = "silence"
    return What(account, rule, "" if rule == "ssh_key_drift" else subject, detail)
