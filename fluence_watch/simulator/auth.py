"""Access: checks the API key, and refuses requests during maintenance.

The key is `X-API-KEY: KEY` or `Authorization: Bearer KEY`.
"""

from collections.abc import Iterator
from hmac import compare_digest

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.simulator.access import AcceptedAuth
from fluence_watch.simulator.dialects.view import Dialect
from fluence_watch.simulator.world import World

_FORBIDDEN = 403
_UNAVAILABLE = 503


def with_auth(app: ASGIApp, world: World, dialect: Dialect) -> ASGIApp:
    """Wrap the app in a check for the world's key, in a header that world and dialect accept.

    During maintenance, only the paths that need no key respond.
    """

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(world, dialect, scope)
        await (refusal or app)(scope, receive, send)

    return guarded


def _refusal(world: World, dialect: Dialect, scope: Scope) -> Response | None:
    if scope["path"] in dialect.open_paths:
        return None
    if world.maintenance:
        return dialect.error(_UNAVAILABLE, "the service is under maintenance")
    if scope["path"] in world.forbidden or (
        dialect.scope_of(scope["method"], scope["path"]) in world.withheld
    ):
        return dialect.error(_FORBIDDEN, "the API key has no permission for this")
    if is_allowed(world, Headers(scope=scope), bearer=dialect.bearer):
        return None
    return dialect.error(dialect.unauthorized, "missing or invalid API key")


def is_allowed(world: World, headers: Headers, *, bearer: bool) -> bool:
    """Whether an accepted header carries the key. Without `bearer`, that is `X-API-KEY` only."""
    wanted = world.api_key.encode()
    accepted = world.accepted_auth if bearer else AcceptedAuth.X_API_KEY
    return any(compare_digest(given.encode(), wanted) for given in _keys(accepted, headers))


def _keys(accepted: AcceptedAuth, headers: Headers) -> Iterator[str]:
    if accepted is not AcceptedAuth.BEARER:
        yield headers.get("x-api-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if accepted is not AcceptedAuth.X_API_KEY and scheme.lower() == "bearer":
        yield token.strip()
