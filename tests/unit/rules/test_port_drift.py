from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import Port, Status, Vm, parse_port
from fluence_watch.rules.base import Expectation, Judgement, Situation
from fluence_watch.rules.port_drift import (
    Direction,
    PortDrift,
    PortDriftSettings,
    drifted,
    expected_ports,
    judge,
)

SETTINGS = PortDriftSettings()
PROTOCOLS = ("tcp", "udp")

See = Callable[..., Situation]


def ports(*texts: str) -> tuple[Port, ...]:
    return tuple(map(parse_port, texts))


@st.composite
def some_ports(draw: st.DrawFn) -> tuple[Port, ...]:
    bounds = st.tuples(st.integers(1, 12), st.integers(0, 4), st.sampled_from(PROTOCOLS))
    return tuple(Port(low, low + more, proto) for low, more, proto in draw(st.lists(bounds)))


def single(some: tuple[Port, ...]) -> set[tuple[int, str]]:
    """Every single port of some ranges."""
    return {(n, each.protocol) for each in some for n in range(each.first, each.last + 1)}


@pytest.mark.parametrize(
    ("expected", "actual", "drift"),
    [
        ("22/tcp", "22/tcp", []),
        ("22/tcp", "22/tcp 3306/tcp", ["opened:3306/tcp"]),
        ("22/tcp 443/tcp", "22/tcp", ["closed:443/tcp"]),
        ("443/tcp 22/tcp", "22/tcp 443/tcp", []),
        ("53/tcp", "53/udp", ["opened:53/udp", "closed:53/tcp"]),
        ("", "22/tcp", ["opened:22/tcp"]),
        ("22/tcp", "", ["closed:22/tcp"]),
        ("8000-8002/tcp", "8000/tcp 8001/tcp 8002/tcp", []),
        ("8000-8002/tcp", "8000/tcp 8002/tcp", ["closed:8000-8002/tcp"]),
        ("8000/tcp 8001/tcp", "8000-8001/tcp", []),
        ("22/tcp", "all/tcp", ["opened:all/tcp"]),
        ("22/any", "22/tcp", ["closed:22/any"]),
        ("22/tcp", "22/any", ["opened:22/any"]),
        ("8000-8010/tcp 8005-8020/tcp", "8000-8020/tcp", []),
    ],
)
def test_which_ports_differ(web: Vm, expected: str, actual: str, drift: list[str]) -> None:
    """Opened and closed are told apart; a range is the single ports in it."""
    vm = replace(web, ports=ports(*actual.split()))
    found = [f"{way}:{port}" for way, port in drifted(vm, ports(*expected.split()))]
    assert drift == found


@given(some_ports(), some_ports())
def test_no_port_that_differs_is_missed(
    web: Vm, expected: tuple[Port, ...], actual: tuple[Port, ...]
) -> None:
    """There is drift if and only if the sets of single ports differ, in that direction."""
    ways = {way for way, _ in drifted(replace(web, ports=actual), expected)}
    assert bool(single(actual) - single(expected)) == (Direction.OPENED in ways)
    assert bool(single(expected) - single(actual)) == (Direction.CLOSED in ways)


def test_nothing_differs_from_the_unknown(web: Vm) -> None:
    """Neither ports nor an expectation that is unknown is drift."""
    assert [] == list(drifted(web, None))
    assert [] == list(drifted(replace(web, ports=None), ports("80/tcp")))


@pytest.mark.parametrize(
    ("expectation", "covers"),
    [
        (Expectation("web-*", ()), True),
        (Expectation("web-1", ()), True),
        (Expectation("WEB-1", ()), False),
        (Expectation("db-*", ()), False),
        (Expectation("*", ()), True),
        (Expectation("0X00AB", ()), True),
        (Expectation("0x00a", ()), False),
        (Expectation("web-*", (), account="main"), True),
        (Expectation("web-*", (), account="m*"), True),
        (Expectation("web-*", (), account="test"), False),
        (Expectation("0x00ab", (), account="test"), False),
    ],
)
def test_what_an_expectation_covers(web: Vm, expectation: Expectation, covers: bool) -> None:  # noqa: FBT001 - a column of the table
    """A glob on the name with its case, or an id without; both on the accounts it names."""
    assert covers == expectation.covers("main", web)


def test_a_vm_without_a_name(web: Vm) -> None:
    """Only a glob that matches everything, or the id, covers it."""
    nameless = replace(web, name=None)
    assert Expectation("*", ()).covers("main", nameless)
    assert not Expectation("web-*", ()).covers("main", nameless)


def test_the_first_expectation_that_covers_counts(web: Vm) -> None:
    """The order of the file decides; without any, the ports first seen are expected."""
    first, second = Expectation("web-1", ports("22")), Expectation("web-*", ports("80"))
    entry = KnownVm(web, web.next_billing_at, baseline=ports("443"))
    other = Expectation("db-*", ports("5432"))
    assert (ports("22"), True) == expected_ports("main", entry, (other, first, second))
    assert (ports("80"), True) == expected_ports("main", entry, (second, first))
    assert (ports("443"), False) == expected_ports("main", entry, (other,))


def test_the_facts_of_an_open_door(web: Vm, see: See) -> None:
    """One finding a port, with what is expected, what is open and who says so."""
    actual = replace(web, ports=ports("22", "3306"))
    found = Finding(
        Fingerprint("main", "port_drift", "0x00ab", "opened:3306/tcp"),
        Severity.WARNING,
        PortDrift(
            vm=VmRef("0x00aB", "web-1", "FR-PAR-1"),
            port="3306/tcp",
            direction=Direction.OPENED,
            configured=True,
            expected=("22/tcp",),
            actual=("22/tcp", "3306/tcp"),
        ),
    )
    situation = see(actual, expectations=[Expectation("web-*", ports("22"))])
    assert [found] == judge(situation, SETTINGS).findings


def test_drift_from_the_ports_first_seen(web: Vm, see: See) -> None:
    """Without an expectation the baseline counts, and the finding says that it is one."""
    known = {web.key: KnownVm(web, web.next_billing_at, baseline=ports("22", "443"))}
    (found,) = judge(see(web, known=known), SETTINGS).findings
    assert isinstance(found.facts, PortDrift)
    assert (Direction.CLOSED, "443/tcp") == (found.facts.direction, found.facts.port)
    assert not found.facts.configured


@pytest.mark.parametrize(
    ("expected", "actual", "severities"),
    [
        ("22/tcp", "", [Severity.CRITICAL]),
        ("20-30/tcp", "80/tcp", [Severity.INFO, Severity.CRITICAL]),
        ("20-30/tcp", "22/tcp", [Severity.INFO]),
        ("443/tcp", "", [Severity.INFO]),
        ("22/udp", "", [Severity.INFO]),
        ("", "22/tcp", [Severity.INFO]),
    ],
)
def test_a_lock_out_is_critical(
    web: Vm, see: See, expected: str, actual: str, severities: list[Severity]
) -> None:
    """Expected 22/tcp that is closed is critical whatever the settings; an open one is not."""
    wanted = Expectation("*", ports(*expected.split()))
    situation = see(replace(web, ports=ports(*actual.split())), expectations=[wanted])
    found = judge(situation, PortDriftSettings(severity=Severity.INFO)).findings
    assert severities == [each.severity for each in found]


@pytest.mark.parametrize(
    ("change", "judgement"),
    [
        ({"ports": None}, Judgement([], unknown=frozenset({"0x00ab"}))),
        ({"status": Status.LAUNCHING}, Judgement([], unknown=frozenset({"0x00ab"}))),
        ({"status": Status.TERMINATED}, Judgement([], gone=frozenset({"0x00ab"}))),
        ({"status": Status.UPDATING, "ports": ports("80")}, Judgement([])),
    ],
)
def test_vms_without_a_verdict(
    web: Vm, see: See, change: dict[str, object], judgement: Judgement
) -> None:
    """Unknown ports and those still being opened cannot be judged; an ended VM has no doors."""
    situation = see(replace(web, **change), expectations=[Expectation("*", ports("80"))])
    assert judgement == judge(situation, SETTINGS)
