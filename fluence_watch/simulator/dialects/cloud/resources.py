"""The resources of a VM: disk, address, interfaces; and the SSH keys of the account.

Their price is part of the VM's price, so they have none. An ended VM has no resources.
"""

from datetime import datetime
from typing import Final

from fluence_watch.simulator.dialects.cloud.paging import Item
from fluence_watch.simulator.dialects.cloud.places import cluster_id
from fluence_watch.simulator.groups import group_id
from fluence_watch.simulator.ids import uuid_of
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.ssh import SshKey
from fluence_watch.simulator.world import World

USER_ID: Final = uuid_of("user", "account")
_GB_IN_MB: Final = 1024


def stamp(at: datetime) -> str:
    """RFC 3339, to the microsecond: `2025-04-30T11:55:09.000000Z`."""
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def is_there(machine: Machine) -> bool:
    """Whether the VM has not ended, and so still has its resources."""
    return machine.state is not State.TERMINATED


def with_resources(world: World) -> list[Machine]:
    """The VMs that have resources."""
    return [machine for machine in world.listed() if is_there(machine)]


def storage_id(machine: Machine) -> str:
    """The id of the VM's boot disk."""
    return uuid_of("storage", machine.key)


def public_ip_id(machine: Machine) -> str:
    """The id of the VM's public address."""
    return uuid_of("public-ip", machine.key)


def vpc_id(cluster: str) -> str:
    """The id of the network of a cluster."""
    return uuid_of("vpc", cluster)


def storage_json(machine: Machine) -> Item:
    """The VM's boot disk."""
    return {
        **_owned("storage", machine),
        "name": f"{machine.name}-boot",
        "storageType": "NVME",
        "status": "ready",
        "role": "BOOT",
        "volumeGb": machine.configuration.storage_mb // _GB_IN_MB,
        "replicated": False,
        "attachedTo": [machine.uuid],
        "initUrl": machine.os_image,
        "createdAt": stamp(machine.created_at),
        "allowedActions": ["update"],
    }


def public_ip_json(machine: Machine) -> Item:
    """The VM's public address."""
    return {
        **_owned("public-ip", machine),
        "name": f"{machine.name}-ip",
        "address": machine.public_ip,
        "addressType": "V4",
        "status": "ready",
        "attachedTo": {"id": machine.uuid, "name": machine.name},
        "createdAt": stamp(machine.created_at),
        "allowedActions": ["update"],
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


def _owned(kind: str, machine: Machine) -> Item:
    return {
        "id": uuid_of(kind, machine.key),
        "userId": USER_ID,
        "clusterId": cluster_id(machine.datacenter),
    }
