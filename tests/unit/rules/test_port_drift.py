from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.model.finding import Finding, Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ports import Port, parse_port
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.base import Judgement
from fluence_watch.rules.port_drift import (
    Direction,
    PortDrift,
    PortDriftSettings,
    drift_of,
    expected_ports,
    judge,
)
from fluence_watch.rules.situation import Expectation, Situation

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
        ("8000-8002/tcp", "8000/tcp 8002/tcp", ["closed:8001/tcp"]),
        ("8000-8010/tcp", "8000-8005/tcp", ["closed:8006-8010/tcp"]),
        ("22/tcp 443/tcp", "22/tcp 400-500/tcp", ["opened:400-442/tcp", "opened:444-500/tcp"]),
        ("22/tcp", "22/tcp 5060/sctp", ["opened:5060/sctp"]),
        ("8000/tcp 8001/tcp", "8000-8001/tcp", []),
        ("22/tcp", "all/tcp", ["opened:1-21/tcp", "opened:23-65535/tcp"]),
        ("22/any", "22/tcp", ["closed:22/any"]),
        ("22/tcp", "22/any", ["opened:22/any"]),
        ("8000-8010/tcp 8005-8020/tcp", "8000-8020/tcp", []),
    ],
)
def test_which_ports_differ(web: Vm, expected: str, actual: str, drift: list[str]) -> None:
    """Opened and closed are told apart; a range is the single ports in it."""
    vm = replace(web, ports=ports(*actual.split()))
    found = drift_of(vm, tuple(sorted(ports(*expected.split()))))
    assert drift == [f"{way}:{port}" for way, each in found.items() for port in each]


@given(some_ports(), some_ports())
def test_no_port_that_differs_is_missed(
    web: Vm, expected: tuple[Port, ...], actual: tuple[Port, ...]
) -> None:
    """The drift is exactly what of the sets of single ports differs, in either direction."""
    drift = drift_of(replace(web, ports=actual), expected)
    assert single(actual) - single(expected) == single(drift[Direction.OPENED])
    assert single(expected) - single(actual) == single(drift[Direction.CLOSED])


def test_nothing_differs_from_the_unknown(web: Vm) -> None:
    """Neither ports nor an expectation that is unknown is drift."""
    nothing = {Direction.OPENED: (), Direction.CLOSED: ()}
    assert nothing == drift_of(web, None)
    assert nothing == drift_of(replace(web, ports=None), ports("80/tcp"))


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
            closable=("3306/tcp",),
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


def found_by_key(
    see: See, vm: Vm, expected: str, actual: str, *open_alerts: str
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """By key, the ports of each finding and those that can be closed."""
    situation = see(
        replace(vm, ports=ports(*actual.split())),
        expectations=[Expectation("*", ports(*expected.split()))],
        alerts=[Fingerprint("main", "port_drift", vm.key, key) for key in open_alerts],
    )
    facts = [(each.fingerprint.key, each.facts) for each in judge(situation, SETTINGS).findings]
    return {key: (each.port, each.closable) for key, each in facts if isinstance(each, PortDrift)}


@pytest.mark.parametrize(
    ("expected", "actual", "open_alerts", "findings"),
    [
        # the same while it is as it was
        ("22", "22 400-500", ["opened:400-500/tcp"], {"opened:400-500/tcp": "400-500/tcp"}),
        # a part of it closes: it is the same problem, and not "closed again"
        ("22", "22 450-500", ["opened:400-500/tcp"], {"opened:400-500/tcp": "450-500/tcp"}),
        ("22", "22", ["opened:400-500/tcp"], {}),
        # more opens: what is beyond is another problem, however the list writes the whole
        (
            "22",
            "22 80-82",
            ["opened:80/tcp"],
            {"opened:80/tcp": "80/tcp", "opened:81-82/tcp": "81-82/tcp"},
        ),
        # a store of a former version, where the alert named all of the rule that was open
        (
            "22 443",
            "22 400-500",
            ["opened:400-500/tcp"],
            {"opened:400-500/tcp": "400-442/tcp, 444-500/tcp"},
        ),
        (
            "8000-8010",
            "8000-8005",
            ["closed:8000-8010/tcp"],
            {"closed:8000-8010/tcp": "8006-8010/tcp"},
        ),
        # or each port singly
        (
            "22",
            "22 80 81",
            ["opened:80/tcp", "opened:81/tcp"],
            {"opened:80/tcp": "80/tcp", "opened:81/tcp": "81/tcp"},
        ),
        # overlapping ones: neither is over while any of it is open
        (
            "22",
            "22 450",
            ["opened:400-500/tcp", "opened:450-460/tcp"],
            {"opened:400-500/tcp": "450/tcp", "opened:450-460/tcp": "450/tcp"},
        ),
        # the other direction is another problem; texts that are no port are no trouble
        ("22", "22 80", ["closed:80/tcp", "opened:<b>", ""], {"opened:80/tcp": "80/tcp"}),
    ],
)
def test_alerts_that_are_open(
    web: Vm,
    see: See,
    expected: str,
    actual: str,
    open_alerts: list[str],
    findings: dict[str, str],
) -> None:
    """What of an open alert still differs stays its problem; only ports beyond it are a new one."""
    by_key = found_by_key(see, web, expected, actual, *open_alerts)
    assert findings == {key: shown for key, (shown, _) in by_key.items()}


def test_closing_leaves_expected_ports_open(web: Vm, see: See) -> None:
    """443 is in the range and expected: the range is not offered for closing, its parts are."""
    assert {
        "opened:400-442/tcp": ("400-442/tcp", ("400-442/tcp",)),
        "opened:444-500/tcp": ("444-500/tcp", ("444-500/tcp",)),
    } == found_by_key(see, web, "22 443", "22 400-500")
    assert {"opened:all/any": ("all/any", ())} == found_by_key(see, web, "22", "all/any")


def test_a_lock_out_after_another_drift(web: Vm, see: See) -> None:
    """25 is closed and notified; when 22 follows, that is a new and a critical problem."""
    situation = see(
        replace(web, ports=ports("80")),
        expectations=[Expectation("*", ports("22-25", "80"))],
        alerts=[Fingerprint("main", "port_drift", web.key, "closed:23-25/tcp")],
    )
    assert [("closed:23-25/tcp", Severity.WARNING), ("closed:22/tcp", Severity.CRITICAL)] == [
        (each.fingerprint.key, each.severity) for each in judge(situation, SETTINGS).findings
    ]


@pytest.mark.parametrize(
    ("expected", "actual", "severities"),
    [
        ("22/tcp", "", [Severity.CRITICAL]),
        ("20-30/tcp", "80/tcp", [Severity.INFO, Severity.CRITICAL]),
        ("20-30/tcp", "22/tcp", [Severity.INFO, Severity.INFO]),
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
