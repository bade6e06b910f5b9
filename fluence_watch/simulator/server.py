"""The simulator on the wire: the app, and a way to serve it inside a running event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from fluence_watch.simulator.auth import with_auth
from fluence_watch.simulator.clock import Clock
from fluence_watch.simulator.control import Control, Traffic
from fluence_watch.simulator.dialects import DIALECTS, Dialect
from fluence_watch.simulator.dialects.view import plain_error
from fluence_watch.simulator.errors import (
    ConflictError,
    RefusedError,
    UnknownError,
    WrongStateError,
)
from fluence_watch.simulator.faults import FaultPlan
from fluence_watch.simulator.inject import with_faults
from fluence_watch.simulator.world import World

_GRACE_SECONDS = 1
_ErrorHandler = Callable[[Request, Exception], Response]
_STATUS_OF: Mapping[type[Exception], int] = {
    UnknownError: 404,
    WrongStateError: 406,
    ConflictError: 409,
    RefusedError: 422,
    msgspec.ValidationError: 422,
    msgspec.DecodeError: 400,
}


def create_app(
    world: World, clock: Clock, *, faults: FaultPlan | None = None, dialect: str = "v2"
) -> ASGIApp:
    """The API in that dialect over the world, with `/_control`.

    `all` is every dialect at once, selected by the path of a request.
    Before each request the world advances to the clock's time.

    Raises:
        KeyError: the dialect is not in `DIALECTS`.
    """
    plan, traffic = faults or FaultPlan(), Traffic()
    stacks = [(view, _stack(world, plan, view)) for view in DIALECTS[dialect]]
    controls = Control(world, clock, plan, traffic)
    control = Starlette(routes=controls.routes(), exception_handlers=_handlers(plain_error))
    mounts = [
        Mount("/_control", app=control),
        Mount("/", app=_counted(_by_path(stacks), world, traffic)),
    ]
    return _in_time(Starlette(routes=mounts), world, clock)


def _stack(world: World, plan: FaultPlan, view: Dialect) -> ASGIApp:
    api = Starlette(routes=view.routes(world), exception_handlers=_handlers(view.error))
    return with_faults(with_auth(api, world, view), plan, view)


def _by_path(stacks: Sequence[tuple[Dialect, ASGIApp]]) -> ASGIApp:
    async def dispatched(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        fitting = (app for view, app in stacks if path.startswith(view.paths))
        await next(fitting, stacks[0][1])(scope, receive, send)

    return dispatched


def _handlers(error: Callable[[int, str], Response]) -> dict[Any, _ErrorHandler]:
    def answer(_request: Request, problem: Exception) -> Response:
        return error(_STATUS_OF[type(problem)], str(problem))

    def http_answer(_request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        return error(problem.status_code, problem.detail)

    return {**dict.fromkeys(_STATUS_OF, answer), HTTPException: http_answer}


def _in_time(app: ASGIApp, world: World, clock: Clock) -> ASGIApp:
    async def timed(scope: Scope, receive: Receive, send: Send) -> None:
        world.advance(clock())
        await app(scope, receive, send)

    return timed


def _counted(app: ASGIApp, world: World, traffic: Traffic) -> ASGIApp:
    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        traffic.count += 1
        for action in traffic.planned.pop(traffic.count, ()):
            # an action that is impossible by now is skipped
            with suppress(UnknownError, RefusedError):
                action.apply(world)
        traffic.last_method, traffic.last_path = scope["method"], scope["path"]
        traffic.last_headers = dict(Headers(scope=scope))
        await app(scope, receive, send)

    return counted


async def serve(app: ASGIApp, host: str, port: int) -> None:
    """Serve until cancelled.

    Raises:
        OSError: the address cannot be bound.
    """
    async with running(app, host, port):
        await asyncio.Event().wait()


@asynccontextmanager
async def running(app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve the app on a real socket of this loop, by default on a free port; yields its base URL.

    Leaving the context stops the server; pending responses get a second.
    Signals stay with the caller.

    Raises:
        OSError: the address cannot be bound.
    """
    listener = _bound(host, port)
    server = _Server(_config(app))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.001)
        yield _base_url(listener)
    finally:
        server.should_exit = True
        await task


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_DroppableProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named because asyncio sets TCP_NODELAY only then: saves 40 ms a response
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _base_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """A server that leaves the signals to the program around it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _DroppableProtocol(H11Protocol):
    """Gives each request its connection (`scope["state"]["transport"]`), so a fault can cut it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}
