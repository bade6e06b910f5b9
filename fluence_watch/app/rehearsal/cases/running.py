"""Runs a test, and compares the messages with those that are expected."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from fluence_watch.alerting.matchers import read_matchers
from fluence_watch.alerting.muting import Silence
from fluence_watch.alerting.telling import Line
from fluence_watch.app.rehearsal.cases.matching import matched
from fluence_watch.app.rehearsal.cases.table import (
    LONGER,
    Case,
    CaseAck,
    CaseSilence,
    Expected,
    ExpectedAlert,
)
from fluence_watch.app.rehearsal.cases.world import World
from fluence_watch.app.rehearsal.engine import Rehearsal
from fluence_watch.app.rehearsal.sent import Sent
from fluence_watch.model.finding import vm_of
from fluence_watch.model.globs import matches_any
from fluence_watch.notify.shipped import Words
from fluence_watch.settings import WatchSettings


class Got(NamedTuple):
    """A message that a receiver got: when since the start, its alerts, its title and its body."""

    at: timedelta
    receiver: str
    account: str
    lines: tuple[Line, ...]
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as expected at one time for one receiver.

    `elsewhere` are the times at which the receiver got what was expected. `unused` is an
    acknowledgement that nothing matched.
    """

    at: timedelta
    receiver: str = ""
    expected: tuple[Expected, ...] = ()
    got: tuple[Got, ...] = ()
    elsewhere: tuple[timedelta, ...] = ()
    unused: CaseAck | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A test that was run. It passed if there is no difference."""

    case: Case
    got: tuple[Got, ...]
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.differences


def run(case: Case, settings: WatchSettings, words: Words) -> Result:
    """Run a test by the settings; messages are in these words."""
    sent = list[Sent]()
    with Rehearsal(settings, sent.append) as rehearsal:
        unused = list(_live(case, settings, rehearsal))
    heard = (_got(case, each, words) for each in sent)
    seen = [each for each in heard if _is_compared(case, each)]
    got = tuple(each for each in seen if each.at <= case.end)
    differences = (*unused, *_differences(case.expect, got, seen))
    return Result(case, got, tuple(sorted(differences, key=lambda each: each.at)))


def _live(case: Case, settings: WatchSettings, rehearsal: Rehearsal) -> Iterator[Difference]:
    """Poll from the start to the end, and a while longer: what was expected may come then.

    Yields the acknowledgements that nothing matched.
    """
    world, acks = World(case, settings), sorted(case.acks, key=lambda each: each.at)
    for silence in case.silences:
        rehearsal.silence(_silence(case, silence))
    for now in _polls(case, settings.poll.interval):
        while acks and case.start + acks[0].at < now:
            yield from _acknowledged(case, acks.pop(0), rehearsal)
        for account in settings.accounts:
            rehearsal.poll(world.outcome(account.name, now))
    for ack in acks:
        yield from _acknowledged(case, ack, rehearsal)
    rehearsal.pass_until(case.start + case.end + LONGER)


def _polls(case: Case, interval: timedelta) -> Iterator[datetime]:
    step, number = case.interval or interval, 0
    while number * step <= case.end + LONGER:
        yield case.start + number * step
        number += 1


def _silence(case: Case, each: CaseSilence) -> Silence:
    begins, matchers = case.start + each.at, read_matchers(each.match)
    return Silence(each.comment or "silence", matchers, begins, begins + each.lasts, each.comment)


def _acknowledged(case: Case, ack: CaseAck, rehearsal: Rehearsal) -> Iterator[Difference]:
    at = case.start + ack.at
    if not rehearsal.acknowledge(read_matchers(ack.match), at, at + ack.lasts):
        yield Difference(ack.at, unused=ack)


def _got(case: Case, sent: Sent, words: Words) -> Got:
    rendered = sent.rendered(words)
    return Got(
        sent.at - case.start,
        sent.receiver,
        sent.account,
        tuple(line for line in sent.lines if matches_any(case.rules, line.alert.fingerprint.rule)),
        rendered.title,
        rendered.body,
    )


def _is_compared(case: Case, got: Got) -> bool:
    return bool(got.lines) and matches_any(case.receivers, got.receiver)


def _differences(
    expect: Sequence[Expected], got: Sequence[Got], seen: Sequence[Got]
) -> Iterator[Difference]:
    """What differs at each time for each receiver. `seen` are also the messages after the end."""
    places = {(each.at, each.receiver) for each in expect}
    for at, receiver in sorted(places.union((each.at, each.receiver) for each in got)):
        wanted = [each for each in expect if (each.at, each.receiver) == (at, receiver)]
        found = [each for each in got if (each.at, each.receiver) == (at, receiver)]
        pairs = matched(wanted, found, fits)
        wanted = [each for place, each in enumerate(wanted) if place not in pairs.values()]
        found = [each for place, each in enumerate(found) if place not in pairs]
        if wanted or found:
            times = {one.at for each in wanted for one in seen if _is_elsewhere(each, one)}
            yield Difference(at, receiver, tuple(wanted), tuple(found), tuple(sorted(times)))


def _is_elsewhere(expected: Expected, got: Got) -> bool:
    return got.receiver == expected.receiver and got.at != expected.at and fits(expected, got)


def fits(expected: Expected, got: Got) -> bool:
    """Whether a message is as expected, but for its time and its receiver."""
    return (
        expected.account in {None, got.account}
        and expected.title in {None, got.title}
        and all(text in got.body for text in expected.says)
        and (expected.alerts is None or _same(expected.alerts, got.lines))
    )


def _same(expected: Sequence[ExpectedAlert], lines: Sequence[Line]) -> bool:
    """Whether each line is an expected one, and all of them are there."""
    return len(expected) == len(lines) == len(matched(expected, lines, _is))


def _is(expected: ExpectedAlert, line: Line) -> bool:
    alert, about = line.alert, line.alert.fingerprint
    vm = vm_of(alert.facts)
    pairs = [
        (expected.rule, about.rule),
        (expected.vm, vm.name or vm.id if vm else ""),
        (expected.reason, line.reason),
        (expected.severity, alert.severity),
        (expected.subject, about.subject),
        (expected.key, about.key),
    ]
    return all(wanted in {None, found} for wanted, found in pairs)
