"""Security groups: their rules as open ports, and open ports as rules.

An open port is an inbound rule that admits everybody: its `remote` is `0.0.0.0/0` or `::/0`.
Rules for narrower addresses and for other security groups open nothing to the public.
They are not shown, and kept when ports are set.
`allowAll` is every port of every protocol.
A rule of another protocol is shown as it is, and kept while its ports stay open.
Outbound traffic (`egressRules`) is ignored.
"""

from collections.abc import Iterable, Sequence
from ipaddress import ip_network
from typing import Any, Literal, NamedTuple

import msgspec

from fluence_watch.errors import RefusedError
from fluence_watch.fluence.dialects.wire import FieldError
from fluence_watch.model.ports import ALL_PORTS, Port, Ports, protocol_of

_ANYTHING = Port(*ALL_PORTS, "any")
_ICMP = Port(*ALL_PORTS, "icmp")
_WRITABLE = frozenset({"tcp", "udp"})


class _Remote(msgspec.Struct, rename="camel"):
    address: str | None = None
    security_group: str | None = None


class _Rule(msgspec.Struct, rename="camel"):
    type: Literal["ipv4", "ipv6"]
    protocol_kind: msgspec.Raw
    remote: _Remote


class _Rules(msgspec.Struct):
    type: Literal["allowAll", "allow"]
    rules: list[msgspec.Raw] | None = None


class _WireGroup(msgspec.Struct, rename="camel"):
    id: str
    attached_to: list[str]
    ingress_rules: msgspec.Raw
    name: str | None = None


class Group(NamedTuple):
    """A security group: its id in lower case, its interfaces, its inbound rules."""

    id: str
    name: str
    interfaces: frozenset[str]
    ingress: msgspec.Raw


class _Exact(msgspec.Struct):
    value: int


class _Range(msgspec.Struct):
    min: int
    max: int


class _Numbers(msgspec.Struct):
    exact: _Exact | None = None
    range: _Range | None = None


class _PortSet(msgspec.Struct):
    ports: Literal["all"] | _Numbers


def read_group(item: msgspec.Raw) -> Group:
    """A security group.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    wire = _GROUP.decode(item)
    interfaces = frozenset(each.lower() for each in wire.attached_to)
    return Group(wire.id.lower(), wire.name or "", interfaces, wire.ingress_rules.copy())


def open_ports(ingress: msgspec.Raw) -> Ports:
    """The ports that the inbound rules open to everybody, sorted.

    Raises:
        ValueError, RecursionError: one of the rules cannot be read.
    """
    ports = (_public_port(rule) for rule in _rules_of(ingress))
    return tuple(sorted({port for _, port in ports if port is not None}))


def with_open_ports(ingress: msgspec.Raw, wanted: Iterable[Port]) -> dict[str, object]:
    """The inbound rules that open these ports to everybody, with the narrower ones kept.

    Raises:
        ValueError, RecursionError: an existing rule cannot be read.
        RefusedError: no rule can be written for one of the ports.
    """
    wanted, kept = frozenset(wanted), list[msgspec.Raw]()
    missing = set(wanted)
    for rule in _rules_of(ingress):
        family, port = _public_port(rule)
        if port is None or port in wanted:
            kept.append(rule)
        if port is not None and (family == "ipv4" or not _is_writable(port)):
            missing.discard(port)
    if odd := sorted(port for port in missing if not _is_writable(port)):
        raise RefusedError(f"{odd[0]}: a rule can open ports of tcp or udp, icmp, or everything")
    return {"type": "allow", "rules": [*kept, *map(_rule_of, sorted(missing))]}


def _is_writable(port: Port) -> bool:
    """Whether a rule can open this port: tcp or udp, all of icmp, or all protocols."""
    return port.protocol in _WRITABLE or port in {_ANYTHING, _ICMP}


def _rules_of(ingress: msgspec.Raw) -> Sequence[msgspec.Raw]:
    rules = _RULES.decode(ingress)
    if rules.type == "allowAll":
        return [_ALLOW_ALL]
    if rules.rules is None:
        raise FieldError(".ingressRules.rules", "missing")
    return rules.rules


def _public_port(raw: msgspec.Raw) -> tuple[str, Port | None]:
    """The address family of a rule, and the port that it opens to everybody, if any."""
    rule = _RULE.decode(raw)
    port = _port_of(rule.protocol_kind)
    if rule.remote.address is None:
        if rule.remote.security_group is None:
            raise FieldError(".remote", "names nobody")
        return rule.type, None
    return rule.type, port if _is_everybody(rule.remote.address) else None


def _is_everybody(address: str) -> bool:
    return ip_network(address.strip(), strict=False).prefixlen == 0


def _port_of(kind: msgspec.Raw) -> Port:
    word = _KIND.decode(kind)
    if isinstance(word, dict):
        return _port_by_protocol(word)
    return _ANYTHING if word == "all" else Port(*ALL_PORTS, protocol_of(word))


def _port_by_protocol(kinds: dict[str, msgspec.Raw]) -> Port:
    """Read the port; for an unknown protocol, unreadable ports mean all of them."""
    if len(kinds) != 1:
        raise FieldError(".protocolKind", "names no single protocol")
    ((word, ports),) = kinds.items()
    protocol = protocol_of(word)
    try:
        return Port(*_numbers(_PORT_SET.decode(ports).ports), protocol)
    except ValueError:
        if protocol in _WRITABLE:
            raise
        return Port(*ALL_PORTS, protocol)


def _numbers(ports: Literal["all"] | _Numbers) -> tuple[int, int]:
    match ports:
        case "all":
            return ALL_PORTS
        case _Numbers(exact=_Exact(value=number), range=None):
            first = last = number
        case _Numbers(exact=None, range=_Range(min=first, max=last)):
            pass
        case _:
            raise FieldError(".ports", "neither all, exact nor a range")
    if not 0 < first <= last <= ALL_PORTS[1]:
        raise FieldError(".ports", "not port numbers")
    return first, last


def _rule_of(port: Port) -> dict[str, Any]:
    return {"type": "ipv4", "protocolKind": _kind_of(port), "remote": {"address": "0.0.0.0/0"}}


def _kind_of(port: Port) -> object:
    if port == _ANYTHING:
        return "all"
    if port == _ICMP:
        return "icmp"
    if port[:2] == ALL_PORTS:
        return {port.protocol: {"ports": "all"}}
    if port.first == port.last:
        return {port.protocol: {"ports": {"exact": {"value": port.first}}}}
    return {port.protocol: {"ports": {"range": {"min": port.first, "max": port.last}}}}


_GROUP = msgspec.json.Decoder(_WireGroup)
_RULES = msgspec.json.Decoder(_Rules)
_RULE = msgspec.json.Decoder(_Rule)
_KIND: msgspec.json.Decoder[str | dict[str, msgspec.Raw]] = msgspec.json.Decoder(
    str | dict[str, msgspec.Raw]
)
_PORT_SET = msgspec.json.Decoder(_PortSet)
_ALLOW_ALL = msgspec.Raw(msgspec.json.encode(_rule_of(_ANYTHING)))
