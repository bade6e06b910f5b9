"""Open ports, and sets of them: the one place where ports are compared.

A set of ports is written as ports and ranges, each for a protocol. It stands for pairs of a number
and a protocol. `any` is every protocol, also those without a name here. A protocol that is unknown
is one like others: it is carried through as it came.

What `any` is without one protocol cannot be written. So `difference` gives the smallest set that
can be written and holds all that differs: `22/any` without `22/tcp` is `22/any`.
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
MOST_SINGLE = 1000
"""How many ports are written one by one at most: 65,535 are nothing that the API was made for."""

_LONGEST = 20
_TEXT = re.compile(r"(?:all|(\d{1,5})(?:-(\d{1,5}))?)(?:/(.+))?", re.ASCII | re.DOTALL)


class Port(NamedTuple):
    """An open port, or a range of them, both ends included. Sorts by number, then protocol.

    As text it is harmless, whatever its protocol is.
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
    """A single port. Protocols that are known are in lower case, others as given.

    Raises:
        ValueError: the number is not a port.
    """
    if not 0 < number <= ALL_PORTS[1]:
        raise ValueError(f"{number} is not a port number (1 to {ALL_PORTS[1]})")
    return Port(number, number, protocol_of(protocol))


def protocol_of(word: str) -> str:
    """The protocol that a word names: `TCP` is `tcp`; an unknown one is as given."""
    lower = word.lower()
    return lower if lower in PROTOCOLS else word


def parse_port(text: str) -> Port:
    """Read `22/tcp`, `8000-8100/tcp`, `all/udp`; without a protocol it is tcp.

    Raises:
        ValueError: it is not a port, or the protocol is not known.
    """
    read = read_back(text.strip().lower())
    if read is None or read.protocol not in PROTOCOLS:
        raise ValueError(f'{text!r:.40} is not a port: write "22/tcp" or "8000-8100/tcp"')
    return read


def read_back(text: str) -> Port | None:
    """The port that is written so, whatever its protocol; `None` when it is none."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    first, last, protocol = match.groups()
    low, high = int(first or ALL_PORTS[0]), int(last or first or ALL_PORTS[1])
    return Port(low, high, protocol or "tcp") if 0 < low <= high <= ALL_PORTS[1] else None


def normalised(ports: Iterable[Port]) -> Ports:
    """The same set as sorted ranges that neither overlap nor touch. Equal sets become equal."""
    by_protocol = _merged(ports)
    everything = by_protocol.get(ANY, [])
    return _sorted(
        Port(*piece, protocol)
        for protocol, ranges in by_protocol.items()
        for piece in (ranges if protocol == ANY else _without(ranges, everything))
    )


def union(one: Iterable[Port], other: Iterable[Port]) -> Ports:
    """What is in either, normalised."""
    return normalised((*one, *other))


def intersection(one: Iterable[Port], other: Iterable[Port]) -> Ports:
    """What is in both, normalised."""
    others = tuple(other)
    return normalised(common for a in one for b in others if (common := _common(a, b)))


def difference(one: Iterable[Port], other: Iterable[Port]) -> Ports:
    """What is in the first and not in the other, normalised."""
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
    """Whether all of these are in the set."""
    return not difference(these, ports)


def same(one: Iterable[Port], other: Iterable[Port]) -> bool:
    """Whether both are the same set, however they are written."""
    return normalised(one) == normalised(other)


def singly(ports: Iterable[Port]) -> Iterator[Port]:
    """The set without ranges: `8000-8001/tcp` is two. Sorted."""
    ranges = normalised(ports)
    return iter(sorted(Port(n, n, p) for first, last, p in ranges for n in range(first, last + 1)))


def count(ports: Iterable[Port]) -> int:
    """How many single ports are in the set."""
    return sum(last - first + 1 for first, last, _ in normalised(ports))


class Comparison(NamedTuple):
    """What is open and should not be, and what should be open and is not; each normalised."""

    opened: Ports
    closed: Ports


@lru_cache(maxsize=4096)
def compared(actual: Ports, expected: Ports) -> Comparison:
    """What differs from what is expected."""
    return Comparison(difference(actual, expected), difference(expected, actual))


def with_open(present: Ports, wanted: Iterable[Port]) -> Ports:
    """The set with these open too; what is open stays written as it is."""
    missing = [port for port in wanted if not covers(present, [port])]
    return tuple(sorted({*present, *missing}))


def with_closed(present: Ports, unwanted: Iterable[Port]) -> Ports:
    """The set without these; a range that holds one of them is split, others stay as written.

    Raises:
        ValueError: one is open only as part of a rule for any protocol, which cannot be split.
    """
    left = list(present)
    for hole in unwanted:
        left = [piece for each in left for piece in _split(each, hole)]
    return tuple(sorted(set(left)))


def closable(present: Ports, unwanted: Ports, expected: Ports) -> bool:
    """Whether the API can be asked to close these and to leave open all that is expected.

    Where the list has no ranges, the API takes no ranges either: each port is written by itself.
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
    return kept and writable and parsable and (ranges or len(left) <= MOST_SINGLE)


def locks_out(before: Iterable[Port], after: Iterable[Port]) -> bool:
    """Whether the change closes 22/tcp."""
    return covers(before, [SSH]) and not covers(after, [SSH])


def reserved(ports: Iterable[Port]) -> Ports:
    """Those that hold the port that the service keeps for itself; all ports at once may be open."""
    return tuple(
        port for port in ports if port.first <= RESERVED <= port.last and port[:2] != ALL_PORTS
    )


_Range = tuple[int, int]


def _merged(ports: Iterable[Port]) -> Mapping[str, list[_Range]]:
    """By protocol, the ranges that neither overlap nor touch."""
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
    """What is left of a port or range without the hole."""
    if _common(port, hole) is None:
        yield port
    elif port.protocol == ANY != hole.protocol:
        raise ValueError(
            f"{hole} is open as part of {port}, which is for any protocol; "
            "say with `vm ports set` what is to stay open"
        )
    else:
        for first, last in _without([port[:2]], [hole[:2]]):
            yield Port(first, last, port.protocol)


def _sorted(ports: Iterable[Port]) -> Ports:
    return tuple(sorted(ports))
