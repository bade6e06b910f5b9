"""Reads a response body up to a bound."""

import zlib
from io import BytesIO
from typing import TYPE_CHECKING

from fluence_watch.errors import BodyTooLargeError, UnexpectedPayloadError
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    import httpx

_GZIP = zlib.MAX_WBITS | 16


async def read_body(response: "httpx.Response", limit: int) -> bytes:
    """The body of a streamed response, decompressed.

    httpx would inflate each chunk as a whole, even a gzip bomb. This inflates at most `limit` + 1
    bytes.

    Raises:
        BodyTooLargeError: it is larger than `limit` bytes.
        UnexpectedPayloadError: its compression is damaged or was not requested.
        httpx.HTTPError: it did not arrive in full.
    """
    gunzip = _gunzip_for(response.headers.get("Content-Encoding", ""))
    body = BytesIO()  # unlike a bytearray, it returns its bytes without a copy
    async for chunk in response.aiter_raw():
        body.write(_inflate(gunzip, chunk, limit + 1 - body.tell()) if gunzip else chunk)
        if body.tell() > limit:
            raise BodyTooLargeError(
                f"the body is larger than {limit} bytes (the bound is poll.max_body_mb)"
            )
    if gunzip and not gunzip.eof:
        raise UnexpectedPayloadError("its gzip data ends early", where="body")
    return body.getvalue()


def _gunzip_for(encoding: str) -> "zlib._Decompress | None":
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return zlib.decompressobj(_GZIP)
        case _:
            raise UnexpectedPayloadError(
                f"its content encoding was not requested: {inert(encoding)}", where="body"
            )


def _inflate(gunzip: "zlib._Decompress", chunk: bytes, room: int) -> bytes:
    try:
        data = gunzip.decompress(chunk, room)
    except zlib.error:
        raise UnexpectedPayloadError("its gzip data is damaged", where="body") from None
    if gunzip.unused_data:
        raise UnexpectedPayloadError("it goes on after the end of its gzip data", where="body")
    return data
