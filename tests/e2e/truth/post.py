"""The receivers: a real server that takes what Apprise posts, or refuses it while a receiver is down."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.simulator import Clock
from tests.e2e.truth.watcher import MARK

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that a receiver accepted."""

    at: datetime
    receiver: str
    title: str
    text: str
    lines: tuple[Line, ...]


@dataclass
class PostOffice:
    """All receivers. `refused` is when those that are `down` refused a message since they last took one."""

    clock: Clock
    url: str = ""
    down: set[str] = field(default_factory=set)
    arrived: list[Mail] = field(default_factory=list)
    refused: dict[str, datetime] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The server."""
        return Starlette(routes=[Route("/{receiver}", self._take, methods=["POST"])])

    def catch_up(self) -> None:
        """Take what a process that was killed had sent: it is before these requests in the queue."""
        for _ in range(3):
            httpx.get(self.url, timeout=60)

    def collected(self) -> list[Mail]:
        """What arrived since the last call."""
        arrived, self.arrived = self.arrived, []
        return arrived

    async def _take(self, request: Request) -> Response:
        receiver = request.path_params["receiver"]
        posted = json.loads(await request.body())
        if receiver in self.down:
            self.refused.setdefault(receiver, self.clock())
            return Response(status_code=503)
        self.refused.pop(receiver, None)
        text, _, data = posted["message"].partition(MARK)
        lines = tuple(json.loads(data))
        self.arrived.append(Mail(self.clock(), receiver, posted["title"], text, lines))
        return Response()
