"""Sets of open ports, ranges among them: what a change opens and closes. Pure."""

from collections.abc import Iterable, Iterator

from fluence_watch.model.vm import ALL_PORTS, SSH, Port

RESERVED = 10_250
_ANY = "any"

Ports = tuple[Port, ...]


def opened(before: Ports, after: Ports) -> Ports:
    """What is open after the change and was not before it, as ranges that do not touch."""
    return _without(after, before)


def closed(before: Ports, after: Ports) -> Ports:
    """What was open before the change and is not after it."""
    return _without(before, after)


def same(one: Ports, other: Ports) -> bool:
    """Whether both open the same ports, however they write ranges."""
    return not opened(one, other) and not closed(one, other)


def with_open(present: Ports, wanted: Iterable[Port]) -> Ports:
    """The set with these ports open too; what is open stays written as it is."""
    missing = [port for port in wanted if _without((port,), present)]
    return tuple(sorted({*present, *missing}))


def with_closed(present: Ports, unwanted: Iterable[Port]) -> Ports:
    """The set without these ports; a range that holds one of them is split.

    Raises:
        ValueError: one is open only as part of a rule for any protocol, which cannot be split.
    """
    left = list(present)
    for port in unwanted:
        left = [piece for each in left for piece in _cut(each, port)]
    return tuple(sorted(set(left)))


def locks_out(before: Ports, after: Ports) -> bool:
    """Whether the change closes 22/tcp."""
    return not _without((SSH,), before) and bool(_without((SSH,), after))


def reserved(ports: Iterable[Port]) -> Ports:
    """Those that hold the port that the service keeps for itself; all ports at once may be open."""
    return tuple(
        port for port in ports if port.first <= RESERVED <= port.last and port[:2] != ALL_PORTS
    )


def _cut(port: Port, hole: Port) -> Iterator[Port]:
    """What is left of a port or range without the hole."""
    first, last = max(port.first, hole.first), min(port.last, hole.last)
    if first > last or hole.protocol not in {port.protocol, _ANY}:
        if port.protocol == _ANY and first <= last:
            raise ValueError(
                f"{hole} is open as part of {port}, which is for any protocol; "
                "say with `vm ports set` what is to stay open"
            )
        yield port
        return
    if port.first < first:
        yield Port(port.first, first - 1, port.protocol)
    if last < port.last:
        yield Port(last + 1, port.last, port.protocol)


def _without(these: Iterable[Port], others: Iterable[Port]) -> Ports:
    left = list(_merged(these))
    for other in others:
        holes = other.protocol
        left = [
            piece
            for port in left
            for piece in ([port] if holes not in {port.protocol, _ANY} else _cut(port, other))
        ]
    return tuple(sorted(left))


def _merged(ports: Iterable[Port]) -> Iterator[Port]:
    """The same ports as ranges that neither overlap nor touch."""
    run: Port | None = None
    for port in sorted(ports, key=lambda port: (port.protocol, port)):
        if run and run.protocol == port.protocol and port.first <= run.last + 1:
            run = Port(run.first, max(run.last, port.last), run.protocol)
        else:
            if run:
                yield run
            run = port
    if run:
        yield run
