"""Disks, addresses, interfaces, networks; and the SSH keys of the account."""

from datetime import datetime
from typing import Final

from fluence_watch.simulator.dialects.amounts import hourly, monthly
from fluence_watch.simulator.dialects.cloud.paging import Item
from fluence_watch.simulator.dialects.cloud.places import cluster_id
from fluence_watch.simulator.groups import group_id
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.rental import Rental, RentalKind, boot_disk, public_address
from fluence_watch.simulator.ssh import SshKey
from fluence_watch.simulator.world import World

USER_ID: Final = uuid_of("user", "account")


def stamp(at: datetime) -> str:
    """RFC 3339, to the microsecond: `2025-04-30T11:55:09.000000Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def is_there(machine: Machine) -> bool:
    """Whether the VM has not ended, and so still has its resources."""
    return machine.state is not State.TERMINATED


def rentals(world: World, kind: RentalKind) -> list[Rental]:
    """The disks or the addresses. Where VMs are prepaid, each VM has one of its own, for nothing."""
    if world.metered:
        return [rental for rental in world.rentals.values() if rental.kind is kind]
    make = boot_disk if kind is RentalKind.DISK else public_address
    return [make(machine, metered=False) for machine in world.listed() if is_there(machine)]


def attached(world: World, machine: Machine, kind: RentalKind) -> list[Rental]:
    """The disks or the addresses of one VM."""
    if world.metered:
        return [each for each in rentals(world, kind) if each.attached_to == machine.key]
    make = boot_disk if kind is RentalKind.DISK else public_address
    return [make(machine, metered=False)] if is_there(machine) else []


def public_ip_id(machine: Machine) -> str:
    """The id of the address that the VM was created with."""
    return uuid_of(RentalKind.ADDRESS, machine.key)


def vpc_id(cluster: str) -> str:
    """The id of the network of a cluster."""
    return uuid_of("vpc", cluster)


def storage_json(world: World, disk: Rental) -> Item:
    """A disk."""
    machine = world.machines.get(disk.attached_to)
    return {
        **_rented(world, disk),
        "storageType": "NVME",
        "role": "BOOT" if disk.boots else "DATA",
        "volumeGb": disk.size_gb,
        "replicated": False,
        "attachedTo": [machine.uuid] if machine else [],
        "initUrl": disk.os_image or None,
        "allowedActions": ["update"] if machine else ["update", "delete", "attachToVm"],
    }


def public_ip_json(world: World, address: Rental) -> Item:
    """A public address."""
    machine = world.machines.get(address.attached_to)
    return {
        **_rented(world, address),
        "address": address.address,
        "addressType": "V4",
        "attachedTo": {"id": machine.uuid, "name": machine.name} if machine else None,
        "allowedActions": ["update"] if machine else ["update", "delete", "attachToVm"],
    }


def _rented(world: World, rental: Rental) -> Item:
    return {
        "id": rental.uuid,
        "userId": USER_ID,
        "clusterId": cluster_id(rental.datacenter),
        "name": rental.name,
        "status": "ready",
        "createdAt": stamp(rental.created_at),
        "priceHourlyUsd": hourly(rental.price, world.epoch),
        "priceMonthlyUsd": monthly(rental.price, world.epoch),
        "lastPaidAt": stamp(world.now) if world.metered else None,
        "paidUntil": stamp(world.now) if world.metered else None,
    }


def interfaces_json(machine: Machine) -> list[Item]:
    """The private interface, if the VM has one, and the default one, which is public."""
    if not is_there(machine):
        return []
    public = {
        "id": uuid_of("interface", machine.key),
        "default": True,
        "kind": {"public": {"public_ip": public_ip_id(machine)}},
        "securityGroup": group_id(machine),
    }
    private = [
        {
            "id": uuid_of("private-interface", machine.key),
            "default": False,
            "kind": {"private": {"subnet": subnet}},
            "securityGroup": None,
        }
        for subnet in subnets_of(machine)
    ]
    return [*private, public]


def subnets_of(machine: Machine) -> list[str]:
    """The ids of the VM's private networks: every other VM is in one."""
    is_inside = is_there(machine) and int(machine.uuid[-1], 16) % 2 == 0
    return [uuid_of("subnet", machine.datacenter.id)] if is_inside else []


def subnet_json(machine: Machine, subnet: str) -> Item:
    """A private network."""
    cluster = cluster_id(machine.datacenter)
    return {
        "id": subnet,
        "userId": USER_ID,
        "clusterId": cluster,
        "vpcId": vpc_id(cluster),
        "name": "default",
        "status": "ready",
        "ipv4Cidr": "10.0.0.0/24",
    }


def ssh_key_id(key: SshKey) -> str:
    """The id of a key."""
    return uuid_of("ssh-key", key.fingerprint)


def ssh_key_json(key: SshKey) -> Item:
    """A key of the account."""
    return {
        "id": ssh_key_id(key),
        "userId": USER_ID,
        "name": key.name,
        "publicKey": key.public_key,
        "algorithm": key.algorithm,
        "fingerprint": key.fingerprint,
    }
