from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fluence_watch.model.vm import (
    ENDED,
    OUT_OF_FUNDS,
    SSH,
    Port,
    Status,
    Vm,
    parse_port,
    port,
    status_of,
)

PROTOCOLS = ("tcp", "udp", "icmp", "any")


@st.composite
def ports(draw: st.DrawFn) -> Port:
    first, last = sorted(draw(st.tuples(*[st.integers(1, 65_535)] * 2)))
    return Port(first, last, draw(st.sampled_from(PROTOCOLS)))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("ACTIVE", Status.ACTIVE),
        ("Active", Status.ACTIVE),
        ("launched", Status.ACTIVE),
        ("SmallBalance", Status.SMALL_BALANCE),
        ("InsufficientFunds", Status.INSUFFICIENT_FUNDS),
        ("insufficient_funds", Status.INSUFFICIENT_FUNDS),
        ("softRebooting", Status.RESTARTING),
        ("Terminated", Status.TERMINATED),
        ("<b>what</b>", Status.UNKNOWN),
        ("", Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
)
def test_words_of_the_dialects(word: str | None, status: Status) -> None:
    """Each dialect's spelling is the same status; a new word is unknown, not healthy or ended."""
    assert status == status_of(word)


@pytest.mark.parametrize("status", Status)
def test_every_status_is_its_own_word(status: Status) -> None:
    """The canonical word of a status reads back as it."""
    assert status == status_of(status.value)


def test_what_will_be_charged(web: Vm) -> None:
    """Only an ended VM is not billed any more; one that is short of money still is."""
    billed = {status for status in Status if replace(web, status=status).is_billed}
    assert set(Status) - {Status.TERMINATING, Status.TERMINATED, Status.FAILED} == billed
    assert OUT_OF_FUNDS.isdisjoint(ENDED)


def test_the_key_has_no_case(web: Vm) -> None:
    """Ids that differ in case alone are the same VM, and the id is shown as given."""
    assert web.key == replace(web, id=web.id.upper()).key
    assert web.id == "0x00aB"


def test_the_name_of_a_datacenter(web: Vm) -> None:
    """People know a datacenter as `FR-PAR-1`."""
    assert web.datacenter is not None
    assert web.datacenter.name == "FR-PAR-1"


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


@given(ports())
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
