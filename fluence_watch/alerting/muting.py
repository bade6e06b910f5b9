"""What keeps a message about an alert back: silences, maintenance, inhibition, acknowledgement. Pure.

None of them is a state of the alert: each is judged when a receiver is due something.

  what would be sent     silenced or maintenance      inhibited                      acknowledged
  first, worse           waits until that ends        waits until the other is over  sent
  repeat, escalated      waits until that ends        waits until the other is over  waits until that ends
  resolved               sent                         sent                           sent
  missed, over an event  never sent, if it was over   never sent, if it was over     sent
                         meanwhile                    meanwhile

An acknowledgement ends when the alert gets worse. What active times keep back, and what
is sent all the same because a message may have arrived before, `due.py` says.
Source: Alertmanager, silences and inhibition.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from fluence_watch.alerting.inhibition import FIXED, Inhibit, Sources
from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.alerting.matchers import Matchers, all_match
from fluence_watch.model.finding import Severity
from fluence_watch.model.silenced import silence_subject

if TYPE_CHECKING:
    from fluence_watch.alerting.slots import Cron


class Why(StrEnum):
    """What keeps a message back."""

    SILENCED = "silenced"
    MAINTENANCE = "maintenance"
    INHIBITED = "inhibited"
    ACKNOWLEDGED = "acknowledged"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Mute:
    """Why an alert is not told now, by what, and until when (`None`: until another alert is over).

    `by` is the id of a silence, the name of a maintenance, the words of the other alert, who
    acknowledged it, or the receiver outside whose active times it is. `comment` is that of the
    silence or of the acknowledgement.
    """

    why: Why
    by: str
    until: datetime | None = None
    comment: str = ""


Muted = Callable[[Alert, datetime], Mute | None]
"""What keeps an alert back at a time. That of an alert that is over is when it ended."""


def never(alert: Alert, at: datetime) -> Mute | None:  # noqa: ARG001 - a `Muted`
    """Nothing is kept back."""
    return None


@dataclass(frozen=True, slots=True)
class Silence:
    """No messages about what matches, from one time to another."""

    id: str
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime
    comment: str = ""
    author: str = ""

    def is_active(self, at: datetime) -> bool:
        """Whether it is in force."""
        return self.starts_at <= at < self.ends_at

    def is_told_by(self, alert: Alert) -> bool:
        """Whether the alert is about this silence: it does not mute that."""
        return alert.fingerprint.subject == silence_subject(self.id)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A silence that comes again and again: at each slot of a schedule, for so long."""

    name: str
    matchers: Matchers
    cron: "Cron"
    duration: timedelta

    def ends_at(self, at: datetime) -> datetime | None:
        """When the window ends that is open at that time; `None` if none is."""
        return _window_end(self.cron, self.duration, at)


@lru_cache(maxsize=256)  # of many alerts at one time
def _window_end(cron: "Cron", duration: timedelta, at: datetime) -> datetime | None:
    begun = cron.latest(at)
    return begun + duration if begun and at < begun + duration else None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody takes care of an alert, as bad as it was then, until a time."""

    at: datetime
    until: datetime
    severity: Severity
    step: int
    author: str = ""
    comment: str = ""

    def holds(self, alert: Alert, at: datetime) -> bool:
        """Whether it is in force: not over, and the alert no worse."""
        return at < self.until and not self.is_outgrown_by(alert)

    def is_outgrown_by(self, alert: Alert) -> bool:
        """Whether the alert got worse since."""
        return self.is_outgrown(alert.severity, alert.step)

    def is_outgrown(self, severity: Severity, step: int) -> bool:
        """Whether an alert that is so bad got worse since."""
        return step > self.step or severity.rank > self.severity.rank


@dataclass(frozen=True, slots=True)
class Mutes:
    """All that can keep messages back."""

    silences: Sequence[Silence] = ()
    maintenance: Sequence[Maintenance] = ()
    inhibits: Sequence[Inhibit] = FIXED
    acknowledged: Mapping[Episode, Acknowledgement] = field(default_factory=dict)

    def among(self, alerts: Iterable[Alert]) -> Muted:
        """What keeps alerts of one account back; `alerts` are all that fire there, or did lately."""
        sources: Sources | None = None

        def muted(alert: Alert, at: datetime) -> Mute | None:
            nonlocal sources
            if sources is None:
                sources = Sources(self.inhibits, alerts)
            return self._timed(alert, at) or _inhibited(alert, at, sources)

        return muted

    def by_account(self, alerts: Iterable[Alert]) -> Muted:
        """The same of alerts of any account."""
        pages: dict[str, list[Alert]] = {}
        for alert in alerts:
            pages.setdefault(alert.fingerprint.account, []).append(alert)
        muted = {account: self.among(page) for account, page in pages.items()}
        return lambda alert, at: muted.get(alert.fingerprint.account, never)(alert, at)

    def acknowledgement(self, alert: Alert, at: datetime) -> Mute | None:
        """Whether somebody takes care of it: then it is not repeated."""
        found = self.acknowledged.get(alert.episode)
        if found is None or not found.holds(alert, at):
            return None
        return Mute(Why.ACKNOWLEDGED, found.author, found.until, found.comment)

    def without_outgrown(self, alerts: Iterable[Alert]) -> "Mutes":
        """The same without the acknowledgements of those alerts that got worse since: they end for good."""
        worse = {
            each.episode
            for each in alerts
            if (found := self.acknowledged.get(each.episode)) and found.is_outgrown_by(each)
        }
        lasting = {key: each for key, each in self.acknowledged.items() if key not in worse}
        return replace(self, acknowledged=lasting) if worse else self

    def inhibits_others(self, alert: Alert) -> bool:
        """Whether it may mute other alerts."""
        likely = [each for each in self.inhibits if each.may_begin_with(alert)]
        its = labels(alert) if likely else {}
        return any(all_match(each.source, its) for each in likely)

    def muters(self, alerts: Iterable[Alert], others: Iterable[Alert]) -> set[Episode]:
        """Those of the alerts that may have muted one of the others, while both fired."""
        return Sources(self.inhibits, alerts).muters(others)

    def _timed(self, alert: Alert, at: datetime) -> Mute | None:
        """The silence or maintenance that lasts longest."""
        if not (self.silences or self.maintenance):
            return None
        its = labels(alert)
        found = [
            Mute(Why.SILENCED, each.id, each.ends_at, each.comment)
            for each in self.silences
            if each.is_active(at) and not each.is_told_by(alert) and all_match(each.matchers, its)
        ]
        found += [
            Mute(Why.MAINTENANCE, each.name, end)
            for each in self.maintenance
            if all_match(each.matchers, its) and (end := each.ends_at(at))
        ]
        return max(found, key=lambda mute: mute.until or at, default=None)


def _inhibited(alert: Alert, at: datetime, sources: Sources) -> Mute | None:
    source = sources.inhibitor(alert, at)
    if source is None:
        return None
    return Mute(Why.INHIBITED, source.fingerprint.words, source.ends_at)
