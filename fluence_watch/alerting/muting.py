"""What keeps a message about an alert back: silences, maintenance, inhibition, acknowledgement. Pure.

None of them is a state of the alert: each is judged when a receiver is due something.

  what would be sent     silenced or maintenance      inhibited                      acknowledged
  first, worse           waits until that ends        waits until the other is over  sent
  repeat, escalated      waits until that ends        waits until the other is over  waits until that ends
  resolved               sent                         sent                           sent
  missed, over an event  never sent, if it was over   never sent, if it was over     sent
                         meanwhile                    meanwhile

An acknowledgement ends when the alert gets worse. What active times keep back, `due.py` says.
Source: Alertmanager, silences and inhibition.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.matchers import Matchers, Operator, all_match, parse_matchers
from fluence_watch.model.finding import Fingerprint, Severity
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
class Inhibit:
    """An alert that matches `source` mutes those that match `target`, if the `equal` labels are.

    What matches both does not mute what matches both. Of two alerts that mute each other, by two
    inhibitions, the one that fired first is told.
    """

    source: Matchers
    target: Matchers
    equal: tuple[str, ...] = ("account",)

    _rule: str | None = field(init=False, compare=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Find the rule whose alerts alone can be its source, if it names one."""
        is_rule = ("rule", Operator.EQUAL)
        named = (each.value for each in self.source if (each.name, each.operator) == is_rule)
        object.__setattr__(self, "_rule", next(named, None))

    def may_begin_with(self, alert: Alert) -> bool:
        """Whether its source may match: a quick look, before all labels are compared."""
        return self._rule is None or self._rule == alert.fingerprint.rule

    def key(self, its: Mapping[str, str]) -> tuple[str, ...]:
        """The values of the labels that must be equal."""
        return tuple(its.get(name, "") for name in self.equal)


class _Source(NamedTuple):
    """An alert that matches the source of an inhibition, and whether it matches the target too."""

    alert: Alert
    is_target: bool


_Sources = Sequence[tuple[Inhibit, Mapping[tuple[str, ...], Sequence[_Source]]]]
"""The alerts that mute others, by what must be equal: thousands of them must not be compared in pairs."""


def _inhibit(source: str, target: str, *equal: str) -> Inhibit:
    return Inhibit(parse_matchers(source), parse_matchers(target), ("account", *equal))


FIXED = (
    _inhibit("rule=vm_vanished", 'rule!=vm_vanished,vm_id!=""', "vm_id"),
    _inhibit(
        'rule=vm_status,status=~"terminated|failed"',
        'rule!~"vm_status|locked_funds",vm_id!=""',
        "vm_id",
    ),
    _inhibit("rule=poll_failing", "rule!=poll_failing,severity!=critical"),
)
"""A VM that vanished or ended mutes its other alerts, but for the money that it keeps; polls that fail
mute those of the account, but for critical ones: what was critical is so until a poll says otherwise."""


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
        worse = alert.step > self.step or alert.severity.rank > self.severity.rank
        return at < self.until and not worse


@dataclass(frozen=True, slots=True)
class Mutes:
    """All that can keep messages back."""

    silences: Sequence[Silence] = ()
    maintenance: Sequence[Maintenance] = ()
    inhibits: Sequence[Inhibit] = FIXED
    acknowledged: Mapping[Episode, Acknowledgement] = field(default_factory=dict)

    def among(self, alerts: Iterable[Alert]) -> Muted:
        """What keeps alerts of one account back; `alerts` are all that fire there, or did lately."""
        sources: _Sources | None = None

        def muted(alert: Alert, at: datetime) -> Mute | None:
            nonlocal sources
            if sources is None:
                sources = self._sources(alerts)
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

    def inhibits_others(self, alert: Alert) -> bool:
        """Whether it may mute other alerts."""
        likely = [each for each in self.inhibits if each.may_begin_with(alert)]
        its = labels(alert) if likely else {}
        return any(all_match(each.source, its) for each in likely)

    def muters(self, alerts: Iterable[Alert], others: Iterable[Alert]) -> set[Episode]:
        """Those of the alerts that may have muted one of the others, while both fired."""
        sources = self._sources(alerts)
        found = ((of, other) for other in others for of in _explaining(other, sources))
        return {of.episode for of, other in found if _overlap(of, other)} if sources else set()

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

    def _sources(self, alerts: Iterable[Alert]) -> _Sources:
        found: list[tuple[Inhibit, dict[tuple[str, ...], list[_Source]]]]
        found = [(inhibit, {}) for inhibit in self.inhibits]
        for alert in alerts:
            likely = [each for each in found if alert.starts_at and each[0].may_begin_with(alert)]
            its = labels(alert) if likely else {}
            for inhibit, by_key in likely:
                if all_match(inhibit.source, its):
                    source = _Source(alert, all_match(inhibit.target, its))
                    by_key.setdefault(inhibit.key(its), []).append(source)
        return [(inhibit, by_key) for inhibit, by_key in found if by_key]


def _inhibited(alert: Alert, at: datetime, sources: _Sources) -> Mute | None:
    for source in _explaining(alert, sources):
        if _fires(source, alert, at) and not _is_told_before(alert, source, sources):
            return Mute(Why.INHIBITED, source.fingerprint.words, source.ends_at)
    return None


def _explaining(alert: Alert, sources: _Sources) -> Iterator[Alert]:
    """The alerts that mute this one while they fire."""
    its = labels(alert) if sources else {}
    for inhibit, by_key in sources:
        if all_match(inhibit.target, its):
            is_source = all_match(inhibit.source, its)
            for source in by_key.get(inhibit.key(its), ()):
                if source.alert.episode != alert.episode and not (is_source and source.is_target):
                    yield source.alert


def _overlap(one: Alert, other: Alert) -> bool:
    """Whether both fired at some time, or one began as the other ended."""
    last = max(each.starts_at or each.active_at for each in (one, other))
    return all(each.ends_at is None or last <= each.ends_at for each in (one, other))


def _is_told_before(alert: Alert, other: Alert, sources: _Sources) -> bool:
    """Whether two alerts mute each other, and this is the first, then the worse one: it is told."""
    return _precedence(alert) < _precedence(other) and _mutes(alert, other, sources)


def _precedence(alert: Alert) -> tuple[datetime, int, Fingerprint]:
    return alert.starts_at or alert.active_at, -alert.severity.rank, alert.fingerprint


def _mutes(source: Alert, target: Alert, sources: _Sources) -> bool:
    """Whether one alert mutes another while both fire."""
    ours, theirs = labels(source), labels(target)
    return any(
        all_match(each.source, ours)
        and all_match(each.target, theirs)
        and each.key(ours) == each.key(theirs)
        and not (all_match(each.source, theirs) and all_match(each.target, ours))
        for each, _ in sources
    )


def _fires(source: Alert, target: Alert, at: datetime) -> bool:
    """Whether the source fires at that time; one that ends with the target did so until then."""
    if source.starts_at is None or at < source.starts_at:
        return False
    if source.ends_at is None:
        return True
    return at <= source.ends_at if target.state is State.RESOLVED else at < source.ends_at
