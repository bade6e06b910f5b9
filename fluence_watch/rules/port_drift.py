"""A port is open but should be closed, or closed but should be open.

The expected ports come from the first `[[expect]]` that matches the VM.
Without a match, they are the ports that the VM had when it was first seen, or that were accepted.
A range is equal to the single ports in it. The rule reports exactly the ports that differ.

Each range that differs is a separate problem with its own alert.
While the alert is open, all ports of its range that still differ belong to it.
Only other ports start a new alert.
A second port is therefore reported too, and an alert resolves only when its whole range is fixed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity, VmRef, ref
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ports import (
    SSH,
    Port,
    Ports,
    closable,
    compared,
    covers,
    difference,
    intersection,
    port_from_text,
)
from fluence_watch.model.vm import STARTING, Vm
from fluence_watch.rules.base import Judgement, Level, Rule, RuleSettings, as_long_as_the_same
from fluence_watch.rules.situation import Expectation, Situation

NAME = "port_drift"


class PortDriftSettings(RuleSettings):
    """How drift is reported. A closed 22/tcp is always critical."""

    severity: Level = Severity.WARNING


class Direction(StrEnum):
    """How a port differs from the expected state."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PortDrift:
    """The drift of one range in one direction.

    `port` is the range, or what is left of it (`400-442/tcp, 444/tcp`).
    `configured` is whether `expected` comes from `[[expect]]` or from the ports first seen or accepted.
    `closable` are the ports that can be closed while all expected ports stay open.
    It is empty if the API cannot do that.
    `lockout` is whether 22/tcp is unexpectedly closed.
    """

    vm: VmRef
    port: str
    direction: Direction
    configured: bool
    expected: tuple[str, ...]
    actual: tuple[str, ...]
    closable: tuple[str, ...] = ()
    lockout: bool = False


def expected_ports(
    account: str, entry: KnownVm, expectations: tuple[Expectation, ...]
) -> tuple[Ports | None, bool]:
    """The ports that the VM should have, and whether they come from the configuration."""
    for expectation in expectations:
        if expectation.covers(account, entry.last_known):  # the name may be unknown now
            return expectation.ports, True
    return entry.baseline, False


def drift_of(vm: Vm, expected: Ports | None) -> Mapping[Direction, Ports]:
    """The ranges that differ, by direction. Empty if the VM's or the expected ports are unknown."""
    if vm.ports is None or expected is None or vm.ports == expected:
        return _NO_DRIFT
    opened, closed = compared(vm.ports, expected)
    return {Direction.OPENED: opened, Direction.CLOSED: closed}


def judge(situation: Situation, settings: PortDriftSettings) -> Judgement:
    """Report all ports of every VM that differ."""
    findings: list[Finding] = []
    unknown, gone = set(), set()
    expectations = tuple(situation.expectations)
    notified = _open_alerts(situation.alerts)
    for key, vm in situation.vms.items():
        if not vm.is_billed:
            gone.add(key)
        elif vm.ports is None or vm.status in STARTING:
            unknown.add(key)
        else:
            expected, configured = expected_ports(
                situation.account, situation.known[key], expectations
            )
            drifts = () if vm.ports == expected else _drifts(vm, expected, notified)
            findings += [
                _finding(situation, settings, drift, configured=configured) for drift in drifts
            ]
    return Judgement(findings, frozenset(unknown), frozenset(gone))


class _Drift(NamedTuple):
    """A problem: the `ports` that differ within the `range_` of its alert."""

    vm: Vm
    expected: Ports
    direction: Direction
    range_: Port
    ports: Ports


_Ranges = Mapping[tuple[str, str], list[Port]]


def _open_alerts(fingerprints: Iterable[Fingerprint]) -> _Ranges:
    """The ranges of open alerts, by VM and direction."""
    ranges: defaultdict[tuple[str, str], list[Port]] = defaultdict(list)
    for fingerprint in fingerprints:
        direction, _, text = fingerprint.key.partition(":")
        if fingerprint.rule == NAME and (port := port_from_text(text)):
            ranges[fingerprint.subject, direction].append(port)
    return ranges


def _drifts(vm: Vm, expected: Ports | None, notified: _Ranges) -> Iterator[_Drift]:
    for direction, ports in drift_of(vm, expected).items():
        new = ports
        for range_ in notified.get((vm.key, direction), ()):
            if part := intersection(ports, [range_]):
                yield _Drift(vm, expected or (), direction, range_, part)
                new = difference(new, [range_])
        for range_ in new:
            yield _Drift(vm, expected or (), direction, range_, (range_,))


def _locks_out(drift: _Drift) -> bool:
    closed = drift.direction is Direction.CLOSED and covers(drift.ports, [SSH])
    return closed and not covers(drift.vm.ports or (), [SSH])


def _finding(
    situation: Situation, settings: PortDriftSettings, drift: _Drift, *, configured: bool
) -> Finding:
    vm, present, texts = drift.vm, drift.vm.ports or (), tuple(map(str, drift.ports))
    opened, lockout = drift.direction is Direction.OPENED, _locks_out(drift)
    facts = PortDrift(
        vm=ref(vm),
        port=", ".join(texts),
        direction=drift.direction,
        configured=configured,
        expected=tuple(map(str, drift.expected)),
        actual=tuple(map(str, present)),
        closable=texts if opened and closable(present, drift.ports, drift.expected) else (),
        lockout=lockout,
    )
    key = f"{drift.direction}:{drift.range_}"
    severity = Severity.CRITICAL if lockout else settings.severity
    fingerprint = Fingerprint(situation.account, NAME, vm.key, key)
    return Finding(fingerprint, severity, facts, step=int(lockout))


_NO_DRIFT: Mapping[Direction, Ports] = dict.fromkeys(Direction, ())

RULE = Rule(
    NAME,
    PortDriftSettings,
    (PortDrift,),
    judge,
    impact=Impact.ACCESS,
    holds_until=as_long_as_the_same,
)
