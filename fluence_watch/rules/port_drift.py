"""A port that is open and should not be, or closed and should be open.

What should be is the first `[[expect]]` that matches the VM, else the ports that it had when it was
first seen. A range is the same as the single ports in it: exactly what differs is found.

Each range that differs is a problem of its own. While its alert is open, whatever of it still
differs belongs to that alert, and only ports beyond it are a new problem. So a second port is
notified too, and nothing is called closed again while a part of it is open.
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
from fluence_watch.rules.base import Expectation, Judgement, Level, Rule, RuleSettings, Situation

NAME = "port_drift"


class PortDriftSettings(RuleSettings):
    """How drift is reported; a closed 22/tcp is critical whatever the severity."""

    severity: Level = Severity.WARNING


class Direction(StrEnum):
    """Which way a port differs from what is expected."""

    OPENED = "opened"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PortDrift:
    """What differs in one direction: one range, or what is left of one (`400-442/tcp, 444/tcp`).

    `configured` tells whether `[[expect]]` says so, or the ports first seen. `closable` are the
    ports that can be closed without closing one that is expected; none if the API cannot do that.
    `lockout` tells that 22/tcp is closed and should not be.
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
    """The ports that the VM should have, and whether the configuration says so."""
    for expectation in expectations:
        if expectation.covers(account, entry.last_known):  # by its name, also while that is unknown
            return expectation.ports, True
    return entry.baseline, False


def drift_of(vm: Vm, expected: Ports | None) -> Mapping[Direction, Ports]:
    """What differs from what is expected, as ranges; nothing where either is unknown."""
    if vm.ports is None or expected is None or vm.ports == expected:
        return _NO_DRIFT
    opened, closed = compared(vm.ports, expected)
    return {Direction.OPENED: opened, Direction.CLOSED: closed}


def judge(situation: Situation, settings: PortDriftSettings) -> Judgement:
    """Find all ports of every VM that differ."""
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
            findings.extend(
                _finding(situation, settings, drift, configured=configured)
                for drift in _drifts(vm, expected, notified)
            )
    return Judgement(findings, frozenset(unknown), frozenset(gone))


class _Drift(NamedTuple):
    """A problem: what differs of the `range_` that its alert was, or is, opened for."""

    vm: Vm
    expected: Ports
    direction: Direction
    range_: Port
    ports: Ports


_Ranges = Mapping[tuple[str, str], list[Port]]


def _open_alerts(fingerprints: Iterable[Fingerprint]) -> _Ranges:
    """The ranges whose alerts are open, by VM and direction."""
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
    return Finding(Fingerprint(situation.account, NAME, vm.key, key), severity, facts)


_NO_DRIFT: Mapping[Direction, Ports] = dict.fromkeys(Direction, ())

RULE = Rule(NAME, PortDriftSettings, (PortDrift,), judge, impact=Impact.ACCESS)
