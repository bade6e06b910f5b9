"""Security groups: sets of open ports, separate from the VMs, which several VMs may share."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.model.ports import Port
from fluence_watch.simulator.catalog import Datacenter
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.machine import Machine, Rule, State


@dataclass(frozen=True, slots=True)
class Group:
    """A security group; `ports` are open to everybody, `narrow_rules` to some addresses.

    `members` are the VMs that have these ports open; an unused group has none.
    """

    id: str
    name: str
    datacenter: Datacenter
    created_at: datetime
    ports: tuple[Port, ...]
    narrow_rules: tuple[Rule, ...] = ()
    members: tuple[Machine, ...] = ()


def group_id(machine: Machine) -> str:
    """The id of the group that a VM is in."""
    return uuid_of("security-group", machine.group)


def groups_in_use(machines: Iterable[Machine]) -> list[Group]:
    """The groups of the VMs that have not ended, without repeats."""
    members: dict[str, list[Machine]] = {}
    for machine in machines:
        if machine.state is not State.TERMINATED:
            members.setdefault(machine.group, []).append(machine)
    return [_group(sharing) for sharing in members.values()]


def _group(members: list[Machine]) -> Group:
    first = members[0]
    return Group(
        id=group_id(first),
        name=f"sg-{first.name}",
        datacenter=first.datacenter,
        created_at=first.created_at,
        ports=first.ports,
        narrow_rules=first.narrow_rules,
        members=tuple(members),
    )
