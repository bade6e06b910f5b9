"""`/ssh_keys`, the same in `v2` and `v3`.

Source: Fluence guide, "Managing SSH keys". GET has `publicKey`, POST returns `public_key`, and both
write times with an expanded year.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator.dialects.view import answer, read
from fluence_watch.simulator.ssh import SshKey
from fluence_watch.simulator.world import World


class _NewKey(Struct, rename="camel"):
    name: str
    public_key: str


class _Fingerprint(Struct):
    fingerprint: str


def expanded_timestamp(at: datetime) -> str:
    """`+002025-04-16T17:59:55.000000000Z`."""
    return f"+{at.year:06d}-{at:%m-%dT%H:%M:%S}.{at.microsecond:06d}000Z"


def listed_key(key: SshKey) -> dict[str, object]:
    """An element of the response to GET."""
    return {
        "name": key.name,
        "fingerprint": key.fingerprint,
        "algorithm": key.algorithm,
        "comment": key.comment,
        "publicKey": key.public_key,
        "active": True,
        "createdAt": expanded_timestamp(key.created_at),
    }


def added_key(key: SshKey) -> dict[str, object]:
    """The response to POST."""
    return {
        "active": True,
        "algorithm": key.algorithm,
        "comment": key.comment,
        "fingerprint": key.fingerprint,
        "name": key.name,
        "public_key": key.public_key,
    }


def ssh_key_routes(world: World) -> Sequence[Route]:
    """The three endpoints."""

    async def list_keys(_request: Request) -> Response:
        return answer([listed_key(key) for key in world.ssh_keys.values()])

    async def add_key(request: Request) -> Response:
        wanted = await read(request, _NewKey)
        key, is_new = world.add_ssh_key(wanted.name, wanted.public_key)
        return answer(added_key(key), 201 if is_new else 200)

    async def remove_key(request: Request) -> Response:
        world.remove_ssh_key((await read(request, _Fingerprint)).fingerprint)
        return Response()

    return (
        Route("/ssh_keys", list_keys, methods=["GET"]),
        Route("/ssh_keys", add_key, methods=["POST"]),
        Route("/ssh_keys", remove_key, methods=["DELETE"]),
    )
