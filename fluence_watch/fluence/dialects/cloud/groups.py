"""The security groups of an account, and the change that sets a VM's open ports."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from fluence_watch.errors import RefusedError
from fluence_watch.fluence.dialects.cloud.pages import read_pages
from fluence_watch.fluence.dialects.cloud.rules import (
    Group,
    open_ports,
    read_group,
    with_open_ports,
)
from fluence_watch.fluence.dialects.cloud.vms import Interface, outward
from fluence_watch.fluence.dialects.wire import decoded, expected, tolerant
from fluence_watch.fluence.http.calls import Call
from fluence_watch.model.ports import Ports
from fluence_watch.model.text import inert


class GroupChange(NamedTuple):
    """The request that changes a group."""

    path: str
    body: object


async def read_groups(call: Call) -> list[Group]:
    """The groups of the account; unreadable ones are left out.

    Raises:
        ApiError: the list could not be read.
    """
    pages = await read_pages(call, "list_security_groups", "/v1/security_groups")
    return [group for group in map(_group_or_none, pages.items) if group is not None]


def ports_by_group(groups: Iterable[Group]) -> Mapping[str, Ports | None]:
    """The open ports of each group, by its id; `None` if its rules cannot be read."""
    return {group.id: _ports_or_none(group) for group in groups}


def group_by_interface(groups: Iterable[Group]) -> Mapping[str, str]:
    """The group id of each network interface, by the interface's id."""
    return {interface: group.id for group in groups for interface in group.interfaces}


async def port_change(call: Call, vm_path: str, ports: Ports) -> GroupChange:
    """The request that opens exactly these ports of a VM. It is not sent yet.

    Raises:
        RefusedError: it would change other VMs too, or the VM has no single group to change.
        ApiError: the groups or interfaces could not be read.
    """
    body = await call.get("list_interfaces", f"{vm_path}/interfaces")
    interfaces = expected("a list of interfaces", _read_interfaces, body)
    groups = await read_groups(call)
    group = _only_group(interfaces, groups)
    shared = group.interfaces - {each.id.lower() for each in interfaces}
    if shared:
        raise RefusedError(
            f"the ports were not changed: other VMs use the security group {_named(group)} too "
            f"({len(shared)} of its interfaces are not of this VM); give the VM a group of its own"
        )
    rules = expected("a list of rules", partial(_with_ports, ports), group.ingress)
    return GroupChange(f"/v1/security_groups/{group.id}", {"ingressRules": rules})


def _only_group(interfaces: Sequence[Interface], groups: Iterable[Group]) -> Group:
    attached = group_by_interface(groups)
    ids = {
        (each.security_group or attached.get(each.id.lower(), "")).lower()
        for each in outward(interfaces)
    }
    found = [group for group in groups if group.id in ids]
    if len(ids) == 1 and len(found) == 1:
        return found[0]
    names = ", ".join(map(_named, found)) or "none that can be read"
    raise RefusedError(
        "the ports were not changed: the VM's public interfaces do not have one security group "
        f"between them, but {names}"
    )


def _with_ports(ports: Ports, ingress: msgspec.Raw) -> dict[str, object]:
    return tolerant(lambda raw: with_open_ports(raw, ports), ingress)


def _named(group: Group) -> str:
    return f"{inert(group.name, 60)} ({inert(group.id, 60)})"


def _group_or_none(item: msgspec.Raw) -> Group | None:
    try:
        return tolerant(read_group, item)
    except (ValueError, RecursionError):
        return None


def _ports_or_none(group: Group) -> Ports | None:
    try:
        return tolerant(open_ports, group.ingress)
    except (ValueError, RecursionError):
        return None


def _read_interfaces(body: bytes) -> list[Interface]:
    return decoded(_INTERFACES, body)


_INTERFACES = msgspec.json.Decoder(list[Interface])
