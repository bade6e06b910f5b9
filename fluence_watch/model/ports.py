"""Open ports and sets of ports. All port comparisons are here.

A set of ports is a sequence of ports and ranges, each with a protocol.
It stands for pairs of a number and a protocol.
`any` means every protocol, including unnamed ones. Unknown protocols are kept as received.

The notation cannot express `any` minus one protocol.
`difference` therefore returns the smallest set that contains everything that differs.
For example, `22/any` minus `22/tcp` is `22/any`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from fluence_watch.model.text import inert

ALL_PORTS = (1, 65_535)
ANY = "any"
PROTOCOLS = ("tcp", "udp", "sctp", "icmp", ANY)
RESERVED = 10_250
MAX_SINGLE = 1000
"""The largest number of ports to send one by one. The API is not made for all 65,535."""

_LONGEST = 20
_TEXT = re.compile(r"(?:all|(\d{1,5})(?:-(\d{1,5}))?)(?:/(.+))?", re.ASCII | re.DOTALL)


class Port(NamedTuple):
    """An open port or a range with both ends included. Sorts by number, then by protocol.

    Its text is safe to display, whatever the protocol.
    """

    first: int
    last: int
    protocol: str

    def __str__(self) -> str:
        protocol = inert(self.protocol, _LONGEST)
        if (self.first, self.last) == ALL_PORTS:
            return f"all/{protocol}"
        numbers = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{numbers}/{protocol}"


Ports = tuple[Port, ...]

SSH = Port(22, 22, "tcp")


def port(number: int, protocol: str = "tcp") -> Port:
    """A single port. Known protocols are lowercased, unknown ones are kept.

    Raises:
        ValueError: the number is not a port number.
    """
    if not 0 < number <= ALL_PORTS[1]:
        raise ValueError(f"{number} is not a port number (1 to {ALL_PORTS[1]})")
    return Port(number, number, protocol_of(protocol))


def protocol_of(word: str) -> str:
    """The canonical name of a protocol: `TCP` is `tcp`. An unknown one is kept as given."""
    lower = word.lower()
    return lower if lower in PROTOCOLS else word


def parse_port(text: str) -> Port:
    """Parse `22/tcp`, `8000-8100/tcp` or `all/udp`. The default protocol is tcp.

    Raises:
        ValueError: the text is not a port, or the protocol is unknown.
    """
    read = port_from_text(text.strip().lower())
    if read is None or read.protocol not in PROTOCOLS:
        raise ValueError(f'{text!r:.40} is not a port: write "22/tcp" or "8000-8100/tcp"')
    return read


def port_from_text(text: str) -> Port | None:
    """Parse a port with any protocol. `None` if the text is not a port."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    first, last, protocol = match.groups()
    low, high = int(first or ALL_PORTS[0]), int(last or first or ALL_PORTS[1])
    return Port(low, high, protocol or "tcp") if 0 < low <= high <= ALL_PORTS[1] else None


def normalised(ports: Iterable[Port]) -> Ports:
    """The set as sorted ranges that neither overlap nor touch. Equal sets have equal results."""
    by_protocol = _merged(ports)
    everything = by_protocol.get(ANY, [])
    return _sorted(
        Port(*piece, protocol)
        for protocol, ranges in by_protocol.items()
        for piece in (ranges if protocol == ANY else _without(ranges, everything))
    )


def union(one: Iterable[Port], other: Iterable[Port]) -> Ports:
    """The ports in either set, normalised."""
    return normalised((*one, *other))


def intersection(one: Iterable[Port], other: Iterable[Port]) -> Ports:
    """The ports in both sets, normalised."""
    others = tuple(other)
    return normalised(common for a in one for b in others if (common := _common(a, b)))


def difference(one: Iterable[Port], other: Iterable[Port]) -> Ports:
    """The ports in the first set that are not in the other, normalised."""
    holes = _merged(other)
    everything = holes.get(ANY, [])
    return normalised(
        Port(*piece, protocol)
        for protocol, ranges in _merged(one).items()
        for piece in _without(
            ranges, everything if protocol == ANY else [*everything, *holes.get(protocol, [])]
        )
    )


def covers(ports: Iterable[Port], these: Iterable[Port]) -> bool:
    """Whether the set contains all of `these`."""
    return not difference(these, ports)


def same(one: Iterable[Port], other: Iterable[Port]) -> bool:
    """Whether both are the same set, regardless of notation."""
    return normalised(one) == normalised(other)


def expanded(ports: Iterable[Port]) -> Iterator[Port]:
    """The set as single ports, sorted: `8000-8001/tcp` yields two."""
    ranges = normalised(ports)
    return iter(sorted(Port(n, n, p) for first, last, p in ranges for n in range(first, last + 1)))


def count(ports: Iterable[Port]) -> int:
    """How many single ports are in the set."""
    return sum(last - first + 1 for first, last, _ in normalised(ports))


class Comparison(NamedTuple):
    """The ports that are unexpectedly open and unexpectedly closed, each normalised."""

    opened: Ports
    closed: Ports


@lru_cache(maxsize=4096)
def compared(actual: Ports, expected: Ports) -> Comparison:
    """How the open ports differ from the expected ones."""
    return Comparison(difference(actual, expected), difference(expected, actual))


def with_open(present: Ports, wanted: Iterable[Port]) -> Ports:
    """The set with `wanted` added. Ports that are already open keep their notation."""
    missing = [port for port in wanted if not covers(present, [port])]
    return tuple(sorted({*present, *missing}))


def with_closed(present: Ports, unwanted: Iterable[Port]) -> Ports:
    """The set without `unwanted`. A range that contains one of them is split.

    Raises:
        ValueError: a port is open only through an entry for any protocol, which cannot be split.
    """
    left = list(present)
    for hole in unwanted:
        left = [piece for each in left for piece in _split(each, hole)]
    return tuple(sorted(set(left)))


def closable(present: Ports, unwanted: Ports, expected: Ports) -> bool:
    """Whether the API can close `unwanted` and leave all expected ports open.

    If the list has no ranges, the API accepts no ranges either. Then each port is sent by itself.
    """
    try:
        left = with_closed(present, unwanted)
    except ValueError:
        return False
    pieces = [each for each in left if each not in present]
    writable = all(each.protocol in {"tcp", "udp"} for each in pieces)
    ranges = any(each.first != each.last for each in present)
    kept = covers(left, intersection(present, expected))
    parsable = all(each.protocol in PROTOCOLS for each in unwanted)
    return kept and writable and parsable and (ranges or len(left) <= MAX_SINGLE)


def locks_out(before: Iterable[Port], after: Iterable[Port]) -> bool:
    """Whether the change closes 22/tcp."""
    return covers(before, [SSH]) and not covers(after, [SSH])


def reserved(ports: Iterable[Port]) -> Ports:
    """The entries that contain the port that the service reserves, except entries for all ports."""
    return tuple(
        port for port in ports if port.first <= RESERVED <= port.last and port[:2] != ALL_PORTS
    )


_Range = tuple[int, int]


def _merged(ports: Iterable[Port]) -> Mapping[str, list[_Range]]:
    """The ranges by protocol. They neither overlap nor touch."""
    merged: defaultdict[str, list[_Range]] = defaultdict(list)
    for first, last, protocol in sorted(ports):
        ranges = merged[protocol]
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], last))
        else:
            ranges.append((first, last))
    return merged


def _without(ranges: Iterable[_Range], holes: Iterable[_Range]) -> Iterator[_Range]:
    holes = sorted(holes)
    for first, last in ranges:
        start = first
        for low, high in holes:
            if high >= start and low <= last:
                if start < low:
                    yield start, low - 1
                start = high + 1
        if start <= last:
            yield start, last


def _common(a: Port, b: Port) -> Port | None:
    first, last = max(a.first, b.first), min(a.last, b.last)
    if first > last or (a.protocol != b.protocol and ANY not in {a.protocol, b.protocol}):
        return None
    return Port(first, last, b.protocol if a.protocol == ANY else a.protocol)


def _split(port: Port, hole: Port) -> Iterator[Port]:
    """What remains of a port or range without the hole."""
    if _common(port, hole) is None:
        yield port
    elif port.protocol == ANY != hole.protocol:
        raise ValueError(
            f"{hole} is open as part of {port}, which is for any protocol; "
            "use `vm ports set` to list the ports that stay open"
        )
    else:
        for first, last in _without([port[:2]], [hole[:2]]):
            yield Port(first, last, port.protocol)


def _sorted(ports: Iterable[Port]) -> Ports:
    return tuple(sorted(ports))
