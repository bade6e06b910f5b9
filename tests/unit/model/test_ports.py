import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fluence_watch.model.ports import (
    SSH,
    Port,
    closable,
    compared,
    count,
    covers,
    difference,
    expanded,
    intersection,
    locks_out,
    normalised,
    parse_port,
    port,
    port_from_text,
    reserved,
    same,
    union,
    with_closed,
    with_open,
)

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


@pytest.mark.parametrize(
    ("expected", "actual", "opened", "closed"),
    [
        ("8000-8010/tcp", "8000-8005/tcp", "", "8006-8010/tcp"),
        ("22 443", "22 400-500/tcp", "400-442/tcp 444-500/tcp", ""),
        ("1-100/tcp", "1-79/tcp 81-100/tcp 443/tcp", "443/tcp", "80/tcp"),
        ("22/tcp", "22/tcp 5060/sctp", "5060/sctp", ""),
        ("all/icmp 22", "22", "", "all/icmp"),
        ("22/tcp", "all/any", "1-21/any 22/any 23-65535/any", ""),
        ("all/any", "22/tcp", "", "all/any"),
        ("20-30/any", "22/tcp 53/udp", "53/udp", "20-30/any"),
    ],
)
def test_what_differs(expected: str, actual: str, opened: str, closed: str) -> None:
    """Exactly what differs; of `any` protocol what cannot be written without one is all of it."""
    expected_difference = (normalised(_ports(opened)), normalised(_ports(closed)))
    assert expected_difference == compared(_ports(actual), _ports(expected))


@pytest.mark.parametrize(
    ("present", "unwanted", "expected", "can"),
    [
        ("22/tcp 400-500/tcp", "400-442/tcp 444-500/tcp", "22/tcp 443/tcp", True),
        ("22/tcp 400-500/tcp", "400-500/tcp", "22/tcp 443/tcp", False),
        ("22/tcp 80/tcp", "80/tcp", "22/tcp", True),
        ("22/tcp 80/tcp all/icmp", "80/tcp", "22/tcp", True),
        ("all/any", "1-21/any 23-65535/any", "22/tcp", False),  # 22/any cannot be written
        ("all/any", "all/any", "", True),
        ("all/any", "80/tcp", "22/tcp", False),
        ("5060/sctp 22", "5060/sctp", "22", True),
        ("5060-5070/sctp 22", "5060/sctp", "22", False),  # which dialect writes such a range?
    ],
)
def test_what_can_be_closed(present: str, unwanted: str, expected: str, *, can: bool) -> None:
    """Only what the API can write, and only what leaves open what is expected."""
    assert can is closable(_ports(present), _ports(unwanted), _ports(expected))


def test_too_many_single_ports() -> None:
    """Where ports are written one by one, there may not be too many of them."""
    many = tuple(Port(n, n, "tcp") for n in range(1, 1003))
    assert not closable(many, (Port(1, 1, "tcp"),), ())
    assert closable(many, (Port(1, 2, "tcp"),), ())


def test_a_protocol_that_is_unknown() -> None:
    """It is data like any other, harmless as text, and cannot be typed by a slip."""
    odd = Port(7, 9, "\x1b[31m<b>")
    assert "7-9/<b>" == str(odd)
    assert (Port(7, 7, odd.protocol), Port(9, 9, odd.protocol)) == difference(
        [odd], [Port(8, 8, odd.protocol), Port(1, 100, "tcp")]
    )
    assert () == difference([odd], [Port(1, 100, "any")])
    assert Port(80, 80, "GRE") == port_from_text("80/GRE") == port(80, "GRE")
    with pytest.raises(ValueError, match="22/tcp"):
        parse_port("80/GRE")


# From here on: against sets of single ports. `*` stands for the protocols that nobody names.
_NAMED = ("tcp", "udp", "icmp", "sctp", "x-quic")
_UNIVERSE = frozenset({*_NAMED, "*"})
_PORT = st.builds(
    lambda first, length, protocol: Port(first, min(first + length, 40), protocol),
    st.integers(1, 40),
    st.integers(0, 12),
    st.sampled_from([*_NAMED, "any"]),
)
_SETS = st.lists(_PORT, max_size=6).map(lambda ports: tuple(sorted(set(ports))))
_PLAIN = st.lists(_PORT.filter(lambda port: port.protocol != "any"), max_size=6).map(tuple)

Points = set[tuple[int, str]]


def _points(ports: Ports) -> Points:
    return {
        (number, protocol)
        for each in ports
        for number in range(each.first, each.last + 1)
        for protocol in (_UNIVERSE if each.protocol == "any" else (each.protocol,))
    }


def _writable(points: Points) -> Points:
    """The smallest set that ports can be written for: with `*` at a number, it is all there."""
    return points | {(n, protocol) for n, rest in points if rest == "*" for protocol in _UNIVERSE}


@given(_SETS, _SETS)
def test_the_laws_of_sets(one: Ports, other: Ports) -> None:
    """Union and intersection are exact; the difference is, as far as it can be written."""
    a, b = _points(one), _points(other)
    assert a | b == _points(union(one, other)) == _points(with_open(one, other))
    assert a & b == _points(intersection(one, other))
    assert _writable(a - b) == _points(difference(one, other))
    assert (a >= b) is covers(one, other)
    assert (a == b) is same(one, other)
    assert ((22, "tcp") in a - b) is locks_out(one, other)


@given(_SETS, _SETS)
def test_equal_sets_are_written_alike(one: Ports, other: Ports) -> None:
    """Normalised, sets are equal if and only if they are the same; twice changes nothing."""
    small = normalised(one)
    assert _points(one) == _points(small)
    assert small == normalised(small) == normalised((*one, *small))
    assert (_points(one) == _points(other)) is (small == normalised(other))
    for made in (union(one, other), intersection(one, other), difference(one, other)):
        assert made == normalised(made)
    assert (difference(one, other), difference(other, one)) == compared(one, other)


@given(_SETS)
def test_one_by_one(ports: Ports) -> None:
    """A set of single ports is the same set, and as many."""
    single = tuple(expanded(ports))
    assert all(first == last for first, last, _ in single)
    assert same(ports, single)
    assert len(single) == len(set(single)) == count(ports)


@given(_SETS, _SETS)
def test_closing_leaves_the_rest(present: Ports, unwanted: Ports) -> None:
    """Exactly what is asked for is closed, or it is refused."""
    try:
        left = with_closed(present, unwanted)
    except ValueError:
        assert any(each.protocol == "any" for each in present)
        return
    assert _points(present) - _points(unwanted) == _points(left)


@given(_SETS, _SETS)
def test_what_is_offered_to_close(present: Ports, expected: Ports) -> None:
    """It never closes what is expected and open, and then nothing of it is open."""
    unwanted = difference(present, expected)
    if closable(present, unwanted, expected):
        left = _points(with_closed(present, unwanted))
        assert left == _points(present) & _points(expected)


@given(_PLAIN, _PLAIN)
def test_plain_ports_can_always_be_closed(present: Ports, unwanted: Ports) -> None:
    """Without `any` there is nothing that cannot be split."""
    assert _points(present) - _points(unwanted) == _points(with_closed(present, unwanted))


# How ports are written.
PROTOCOLS = ("tcp", "udp", "sctp", "icmp", "any")


@st.composite
def some_port(draw: st.DrawFn) -> Port:
    first, last = sorted(draw(st.tuples(*[st.integers(1, 65_535)] * 2)))
    return Port(first, last, draw(st.sampled_from(PROTOCOLS)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22/tcp", SSH),
        ("22", SSH),
        (" 22/TCP ", SSH),
        ("8000-8100/udp", Port(8000, 8100, "udp")),
        ("all/udp", Port(1, 65_535, "udp")),
        ("all", Port(1, 65_535, "tcp")),
        ("65535/any", Port(65_535, 65_535, "any")),
    ],
)
def test_ports(text: str, expected: Port) -> None:
    """A port is a number or a range, with a protocol or tcp."""
    assert expected == parse_port(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/tcp",
        "ssh",
        "0/tcp",
        "65536/tcp",
        "-1",
        "80-",
        "-80",
        "90-80/tcp",
        "22/ssh",
        "all/x",
        "2_2/tcp",
        "٢٢/tcp",
        "+22/tcp",
        "22.0/tcp",
        "22/tcp/tcp",
        "9" * 5000,
    ],
)
def test_texts_that_are_no_port(text: str) -> None:
    """What is no port is refused, with a hint how one is written."""
    with pytest.raises(ValueError, match="22/tcp"):
        parse_port(text)


@given(some_port())
@example(Port(1, 65_535, "any"))
def test_a_port_is_read_back(each: Port) -> None:
    """What a message shows of a port can be pasted into the configuration."""
    assert each == parse_port(str(each))


@given(st.text(max_size=20))
def test_any_text_is_a_port_or_a_value_error(text: str) -> None:
    """Hostile text raises ValueError and nothing else."""
    try:
        each = parse_port(text)
    except ValueError:
        return
    assert 0 < each.first <= each.last <= 65_535


def test_single_ports() -> None:
    """A port from a number has a number's bounds and a lower-case protocol."""
    assert Port(53, 53, "udp") == port(53, "UDP")
    for number in (0, -1, 65_536):
        with pytest.raises(ValueError, match="not a port number"):
            port(number)
