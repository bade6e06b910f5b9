"""Who may ask: the API key in `X-API-KEY: KEY` or `Authorization: Bearer KEY`."""

from collections.abc import Iterator
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.simulator.dialects.view import Dialect
from fluence_watch.simulator.world import AcceptedAuth, World


def with_auth(app: ASGIApp, world: World, dialect: Dialect) -> ASGIApp:
    """The app, for those who bring the world's key in a header that the world accepts."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if is_allowed(world, Headers(scope=scope)):
            await app(scope, receive, send)
        else:
            refusal = dialect.error(dialect.unauthorized, "missing or invalid API key")
            await refusal(scope, receive, send)

    return guarded


def is_allowed(world: World, headers: Headers) -> bool:
    """Whether one of the accepted headers carries the key."""
    wanted = world.api_key.encode()
    return any(compare_digest(given.encode(), wanted) for given in _keys(world, headers))


def _keys(world: World, headers: Headers) -> Iterator[str]:
    if world.accepted_auth is not AcceptedAuth.BEARER:
        yield headers.get("x-api-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if world.accepted_auth is not AcceptedAuth.X_API_KEY and scheme.lower() == "bearer":
        yield token.strip()
