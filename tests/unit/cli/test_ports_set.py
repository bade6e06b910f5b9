import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.cli.manage.port_set import (
    closed,
    locks_out,
    opened,
    reserved,
    same,
    with_closed,
    with_open,
)
from fluence_watch.model.vm import Port, parse_port

Ports = tuple[Port, ...]


def _ports(text: str) -> Ports:
    return tuple(sorted(parse_port(each) for each in text.split()))


@pytest.mark.parametrize(
    ("present", "wanted", "after"),
    [
        ("22/tcp", "443/tcp", "22/tcp 443/tcp"),
        ("22/tcp", "22/tcp", "22/tcp"),
        ("22/tcp", "22/udp", "22/tcp 22/udp"),
        ("", "22", "22/tcp"),
        ("1-100/tcp", "22/tcp 80/tcp", "1-100/tcp"),
        ("22/tcp", "20-25/tcp", "20-25/tcp 22/tcp"),
        ("all/any", "22/tcp 53/udp", "all/any"),
        ("1-50/tcp 51-100/tcp", "40-60/tcp", "1-50/tcp 51-100/tcp"),
    ],
)
def test_opening(present: str, wanted: str, after: str) -> None:
    """What is missing is added; what is open already, be it in a range, is left alone."""
    assert _ports(after) == with_open(_ports(present), _ports(wanted))


@pytest.mark.parametrize(
    ("present", "unwanted", "after"),
    [
        ("22/tcp 80/tcp", "80/tcp", "22/tcp"),
        ("22/tcp", "80/tcp", "22/tcp"),
        ("22/tcp 22/udp", "22/udp", "22/tcp"),
        ("22/tcp 22/udp 80/tcp", "22/any", "80/tcp"),
        ("1-100/tcp", "80/tcp", "1-79/tcp 81-100/tcp"),
        ("1-100/tcp", "1/tcp 100/tcp", "2-99/tcp"),
        ("22/tcp 80/tcp 8080/tcp", "50-9000/tcp", "22/tcp"),
        ("all/any", "all/any", ""),
        ("8000-8010/any 22/tcp", "22/tcp", "8000-8010/any"),
    ],
)
def test_closing(present: str, unwanted: str, after: str) -> None:
    """What is open is taken away; a range is split around it."""
    assert _ports(after) == with_closed(_ports(present), _ports(unwanted))


def test_a_rule_for_any_protocol_is_not_split() -> None:
    """There is no telling what else it is for, so the user is asked to say what stays."""
    with pytest.raises(ValueError, match=r"80/tcp is open as part of 1-100/any"):
        with_closed(_ports("1-100/any"), _ports("80/tcp"))


@pytest.mark.parametrize(
    ("before", "after", "out"),
    [
        ("22/tcp", "", True),
        ("22/tcp 80/tcp", "80/tcp", True),
        ("22/tcp", "1-100/tcp", False),
        ("1-100/tcp", "1-21/tcp 23-100/tcp", True),
        ("all/tcp", "443/tcp", True),
        ("22/any", "22/udp", True),
        ("22/any", "22/tcp", False),
        ("20-30/tcp", "22/tcp", False),
        ("22/udp", "", False),
        ("80/tcp", "", False),  # it was closed already
        ("", "22/tcp", False),
    ],
)
def test_locking_out(before: str, after: str, *, out: bool) -> None:
    """22/tcp closes, alone, in a range, or by what is left out."""
    assert out is locks_out(_ports(before), _ports(after))


@pytest.mark.parametrize(
    ("ports", "taken"),
    [
        ("22/tcp 10250/tcp", "10250/tcp"),
        ("10250/udp", "10250/udp"),
        ("10000-11000/tcp", "10000-11000/tcp"),
        ("10249/tcp 10251/tcp", ""),
        ("all/tcp", ""),
    ],
)
def test_the_reserved_port(ports: str, taken: str) -> None:
    """10250 is the service's, also within a range; all ports at once are a rule of their own."""
    assert _ports(taken) == reserved(_ports(ports))


def test_the_difference_is_said_in_ranges() -> None:
    """A port that leaves a range is shown alone."""
    before, after = _ports("1-100/tcp"), _ports("1-79/tcp 81-100/tcp 443/tcp")
    assert _ports("443/tcp") == opened(before, after)
    assert _ports("80/tcp") == closed(before, after)


_PORT = st.builds(
    lambda first, length, protocol: Port(first, min(first + length, 40), protocol),
    st.integers(1, 40),
    st.integers(0, 12),
    st.sampled_from(["tcp", "udp"]),
)
_SETS = st.lists(_PORT, max_size=5).map(lambda ports: tuple(sorted(set(ports))))


def _singly(ports: Ports) -> set[tuple[int, str]]:
    return {(n, p.protocol) for p in ports for n in range(p.first, p.last + 1)}


@given(_SETS, _SETS)
def test_arithmetic_is_that_of_single_ports(one: Ports, other: Ports) -> None:
    """With ranges as without them: union, difference, equality, and who is locked out."""
    a, b = _singly(one), _singly(other)
    assert a | b == _singly(with_open(one, other))
    assert a - b == _singly(with_closed(one, other)) == _singly(closed(one, other))
    assert b - a == _singly(opened(one, other))
    assert (a == b) is same(one, other)
    assert ((22, "tcp") in a - b) is locks_out(one, other)


@given(_SETS, _SETS)
def test_doing_it_twice_changes_nothing(one: Ports, other: Ports) -> None:
    """Opening what is open and closing what is closed is nothing to do."""
    assert same(with_open(one, other), with_open(with_open(one, other), other))
    assert same(with_closed(one, other), with_closed(with_closed(one, other), other))
