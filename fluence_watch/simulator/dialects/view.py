"""What a dialect is, and helpers for responses, errors and request bodies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator.world import World

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Dialect:
    """One generation of the API.

    `paths` are the prefixes of its paths, `routes` builds the endpoints over a world.
    `error` builds a response from a status and a text for people.
    `unauthorized` is the status for a missing or wrong key.
    `bearer` is whether the key may come as a bearer token. `open_paths` need no key.
    `scope_of` is the permission that a request, by method and path, needs.
    """

    paths: tuple[str, ...]

    routes: Callable[[World], Sequence[Route]]
    error: Callable[[int, str], Response]
    unauthorized: int
    bearer: bool = True
    scope_of: Callable[[str, str], str | None] = lambda _method, _path: None
    open_paths: frozenset[str] = frozenset()


def answer(payload: object, status: int = 200) -> Response:
    """The payload as JSON."""
    return json_bytes(msgspec.json.encode(payload), status)


def json_bytes(body: bytes, status: int = 200) -> Response:
    """A response whose body is already JSON."""
    return Response(body, status, media_type="application/json")


def plain_error(status: int, text: str) -> Response:
    """`{"error": "…"}`, as `v2` and `v3` write it."""
    return answer({"error": text}, status)


async def read(request: Request, shape: type[_T]) -> _T:
    """Decode the body of the request.

    Raises:
        msgspec.ValidationError: it is JSON of another shape.
        msgspec.DecodeError: it is not JSON.
    """
    return msgspec.json.decode(await request.body(), type=shape)
