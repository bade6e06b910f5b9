"""Security groups: each VM's default interface is in one, and its rules are the VM's open ports."""

from dataclasses import replace
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from fluence_watch.simulator.dialects.cloud.paging import Choices, Item
from fluence_watch.simulator.dialects.cloud.places import cluster_id, places
from fluence_watch.simulator.dialects.cloud.resources import USER_ID, stamp, vpc_id
from fluence_watch.simulator.dialects.cloud.rules import (
    ALLOW_ALL,
    OPEN,
    Ingress,
    ingress_of,
    read_rules,
    rules_json,
)
from fluence_watch.simulator.errors import ConflictError, RefusedError, UnknownError
from fluence_watch.simulator.groups import Group, groups_in_use
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.machine import checked_ports
from fluence_watch.simulator.world import World

Rules = dict[str, Any]
CHOICES: Final[Choices] = {
    "status": ("new", "created", "ready", "updating", "failed", "removing", "removed")
}
"""What the parameters of the list may be."""


class NewGroup(Struct, rename="camel"):
    """A group to create. Without ingress rules it allows everything, as in the API."""

    cluster_id: str
    name: str
    ingress_rules: list[Rules] | None = None
    egress_rules: list[Rules] | None = None


class GroupChange(Struct, rename="camel"):
    """A change. Absent fields stay; rules of `null` restore the default: everything is allowed."""

    name: str | None = None
    ingress_rules: Rules | UnsetType | None = UNSET
    egress_rules: Rules | UnsetType | None = UNSET


def all_groups(world: World) -> list[Group]:
    """The groups that VMs use, then the unused ones."""
    return [*groups_in_use(world.listed()), *world.groups.values()]


def group_json(group: Group) -> Item:
    """A security group."""
    cluster = cluster_id(group.datacenter)
    return {
        "id": group.id,
        "userId": USER_ID,
        "clusterId": cluster,
        "vpcId": vpc_id(cluster),
        "name": group.name,
        "status": "ready",
        "ingressRules": rules_json(group.ports, group.narrow_rules),
        "egressRules": ALLOW_ALL,
        "createdAt": stamp(group.created_at),
        "readySince": stamp(group.created_at),
        "attachedTo": [uuid_of("interface", machine.key) for machine in group.members],
    }


def create_group(world: World, wanted: NewGroup) -> Group:
    """Create a group that no VM uses yet.

    Raises:
        UnknownError: there is no such cluster.
        RefusedError: a rule or a port is refused, the name is blank, or egress is limited.
    """
    by_cluster = {cluster_id(place): place for place in places(world)}
    if wanted.cluster_id not in by_cluster:
        raise UnknownError(f"no cluster {wanted.cluster_id!r:.60}")
    if not wanted.name.strip() or wanted.egress_rules:
        raise RefusedError("a group needs a name, and the simulator does not limit egress")
    given = wanted.ingress_rules
    ingress = OPEN if given is None else ingress_of(given)
    group = Group(
        id=uuid_of("free-group", f"{world.now}:{len(world.groups)}:{wanted.name}"),
        name=wanted.name,
        datacenter=by_cluster[wanted.cluster_id],
        created_at=world.now,
        ports=checked_ports(ingress.ports),
        narrow_rules=ingress.narrow,
    )
    world.groups[group.id] = group
    return group


def change_group(world: World, group_id: str, wanted: GroupChange) -> Group:
    """Change the rules of a group, and so the ports of every VM that uses it.

    Raises:
        UnknownError: there is no such group.
        RefusedError: a rule or a port is refused, or egress would be limited. Or the name changes
            while VMs use the group, which is named after the first of them.
    """
    group = group_by_id(world, group_id)
    if isinstance(wanted.egress_rules, dict) and wanted.egress_rules != ALLOW_ALL:
        raise RefusedError("the simulator does not limit egress")
    if group.members and wanted.name not in {None, group.name}:
        raise RefusedError("the simulator names a group after its first VM")
    ingress = _wanted_ingress(group, wanted)
    if group.members:
        vm_id = group.members[0].id
        world.update(vm_id, ports=ingress.ports, narrow_rules=ingress.narrow)
    else:
        world.groups[group.id] = replace(
            group,
            name=wanted.name or group.name,
            ports=checked_ports(ingress.ports),
            narrow_rules=ingress.narrow,
        )
    return group_by_id(world, group_id)


def remove_group(world: World, group_id: str) -> Item:
    """Remove a group that no VM uses, and return it.

    Raises:
        UnknownError: there is no such group.
        ConflictError: a VM uses it.
    """
    group = group_by_id(world, group_id)
    if group.members:
        raise ConflictError("the security group is attached to an interface")
    del world.groups[group.id]
    return group_json(group) | {"status": "removed", "removedAt": stamp(world.now)}


def group_by_id(world: World, group_id: str) -> Group:
    """The group with that id.

    Raises:
        UnknownError: there is none.
    """
    for group in all_groups(world):
        if group.id == group_id.lower():
            return group
    raise UnknownError(f"no security group {group_id!r:.60}")


def _wanted_ingress(group: Group, wanted: GroupChange) -> Ingress:
    if wanted.ingress_rules is UNSET:
        return Ingress(group.ports, group.narrow_rules)
    return OPEN if wanted.ingress_rules is None else read_rules(wanted.ingress_rules)
