"""VMs. An ended VM stays in the list, whether its user or its provider ended it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from fluence_watch.simulator.catalog import CONFIGURATIONS
from fluence_watch.simulator.dialects.amounts import hourly, monthly
from fluence_watch.simulator.dialects.cloud.configurations import (
    GB_IN_MB,
    configuration_id,
    configuration_name,
    plan_slug,
)
from fluence_watch.simulator.dialects.cloud.paging import Choices, Item
from fluence_watch.simulator.dialects.cloud.places import cluster_id
from fluence_watch.simulator.dialects.cloud.resources import (
    USER_ID,
    attached,
    interfaces_json,
    is_there,
    public_ip_json,
    ssh_key_id,
    ssh_key_json,
    stamp,
    storage_json,
    subnet_json,
    subnets_of,
)
from fluence_watch.simulator.errors import UnknownError
from fluence_watch.simulator.machine import Machine, State, last_charge
from fluence_watch.simulator.rental import RentalKind
from fluence_watch.simulator.world import World

_WORDS: Final = {
    State.DRAFT: "draft",
    State.NEW: "new",
    State.LAUNCHING: "launching",
    State.ACTIVE: "launched",
    State.STOPPED: "suspended",
    State.TERMINATED: "terminated",
}
_ACTIONS: Final = {
    State.ACTIVE: ("restart", "softReboot", "updateNetworkInterface", "terminate"),
    State.TERMINATED: (),
}


def all_vms(world: World) -> list[Machine]:
    """The VMs that the account holder can see, and those that the account holder deleted."""
    return [*world.listed(), *world.deleted.values()]


def vm_by_id(world: World, vm_id: str) -> Machine:
    """The VM with that UUID.

    Raises:
        UnknownError: there is none.
    """
    for machine in all_vms(world):
        if machine.uuid == vm_id.lower():
            return machine
    raise UnknownError(f"no VM {vm_id!r:.60}")


def vm_json(world: World, machine: Machine) -> Item:
    """A VM as its own endpoint returns it: without its plan."""
    runs, ended = is_there(machine), machine.state_changed_at
    price = machine.price
    return {
        "id": machine.uuid,
        "userId": USER_ID,
        "clusterId": cluster_id(machine.datacenter),
        "configurationId": configuration_id(machine.configuration),
        "name": machine.name,
        "status": _WORDS[machine.state],
        "restartRequired": False,
        "allowedActions": _ACTIONS.get(machine.state, ("terminate",)),
        **_attached_ids(world, machine),
        "subnets": subnets_of(machine),
        "sshKeys": [ssh_key_id(key) for key in world.ssh_keys.values()],
        "networkInterfaces": [interface["id"] for interface in interfaces_json(machine)],
        "priceHourlyUsd": hourly(price, world.epoch),
        "priceMonthlyUsd": monthly(price, world.epoch),
        "createdAt": stamp(machine.created_at),
        "updatedAt": stamp(max(machine.created_at, ended or machine.created_at)),
        "readySince": stamp(machine.created_at),
        **_payment(world, machine),
        "terminatedAt": None if runs or ended is None else stamp(ended),
    }


def _attached_ids(world: World, machine: Machine) -> Item:
    disks = attached(world, machine, RentalKind.DISK)
    addresses = attached(world, machine, RentalKind.ADDRESS)
    return {
        "bootDisk": next((each.uuid for each in disks if each.boots), None),
        "dataDisks": [each.uuid for each in disks if not each.boots],
        "publicIp": addresses[0].uuid if addresses else None,
    }


def _payment(world: World, machine: Machine) -> Item:
    if world.metered:  # it is paid to the second
        return {"lastPaidAt": stamp(world.now), "paidUntil": stamp(world.now)}
    return {
        "lastPaidAt": stamp(last_charge(machine, world.epoch)),
        "paidUntil": stamp(machine.next_billing_at),
    }


def listed_vm_json(world: World, machine: Machine) -> Item:
    """A VM as an element of the list: with its plan."""
    size = machine.configuration
    return vm_json(world, machine) | {
        "configurationName": configuration_name(size),
        "configurationSlug": _PLANS.get(size.slug),
        "vcpu": size.vcpus,
        "ramGb": size.memory_mb // GB_IN_MB,
    }


def expanded(world: World, machine: Machine, wanted: Iterable[str]) -> Item:
    """The resources that `?expand=` names, in full. The names are known."""
    full = {name: _EXPANSIONS[name](world, machine) for name in dict.fromkeys(wanted)}
    return {"expanded": full} if full else {}


def _disks_json(world: World, machine: Machine, *, boots: bool) -> list[Item]:
    disks = attached(world, machine, RentalKind.DISK)
    return [storage_json(world, each) for each in disks if each.boots is boots]


def _addresses_json(world: World, machine: Machine) -> list[Item]:
    return [public_ip_json(world, each) for each in attached(world, machine, RentalKind.ADDRESS)]


_PLANS: Final = {each.slug: plan_slug(each) for each in CONFIGURATIONS}
_EXPANSIONS: Final[Mapping[str, Callable[[World, Machine], object]]] = {
    "bootDisk": lambda world, m: next(iter(_disks_json(world, m, boots=True)), None),
    "dataDisks": lambda world, m: _disks_json(world, m, boots=False),
    "publicIp": lambda world, m: next(iter(_addresses_json(world, m)), None),
    "subnets": lambda _world, m: [subnet_json(m, subnet) for subnet in subnets_of(m)],
    "sshKeys": lambda world, _m: [ssh_key_json(key) for key in world.ssh_keys.values()],
    "networkInterfaces": lambda _world, m: interfaces_json(m),
}
_STATUSES: Final = (
    "draft", "new", "launching", "launched", "failed", "updating", "terminating", "terminated",
    "suspending", "suspended", "restarting", "softRebooting", "unknown",
)  # fmt: skip
EXPANDABLE: Final[Choices] = {"expand": tuple(_EXPANSIONS)}
LIST_CHOICES: Final[Choices] = {"status": _STATUSES, "excludeStatus": _STATUSES, **EXPANDABLE}
