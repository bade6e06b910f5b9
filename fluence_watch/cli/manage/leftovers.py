"""What a deleted VM leaves behind, where disks and public IPs are billed by themselves."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fluence_watch.errors import ApiError, RefusedError
from fluence_watch.fluence import FluenceClient, Kind, Resource

_LOOKS, _SECONDS_BETWEEN = 5, 1.0  # a VM may let go of its disks a moment after its end

Pause = Callable[[float], Awaitable[None]]


async def delete_resource(client: FluenceClient, kind: Kind, resource_id: str) -> str | None:
    """Delete a resource and read it back. Returns why it is still there, if it is.

    Raises:
        ApiError: it was not deleted, or could not be read back.
    """
    await client.delete_resource(kind, resource_id)
    listed = await client.list_resources(kind)
    left = [r for r in listed.found if r.id.lower() == resource_id.lower() and r.is_billed]
    return f"accepted, but it is still there, as {left[0].status_word}" if left else None


async def delete_leftovers(
    client: FluenceClient, resources: Sequence[Resource], pause: Pause = asyncio.sleep
) -> None:
    """Delete what a VM left behind, each whatever became of the others.

    Raises:
        RefusedError: something is left. The error says what, and why.
    """
    failures = []
    for resource in resources:
        why = await _patiently(client, resource, pause)
        if why:
            failures.append(f"the {resource.kind.word} {resource.id} is not: {why}")
    if failures:
        raise RefusedError("deleted, but " + "; ".join(failures))


async def _patiently(client: FluenceClient, resource: Resource, pause: Pause) -> str | None:
    for look in range(_LOOKS):
        try:
            return await delete_resource(client, resource.kind, resource.id)
        except RefusedError as error:
            if look == _LOOKS - 1:
                return str(error)
            await pause(_SECONDS_BETWEEN)
        except ApiError as error:
            return str(error)
    return None
