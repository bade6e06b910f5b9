"""Converts between rules of security groups and open ports.

A rule that admits everybody on IPv4 (`0.0.0.0/0`) is an open port.
Any other rule is narrow: it is kept and shown unchanged.
`protocolKind` is `"all"`, `"icmp"`, or `{"tcp": {"ports": …}}` with `"all"`,
`{"exact": {"value": 22}}` or `{"range": {"min": 8000, "max": 8100}}`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fluence_watch.model.ports import ALL_PORTS, Port
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.machine import Rule

EVERYBODY: Final = "0.0.0.0/0"
ALLOW_ALL: Final[Mapping[str, object]] = {"type": "allowAll"}
ANYTHING: Final = Port(*ALL_PORTS, "any")


@dataclass(frozen=True, slots=True)
class Ingress:
    """The inbound rules: `ports` are open to everybody, `narrow` rules to some addresses."""

    ports: tuple[Port, ...]
    narrow: tuple[Rule, ...] = ()


OPEN: Final = Ingress((ANYTHING,))
"""The API's default: a group without rules allows everything."""


def read_rules(rules: Mapping[str, Any]) -> Ingress:
    """Read `{"type": "allowAll"}` or `{"type": "allow", "rules": […]}`.

    Raises:
        RefusedError: it is neither.
    """
    match rules:
        case {"type": "allowAll"}:
            return OPEN
        case {"type": "allow", "rules": [*each]}:
            return ingress_of(each)
        case _:
            raise RefusedError("rules are allowAll, or allow with rules")


def ingress_of(rules: Sequence[Any]) -> Ingress:
    """Read a list of rules.

    Raises:
        RefusedError: one of them is invalid.
    """
    read = [(rule, _port_of(rule)) for rule in rules]
    ports = tuple(port for _, port in read if port is not None)
    return Ingress(ports, tuple(rule for rule, port in read if port is None))


def rules_json(ports: Iterable[Port], narrow: Iterable[Rule]) -> Mapping[str, object]:
    """Write the rules of a group."""
    ports, narrow = tuple(ports), tuple(narrow)
    if ports == OPEN.ports and not narrow:
        return ALLOW_ALL
    return {"type": "allow", "rules": [*(r for p in ports for r in _rules(p)), *narrow]}


def _port_of(rule: object) -> Port | None:
    match rule:
        case {"type": "ipv4", "protocolKind": kind, "remote": {"address": "0.0.0.0/0"}}:
            return _kind_of(kind)
        case {"type": "ipv4" | "ipv6", "protocolKind": kind, "remote": {"address": str()}}:
            _kind_of(kind)
        case {"type": "ipv4" | "ipv6", "protocolKind": kind, "remote": {"securityGroup": str()}}:
            _kind_of(kind)
        case _:
            raise RefusedError("a rule needs type, protocolKind and remote")
    return None


def _kind_of(kind: object) -> Port:
    match kind:
        case "all":
            return ANYTHING
        case "icmp":
            return Port(*ALL_PORTS, "icmp")
        case {"tcp": {"ports": ports}}:
            return Port(*_numbers(ports), "tcp")
        case {"udp": {"ports": ports}}:
            return Port(*_numbers(ports), "udp")
        case _:
            raise RefusedError("protocolKind is all, icmp, tcp or udp")


def _numbers(ports: object) -> tuple[int, int]:
    match ports:
        case "all":
            return ALL_PORTS
        case {"exact": {"value": int(first)}}:
            last = first
        case {"range": {"min": int(first), "max": int(last)}}:
            pass
        case _:
            raise RefusedError("ports are all, exact or range")
    if not 0 < first <= last <= ALL_PORTS[1]:
        raise RefusedError(f"{first} to {last} are not ports")
    return first, last


def _rules(port: Port) -> list[Rule]:
    if port in {ANYTHING, Port(*ALL_PORTS, "icmp")}:
        return [_rule("all" if port == ANYTHING else "icmp")]
    protocols = ("tcp", "udp") if port.protocol == "any" else (port.protocol,)
    return [_rule({protocol: {"ports": _ports_json(port)}}) for protocol in protocols]


def _rule(kind: object) -> Rule:
    return {"type": "ipv4", "protocolKind": kind, "remote": {"address": EVERYBODY}}


def _ports_json(port: Port) -> object:
    if port[:2] == ALL_PORTS:
        return "all"
    if port.first == port.last:
        return {"exact": {"value": port.first}}
    return {"range": {"min": port.first, "max": port.last}}
