"""What a deleted VM leaves behind, where disks and public IPs are billed by themselves."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fluence_watch.errors import ApiError, OutcomeUnknownError, RefusedError
from fluence_watch.fluence import FluenceClient, Resource
from fluence_watch.model.note import NoteAction

_LOOKS, _SECONDS_BETWEEN = 5, 1.0  # a VM may let go of its disks a moment after its end

Pause = Callable[[float], Awaitable[None]]
Tell = Callable[[NoteAction, str], None]
"""Tells the watcher on this machine what is done to something, by its key."""


async def delete_resource(client: FluenceClient, resource: Resource, tell: Tell) -> str | None:
    """Delete a resource and read it back. Returns why it is still there, if it is.

    The watcher is told before, so that a poll in between does not report it as lost; and after, if it
    was not deleted.

    Raises:
        OutcomeUnknownError: it may have been deleted.
        ApiError: it was not deleted.
    """
    tell(NoteAction.RESOURCE_REMOVED, resource.key)
    try:
        await client.delete_resource(resource.kind, resource.id)
    except OutcomeUnknownError:
        raise
    except ApiError:
        tell(NoteAction.RESOURCE_KEPT, resource.key)
        raise
    try:
        listed = await client.list_resources(resource.kind)
    except ApiError as error:
        return f"accepted, but it could not be read back: {error}"
    left = [each for each in listed.found if each.key == resource.key and each.is_billed]
    return f"accepted, but it is still there, as {left[0].status_word}" if left else None


async def delete_leftovers(
    client: FluenceClient,
    resources: Sequence[Resource],
    tell: Tell,
    pause: Pause = asyncio.sleep,
) -> None:
    """Delete what a VM left behind, each whatever became of the others.

    Raises:
        RefusedError: something is left. The error says what, and why.
    """
    failures = []
    for resource in resources:
        why = await _patiently(client, resource, tell, pause)
        if why:
            failures.append(f"the {resource.kind.word} {resource.id} is not: {why}")
    if failures:
        raise RefusedError("deleted, but " + "; ".join(failures))


async def _patiently(
    client: FluenceClient, resource: Resource, tell: Tell, pause: Pause
) -> str | None:
    for look in range(_LOOKS):
        try:
            return await delete_resource(client, resource, tell)
        except RefusedError as error:
            if look == _LOOKS - 1:
                return str(error)
            await pause(_SECONDS_BETWEEN)
        except ApiError as error:
            return str(error)
    return None
