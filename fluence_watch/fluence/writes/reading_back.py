"""Whether a change was made, according to the current list."""

from collections.abc import Awaitable, Callable

from fluence_watch.errors import UnexpectedPayloadError
from fluence_watch.fluence.dialects.elements import Listing, Resources
from fluence_watch.fluence.writes.changes import VmChange, still_missing
from fluence_watch.fluence.writes.settling import NotDone
from fluence_watch.model.ssh_key import AddedKey, SshKey, key_material
from fluence_watch.model.vm import ENDED, Status, Vm


async def updated(list_vms: Callable[[], Awaitable[Listing]], change: VmChange) -> NotDone | None:
    """Whether the VM shows the change.

    Raises:
        ApiError: the list could not be read.
    """
    vm = _found(await list_vms(), change.key)
    if vm is None:
        return NotDone("it is not in the list")
    missing = still_missing(change, vm)
    if not missing:
        return None
    return NotDone(
        f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not as requested"
    )


async def deleted(
    list_vms: Callable[[], Awaitable[Listing]], vm_id: str, *, stays: bool
) -> NotDone | None:
    """Whether the VM left the list, is terminating, or has ended if deleted VMs stay in the list.

    Raises:
        ApiError: the list could not be read.
    """
    vm = _found(await list_vms(), vm_id.lower())
    if vm is None or vm.status is Status.TERMINATING or (stays and vm.status in ENDED):
        return None
    return NotDone(f"it is still in the list, as {vm.status}")


async def resource_deleted(
    list_resources: Callable[[], Awaitable[Resources]], resource_id: str
) -> NotDone | None:
    """Whether the resource left the list, or is being removed.

    Raises:
        ApiError: the list could not be read.
    """
    listed = await list_resources()
    found = next((r for r in listed.found if r.id.lower() == resource_id.lower()), None)
    if found is not None and found.is_billed:
        return NotDone(f"it is still in the list, as {found.status_word}")
    if found is None and listed.flaws:
        raise UnexpectedPayloadError(f"the list is incomplete: {listed.flaws[0]}")
    return None


async def resource_renamed(
    list_resources: Callable[[], Awaitable[Resources]], resource_id: str, name: str
) -> NotDone | None:
    """Whether the resource has the name.

    Raises:
        ApiError: the list could not be read.
    """
    listed = await list_resources()
    found = next((r for r in listed.found if r.id.lower() == resource_id.lower()), None)
    if found is None:
        return NotDone("it is not in the list")
    return None if found.name == name else NotDone("its name is not as requested")


async def key_added(
    list_keys: Callable[[], Awaitable[tuple[SshKey, ...]]], public_key: str
) -> AddedKey | NotDone:
    """The added key, which was not in the list before.

    Raises:
        ApiError: the list could not be read.
    """
    key = with_material(await list_keys(), public_key)
    return NotDone("it is not in the list") if key is None else AddedKey(key, is_new=True)


async def key_deleted(
    list_keys: Callable[[], Awaitable[tuple[SshKey, ...]]], fingerprint: str
) -> NotDone | None:
    """Whether the key has left the list.

    Raises:
        ApiError: the list could not be read.
    """
    if any(key.fingerprint == fingerprint for key in await list_keys()):
        return NotDone("it is still in the list")
    return None


def with_material(keys: tuple[SshKey, ...], public_key: str) -> SshKey | None:
    """The key with the same key material, whatever its name and comment."""
    wanted = key_material(public_key)
    return next((key for key in keys if key.material == wanted), None)


def _found(listing: Listing, key: str) -> Vm | None:
    found = next((vm for vm in listing.vms if vm.key == key), None)
    unread = any((each.vm_id or key).lower() == key for each in listing.rejected)
    if found is None and (unread or not listing.complete):
        because = listing.incomplete_because or "its element cannot be read"
        raise UnexpectedPayloadError(f"cannot be sure to find the VM: {because}")
    return found
