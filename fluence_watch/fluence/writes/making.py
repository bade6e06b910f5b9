"""Makes each change of an account, and reads it back if its response is missing.

The reader of a list is given to each, since it belongs to the client.

Raises, all of them:
    RefusedError: the API or the dialect refuses.
    OutcomeUnknownError: it may have been made.
    ApiError: it was not made.
"""

from collections.abc import Awaitable, Callable

from fluence_watch.errors import RefusedError
from fluence_watch.fluence.connection import Connection
from fluence_watch.fluence.dialects.elements import Listing, Resources
from fluence_watch.fluence.writes import reading_back
from fluence_watch.fluence.writes.changes import VmChange
from fluence_watch.fluence.writes.settling import ChangeWords, settle
from fluence_watch.model.resource import Kind
from fluence_watch.model.ssh_key import AddedKey, SshKey
from fluence_watch.model.text import inert

Vms = Callable[[], Awaitable[Listing]]
Keys = Callable[[], Awaitable[tuple[SshKey, ...]]]
Rented = Callable[[], Awaitable[Resources]]


async def update_vm(api: Connection, vms: Vms, change: VmChange) -> None:
    """Set the name of a VM, its ports, or both."""
    dialect = await api.dialect()
    await settle(
        lambda: dialect.update_vm(api.call(dialect), change),
        lambda: reading_back.updated(vms, change),
        _words(f"the VM {change.vm_id}", "changed", f"vm show {change.vm_id}"),
        api.pause,
    )


async def delete_vm(api: Connection, vms: Vms, vm_id: str) -> None:
    """Delete a VM."""
    dialect = await api.dialect()
    stays = dialect.lists_deleted
    await settle(
        lambda: dialect.delete_vm(api.call(dialect), vm_id),
        lambda: reading_back.deleted(vms, vm_id, stays=stays),
        _words(f"the VM {vm_id}", "deleted", f"vm show {vm_id}"),
        api.pause,
    )


async def add_ssh_key(api: Connection, keys: Keys, name: str, public_key: str) -> AddedKey:
    """Add a key, unless the account has it."""
    there = reading_back.with_material(await keys(), public_key)
    if there is not None:
        return AddedKey(there, is_new=False)
    dialect = await api.dialect()
    return await settle(
        lambda: dialect.add_ssh_key(api.call(dialect), name, public_key),
        lambda: reading_back.key_added(keys, public_key),
        _words(f"the SSH key {name}", "added", "ssh-key ls"),
        api.pause,
    )


async def delete_ssh_key(api: Connection, keys: Keys, key: SshKey) -> None:
    """Remove a key."""
    dialect = await api.dialect()
    await settle(
        lambda: dialect.delete_ssh_key(api.call(dialect), key),
        lambda: reading_back.key_deleted(keys, key.fingerprint),
        _words(f"the SSH key {key.fingerprint}", "removed", "ssh-key ls"),
        api.pause,
    )


async def delete_resource(api: Connection, rented: Rented, kind: Kind, resource_id: str) -> None:
    """Delete a disk or a GPU instance, or give an address back."""
    dialect, gpu = await api.dialect(), api.gpu_of(kind)

    async def delete() -> None:
        if gpu:
            await gpu.delete(api.call(dialect), kind, resource_id)
        else:
            await dialect.delete_resource(api.call(dialect), kind, resource_id)

    await settle(
        delete,
        lambda: reading_back.resource_deleted(rented, resource_id),
        _words(f"the {kind.word} {resource_id}", "deleted", f"{kind.command} ls"),
        api.pause,
    )


async def rename_gpu(
    api: Connection, rented: Rented, kind: Kind, instance_id: str, name: str
) -> None:
    """Rename a GPU instance."""
    dialect, gpu = await api.dialect(), api.gpu
    if gpu is None:
        raise RefusedError("GPU instances are not part of this account: see `gpu`")
    await settle(
        lambda: gpu.rename(api.call(dialect), kind, instance_id, name),
        lambda: reading_back.resource_renamed(rented, instance_id, name),
        _words(f"the {kind.word} {instance_id}", "renamed", "gpu ls"),
        api.pause,
    )


def _words(subject: str, done: str, command: str) -> ChangeWords:
    return ChangeWords(
        done=f"{inert(subject)} was {done}",
        undone=f"{inert(subject)} was not {done}",
        check=f"fluence-watch {inert(command)}",
    )
