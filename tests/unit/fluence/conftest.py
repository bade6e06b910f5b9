"""A scripted HTTP server on a real socket, and clients that talk to it."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina.instrumentation

from fluence_watch.fluence import ClientConfig, FluenceClient, RequestRecord
from fluence_watch.simulator import World, build_world, create_app, running
from tests.unit.fluence.prices import answers

Json = Any

LISTS = Path(__file__).parents[2] / "fixtures" / "cloud" / "lists"
ONE: Mapping[str, Json] = json.loads((LISTS / "one.json").read_bytes())
NOW = datetime(2025, 4, 16, 18, 0, 0, 800_000, tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """What the server says once: after `wait` seconds, byte by byte where there is an `interval`.

    `promised` is the Content-Length where it lies about it.
    """

    status: int = 200
    body: bytes = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    interval: float = 0.0
    cut: bool = False
    promised: int | None = None

    def parts(self) -> list[bytes]:
        """The answer as it goes over the connection."""
        length = len(self.body) if self.promised is None else self.promised
        headers = {"Content-Length": str(length), "Connection": "close"} | self.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = f"HTTP/1.1 {self.status} Scripted\r\n{head}\r\n".encode()
        if not self.interval:
            return [start + self.body]
        return [start, *(bytes([byte]) for byte in self.body)]


@dataclass
class ScriptedApi:
    """Gives the answers in turn, the last one for ever, and keeps what it was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set["asyncio.Task[None] | None"] = field(default_factory=set)

    def says(self, body: bytes | str = b"[]", status: int = 200, **rest: object) -> None:
        """Add an answer; `rest` are fields of `Answer`."""
        raw = body.encode() if isinstance(body, str) else body
        self.answers.append(Answer(status, raw, **rest))

    def says_gzip(self, body: bytes) -> None:
        """Add an answer with a compressed body."""
        self.says(gzip.compress(body), headers={"Content-Encoding": "gzip"})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self.tasks.add(asyncio.current_task())
        try:
            await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        self.requests.append((first, headers))
        self.bodies.append(await reader.readexactly(int(headers.get("content-length", 0))))
        self.asked.set()
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        await asyncio.sleep(answer.wait)
        if answer.cut:
            writer.transport.abort()
            return
        for part in answer.parts():
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(answer.interval)


@pytest.fixture
async def api() -> AsyncIterator[ScriptedApi]:
    scripted = ScriptedApi()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    scripted.url = f"http://127.0.0.1:{port}"
    yield scripted
    server.close()
    running = [task for task in scripted.tasks if task]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
def records() -> list[RequestRecord]:
    """What `on_request` was told, in order."""
    return []


@pytest.fixture
async def connect(
    api: ScriptedApi, records: list[RequestRecord]
) -> AsyncIterator[Callable[..., FluenceClient]]:
    """Make a client of the scripted server; keywords are of `ClientConfig`."""
    async with AsyncExitStack() as stack:

        def build(**config: object) -> FluenceClient:
            settings = {"api_key": "s3cret-key", "base_url": api.url, "timeout": 2.0} | config
            client = FluenceClient(
                ClientConfig(**settings), on_request=records.append, now=lambda: NOW
            )
            stack.push_async_callback(client.aclose)
            return client

        yield build


@pytest.fixture
async def simulated(
    records: list[RequestRecord],
) -> AsyncIterator[Callable[..., Awaitable[tuple[World, FluenceClient]]]]:
    """Start the simulator with so many VMs and make a client of a dialect; it speaks `spoken`."""
    async with AsyncExitStack() as stack:

        async def build(
            dialect: str, *, vms: int = 4, spoken: str = "all", **config: object
        ) -> tuple[World, FluenceClient]:
            world = build_world(seed=7, vms=vms, epoch=timedelta(hours=24), now=NOW)
            app = create_app(world, lambda: NOW, dialect=spoken)
            url = await stack.enter_async_context(running(app))
            settings = {"api_key": world.api_key, "base_url": url, "dialect": dialect} | config
            client = FluenceClient(
                ClientConfig(**settings), on_request=records.append, now=lambda: NOW
            )
            await stack.enter_async_context(client)
            return world, client

        yield build


@dataclass
class FakeCloud:
    """Answers by path with what `answers` holds: JSON, bytes, an error, or what makes one of them."""

    answers: dict[str, Json] = field(default_factory=dict)
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.asked.append(request)
        answer = self.answers.get(f"{request.method} {request.url.path}")
        answer = self.answers.get(request.url.path) if answer is None else answer
        if callable(answer):
            answer = answer(request)
        status = 200
        if isinstance(answer, tuple):
            status, answer = answer[0], {"code": "x", "error": answer[1]}
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return httpx.Response(status, stream=httpx.ByteStream(body))

    def count(self, path: str) -> int:
        """How often the path was asked for."""
        return sum(request.url.path == path for request in self.asked)

    def client(self, **config: Json) -> FluenceClient:
        """A client of it."""
        settings = {"api_key": "k", "dialect": "cloud", "timeout": 1.0} | config
        return FluenceClient(ClientConfig(**settings), transport=httpx.MockTransport(self))


@pytest.fixture
def cloud() -> FakeCloud:
    (vm,), (group,) = ONE["/v2/vms"]["items"], ONE["/v1/security_groups"]["items"]
    path, interfaces = f"/v2/vms/{vm['id']}", vm["expanded"]["networkInterfaces"]
    more = {f"{path}/interfaces": interfaces, path: vm, f"{path}/terminate": vm}
    return FakeCloud({**ONE, **more, f"/v1/security_groups/{group['id']}": group})


@pytest.fixture
def asking(cloud: FakeCloud) -> FakeCloud:
    """The same, which answers every list of prices too, as published, with one element."""
    cloud.answers |= answers()
    return cloud


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests behind a proxy still talks to the scripted server."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def _no_retry_hooks() -> Iterator[None]:
    """Keep stamina's own counter out of prometheus_client's global registry."""
    stamina.instrumentation.set_on_retry_hooks(())
    yield
    stamina.instrumentation.set_on_retry_hooks(None)
