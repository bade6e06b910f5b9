"""Faults on the wire: an ASGI layer that passes, delays, spoils or drops each response."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fluence_watch.simulator.dialects.view import Dialect
from fluence_watch.simulator.faults import Fault, FaultKind, FaultPlan
from fluence_watch.simulator.spoil import gzip_bomb, huge_body, spoiled


def with_faults(app: ASGIApp, plan: FaultPlan, dialect: Dialect) -> ASGIApp:
    """Wrap the app in the plan's faults. Dropping a connection needs a real server."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        fault = plan.next_fault()
        if fault is None:
            await app(scope, receive, send)
        else:
            exchange = _Exchange(app, dialect, fault, scope, receive, send)
            await _HOW.get(fault.kind, _spoil)(exchange)

    return faulty


@dataclass(frozen=True, slots=True)
class _Exchange:
    app: ASGIApp
    dialect: Dialect
    fault: Fault
    scope: Scope
    receive: Receive
    send: Send

    async def reply(self, response: Response) -> None:
        await response(self.scope, self.receive, self.send)


async def _delay(exchange: _Exchange) -> None:
    await asyncio.sleep(exchange.fault.seconds)
    await exchange.app(exchange.scope, exchange.receive, exchange.send)


async def _refuse(exchange: _Exchange) -> None:
    fault = exchange.fault
    response = exchange.dialect.error(fault.status, f"simulated {fault.status}")
    if fault.retry_after is not None:
        response.headers["Retry-After"] = fault.retry_after
    await exchange.reply(response)


async def _drop(exchange: _Exchange) -> None:
    transport = exchange.scope.get("state", {}).get("transport")
    if transport is None:
        raise ConnectionResetError("simulated drop")
    transport.close()
    while (await exchange.receive())["type"] != "http.disconnect":
        pass


async def _cut_body(exchange: _Exchange) -> None:
    start, body = await _captured(exchange)
    if body:
        await exchange.send(_with_length(start, len(body)))
        half = body[: len(body) // 2]
        await exchange.send({"type": "http.response.body", "body": half, "more_body": True})
    await _drop(exchange)


async def _spoil(exchange: _Exchange) -> None:
    start, body = await _captured(exchange)
    if body:
        body = spoiled(exchange.fault.kind, body, Random(exchange.fault.seed))
        start = _with_length(start, len(body))
    await exchange.send(start)
    await exchange.send({"type": "http.response.body", "body": body})


async def _bomb(exchange: _Exchange) -> None:
    # in a thread, so that it does not block other requests
    body = await asyncio.to_thread(gzip_bomb, exchange.fault.megabytes)
    headers = {"Content-Encoding": "gzip"}
    await exchange.reply(Response(body, headers=headers, media_type="application/json"))


async def _flood(exchange: _Exchange) -> None:
    pieces = huge_body(exchange.fault.megabytes)
    headers = [(b"content-type", b"application/json")]
    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    for piece in pieces:
        await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})
    await exchange.send({"type": "http.response.body", "body": b""})


_HOW: Final[Mapping[FaultKind, Callable[[_Exchange], Coroutine[Any, Any, None]]]] = {
    FaultKind.LATENCY: _delay,
    FaultKind.STATUS: _refuse,
    FaultKind.DROP: _drop,
    FaultKind.TRUNCATED_BODY: _cut_body,
    FaultKind.GZIP_BOMB: _bomb,
    FaultKind.HUGE_BODY: _flood,
}


async def _captured(exchange: _Exchange) -> tuple[Message, bytes]:
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    await exchange.app(exchange.scope, exchange.receive, keep)
    return sent[0], b"".join(message.get("body", b"") for message in sent[1:])


def _with_length(start: Message, length: int) -> Message:
    headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}
