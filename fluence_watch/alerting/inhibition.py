"""Inhibition: alerts that mute others while they fire. Pure.

Of alerts that mute each other, by two inhibitions or in a circle of several, one that fired before what
would mute it is told. So what is muted always leads to something that is told.
Source: Alertmanager, inhibition.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.matchers import Matchers, Operator, all_match, parse_matchers
from fluence_watch.model.finding import Fingerprint


@dataclass(frozen=True, slots=True)
class Inhibit:
    """An alert that matches `source` mutes those that match `target`, if the `equal` labels are.

    What matches both does not mute what matches both.
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


class Sources:
    """The alerts among some that mute others.

    They are kept by what must be equal: thousands of them must not be compared in pairs.
    """

    def __init__(self, inhibits: Iterable[Inhibit], alerts: Iterable[Alert]) -> None:
        found = [(inhibit, dict[tuple[str, ...], list[_Source]]()) for inhibit in inhibits]
        for alert in alerts:
            likely = [each for each in found if alert.starts_at and each[0].may_begin_with(alert)]
            its = labels(alert) if likely else {}
            for inhibit, by_key in likely:
                if all_match(inhibit.source, its):
                    source = _Source(alert, all_match(inhibit.target, its))
                    by_key.setdefault(inhibit.key(its), []).append(source)
        self._found = [(inhibit, by_key) for inhibit, by_key in found if by_key]

    def inhibitor(self, alert: Alert, at: datetime) -> Alert | None:
        """What mutes the alert at that time. The time of one that is over is when it ended."""
        for source in self.explaining(alert):
            if _fires(source, alert, at) and not self._is_told_before(alert, source, at):
                return source
        return None

    def explaining(self, alert: Alert) -> Iterator[Alert]:
        """The alerts that mute this one while they fire."""
        its = labels(alert) if self._found else {}
        for inhibit, by_key in self._found:
            if all_match(inhibit.target, its):
                is_source = all_match(inhibit.source, its)
                for source in by_key.get(inhibit.key(its), ()):
                    if source.alert.episode != alert.episode and not (
                        is_source and source.is_target
                    ):
                        yield source.alert

    def muters(self, others: Iterable[Alert]) -> set[Episode]:
        """Those that may have muted one of the others, while both fired."""
        found = ((of, other) for other in others for of in self.explaining(other))
        return {of.episode for of, other in found if _overlap(of, other)} if self._found else set()

    def _is_told_before(self, alert: Alert, other: Alert, at: datetime) -> bool:
        """Whether this alert mutes the other one in turn, and is the first, then the worse one."""
        return _precedence(alert) < _precedence(other) and self._mutes(alert, other, at)

    def _mutes(self, alert: Alert, other: Alert, at: datetime) -> bool:
        """Whether it mutes the other, or what mutes that, and so on."""
        seen, ahead = {other.episode}, [other]
        while ahead:
            target = ahead.pop()
            for source in self.explaining(target):
                if source.episode == alert.episode:
                    return True
                if source.episode not in seen and _fires(source, target, at):
                    seen.add(source.episode)
                    ahead.append(source)
        return False


def _overlap(one: Alert, other: Alert) -> bool:
    """Whether both fired at some time, or one began as the other ended."""
    last = max(each.starts_at or each.active_at for each in (one, other))
    return all(each.ends_at is None or last <= each.ends_at for each in (one, other))


def _precedence(alert: Alert) -> tuple[datetime, int, Fingerprint]:
    return alert.starts_at or alert.active_at, -alert.severity.rank, alert.fingerprint


def _fires(source: Alert, target: Alert, at: datetime) -> bool:
    """Whether the source fires at that time; one that ends with the target did so until then."""
    if source.starts_at is None or at < source.starts_at:
        return False
    if source.ends_at is None:
        return True
    return at <= source.ends_at if target.state is State.RESOLVED else at < source.ends_at
