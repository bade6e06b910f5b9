"""A body in parts, sent in pieces and never joined.

asyncio's selector transport keeps unsent bytes in one buffer and cuts its front at each send, so
a body of 50 MB in one piece takes 100 times as long as one of 5 MB.
Bounded pieces, each sent after the client has taken the previous one, keep that buffer small.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE = 256 * 2**10
"""The largest size of a piece, in bytes."""


class PartsResponse(Response):
    """A response made of parts; its length is known from the start."""

    def __init__(self, parts: Sequence[bytes], headers: Mapping[str, str]) -> None:
        self._parts = parts
        length = sum(map(len, parts))
        super().__init__(None, headers={**headers, "Content-Length": str(length)})

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        """Send the pieces; the server waits in `send` while the client is slow."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        if scope["method"] != "HEAD":
            for piece in pieces(self._parts):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def pieces(parts: Iterable[bytes], size: int = PIECE) -> Iterator[bytes | memoryview]:
    """The same bytes in pieces of at most `size`: small parts joined, big ones cut uncopied."""
    small: list[bytes] = []
    length = 0
    for part in parts:
        if length + len(part) > size and small:
            yield b"".join(small)
            small, length = [], 0
        if len(part) > size:
            yield from _cut(part, size)
        elif part:
            small.append(part)
            length += len(part)
    if small:
        yield b"".join(small)


def _cut(part: bytes, size: int) -> Iterator[memoryview]:
    view = memoryview(part)
    return (view[at : at + size] for at in range(0, len(part), size))
