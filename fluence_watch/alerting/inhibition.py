"""Inhibition: alerts that mute others while they fire. Pure.

Of alerts that mute each other, by two inhibitions or in a circle of several, one that fired before what
would mute it is told. So what is muted always leads to something that is told.
Source: Alertmanager, inhibition.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from fluence_watch.alerting.circles import circles
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


_Key = tuple[int, tuple[str, ...]]
"""The number of an inhibition, and the values of the labels that must be equal."""


@dataclass(slots=True)
class _Sources:
    """The sources of an inhibition whose equal labels are the same: those that are targets too, and not."""

    plain: list[Alert] = field(default_factory=list)
    both: list[Alert] = field(default_factory=list)

    def muting(self, *, source: bool) -> Iterator[Alert]:
        """What mutes a target, which may be a source too."""
        yield from self.plain
        if not source:
            yield from self.both


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
        self._inhibits, self._found = tuple(inhibits), dict[_Key, _Sources]()
        self._labels: dict[Episode, Mapping[str, str]] = {}
        for alert in alerts:
            likely = any(each.may_begin_with(alert) for each in self._inhibits)
            if likely and alert.starts_at:
                self._add(alert)

    def inhibitor(self, alert: Alert, at: datetime) -> Alert | None:
        """What mutes the alert at that time. The time of one that is over is when it ended."""
        for source in self.explaining(alert):
            if _fires(source, alert, at) and not self._is_told_before(alert, source):
                return source
        return None

    def explaining(self, alert: Alert) -> Iterator[Alert]:
        """The alerts that mute this one while they fire."""
        if self._found:
            for found, is_source in self._muting(labels(alert)):
                yield from self._found[found].muting(source=is_source)

    def muters(self, others: Iterable[Alert]) -> set[Episode]:
        """Those that may have muted one of the others, while both fired."""
        found = ((of, other) for other in others for of in self.explaining(other))
        return {of.episode for of, other in found if _overlap(of, other)} if self._found else set()

    def _add(self, alert: Alert) -> None:
        its = labels(alert)
        for number, inhibit in enumerate(self._inhibits):
            if all_match(inhibit.source, its):
                self._labels[alert.episode] = its
                sources = self._found.setdefault((number, inhibit.key(its)), _Sources())
                is_target = all_match(inhibit.target, its)
                (sources.both if is_target else sources.plain).append(alert)

    def _muting(self, its: Mapping[str, str]) -> Iterator[tuple[_Key, bool]]:
        """Where the sources are that mute an alert with these labels, and whether it is there itself."""
        for number, inhibit in enumerate(self._inhibits):
            key = number, inhibit.key(its)
            if key in self._found and all_match(inhibit.target, its):
                yield key, all_match(inhibit.source, its)

    def _is_told_before(self, alert: Alert, other: Alert) -> bool:
        """Whether this alert mutes the other one in turn, and is the first, then the worse one."""
        if _precedence(alert) > _precedence(other):
            return False
        circle = self._circles.get(alert.episode)
        return circle is not None and circle == self._circles.get(other.episode)

    @cached_property
    def _circles(self) -> Mapping[object, int]:
        """The circle that each source is in, of all that mute one another at some time."""
        edges: dict[object, list[object]] = {each: [] for each in self._labels}
        for key, sources in self._found.items():
            plain, both = (key, "plain"), (key, "both")
            edges |= {plain: [], both: []}
            for node, alerts in ((plain, sources.plain), (both, sources.both)):
                for alert in alerts:
                    edges[alert.episode].append(node)
        for episode, its in self._labels.items():
            for key, is_source in self._muting(its):
                edges[key, "plain"].append(episode)
                if not is_source:
                    edges[key, "both"].append(episode)
        return circles(edges)


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
