import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.app.server import WebServer, address, bind
from fluence_watch.web.parts import PIECE, PartsResponse, pieces

BIG = bytes(range(256)) * 40_000  # 10 MB


@given(st.lists(st.binary(max_size=40)), st.integers(1, 16))
def test_pieces_are_the_same_bytes(parts: list[bytes], size: int) -> None:
    """In order, none of them empty or longer than it may be."""
    cut = list(pieces(parts, size))

    assert b"".join(parts) == b"".join(cut)
    assert all(0 < len(piece) <= size for piece in cut)


def test_small_parts_make_few_pieces_and_big_ones_are_not_copied() -> None:
    """Thousands of accounts are not thousands of writes."""
    assert [b"ab" * 1000] == list(pieces([b"ab"] * 1000))
    cut = list(pieces([BIG]))
    assert all(isinstance(piece, memoryview) and piece.obj is BIG for piece in cut)


async def _asked(method: str, client_takes: Callable[[], Any]) -> list[Mapping[str, Any]]:
    sent: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)
        await client_takes()

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request"}

    response = PartsResponse([b"head\n", BIG], {"Content-Type": "text/plain"})
    await response({"type": "http", "method": method}, receive, send)  # type: ignore[arg-type]
    return sent


async def test_a_big_body_goes_out_in_bounded_pieces() -> None:
    """Each when the client took the one before; the length is known from the start."""
    start, *body = await _asked("GET", lambda: asyncio.sleep(0))

    assert (b"content-length", str(5 + len(BIG)).encode()) in start["headers"]
    assert b"head\n" + BIG == b"".join(message["body"] for message in body)
    assert max(len(message["body"]) for message in body) <= PIECE
    assert [True] * (len(body) - 1) + [False] == [m.get("more_body", False) for m in body]


async def test_a_slow_client_costs_no_memory() -> None:
    """Nothing is sent ahead of a client that does not read."""
    never = asyncio.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await _asked("GET", never.wait)


async def test_the_real_server_sends_it_whole() -> None:
    """Over a socket, for GET and for HEAD."""

    def page(_: Request) -> Response:
        return PartsResponse([BIG, b"tail\n"], {"Content-Type": "text/plain"})

    listener = bind("127.0.0.1", 0)
    server = WebServer(Starlette(routes=[Route("/", page, methods=["GET", "HEAD"])]))
    await server.start(listener)
    try:
        async with httpx.AsyncClient(verify=False, base_url=address(listener)) as client:
            got, head = await client.get("/"), await client.head("/")
    finally:
        await server.stop()

    assert BIG + b"tail\n" == got.content
    assert (200, b"") == (head.status_code, head.content)
    assert got.headers["content-length"] == head.headers["content-length"]
