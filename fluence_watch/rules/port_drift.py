"""A port that is open and should not be, or closed and should be open.

What should be is the first `[[expect]]` that matches the VM, else the ports that it had when it was
first seen. Each port is a problem of its own, so that a second one is told as well. A range is the
same as the single ports in it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef, ref
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import SSH, STARTING, Port, Vm
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
    """One port; `configured` tells whether `[[expect]]` says so, or the ports first seen."""

    vm: VmRef
    port: str
    direction: Direction
    configured: bool
    expected: tuple[str, ...]
    actual: tuple[str, ...]


def expected_ports(
    account: str, entry: KnownVm, expectations: tuple[Expectation, ...]
) -> tuple[tuple[Port, ...] | None, bool]:
    """The ports that the VM should have, and whether the configuration says so."""
    for expectation in expectations:
        if expectation.covers(account, entry.vm):
            return expectation.ports, True
    return entry.baseline, False


def drifted(vm: Vm, expected: tuple[Port, ...] | None) -> Iterator[tuple[Direction, Port]]:
    """Each port that differs from what is expected; nothing where either is unknown."""
    if vm.ports is None or expected is None or vm.ports == expected:
        return
    for port in vm.ports:
        if port not in expected and not _covered(port, expected):
            yield Direction.OPENED, port
    for port in expected:
        if port not in vm.ports and not _covered(port, vm.ports):
            yield Direction.CLOSED, port


def _covered(port: Port, by: Iterable[Port]) -> bool:
    """Whether the others, ranges among them, together hold all of the port or range."""
    number = port.first
    for other in sorted(by):
        if other.protocol in {port.protocol, "any"} and other.first <= number <= other.last:
            number = other.last + 1
    return number > port.last


def _locks_out(direction: Direction, port: Port, open_ports: Iterable[Port]) -> bool:
    closed = direction is Direction.CLOSED and _covered(SSH, [port])
    return closed and not _covered(SSH, open_ports)


def judge(situation: Situation, settings: PortDriftSettings) -> Judgement:
    """Find every port of every VM that differs."""
    findings: list[Finding] = []
    unknown, gone = set(), set()
    expectations = tuple(situation.expectations)
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
                _finding(situation, settings, vm, drift, expected or (), configured=configured)
                for drift in drifted(vm, expected)
            )
    return Judgement(findings, frozenset(unknown), frozenset(gone))


def _finding(
    situation: Situation,
    settings: PortDriftSettings,
    vm: Vm,
    drift: tuple[Direction, Port],
    expected: tuple[Port, ...],
    *,
    configured: bool,
) -> Finding:
    direction, port = drift
    facts = PortDrift(
        vm=ref(vm),
        port=str(port),
        direction=direction,
        configured=configured,
        expected=tuple(map(str, expected)),
        actual=tuple(map(str, vm.ports or ())),
    )
    lockout = _locks_out(direction, port, vm.ports or ())
    fingerprint = Fingerprint(situation.account, NAME, vm.key, f"{direction}:{port}")
    return Finding(fingerprint, Severity.CRITICAL if lockout else settings.severity, facts)


RULE = Rule(NAME, PortDriftSettings, (PortDrift,), judge)
