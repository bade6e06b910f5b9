"""One call of the client. Its requests share a deadline."""

from dataclasses import dataclass

import msgspec

from fluence_watch.fluence.http.session import Signing
from fluence_watch.fluence.http.transport import Answer, Request, Transport


@dataclass(frozen=True, slots=True)
class Call:
    """Sends a dialect's requests. `endpoint` names a request in `RequestRecord`s.

    `deadline` is in the time of the event loop. `max_bytes` bounds all pages of one list.
    """

    transport: Transport
    deadline: float
    max_bytes: int
    signing: Signing = Signing.CONFIGURED

    async def get(self, endpoint: str, path: str, *, signed: bool = True) -> bytes:
        """The body of a GET. Without `signed` the key is not sent.

        Raises:
            ApiError: there is no body to read.
        """
        signing = self.signing if signed else Signing.NONE
        request = Request(endpoint, "GET", path, signing=signing)
        return await self.transport.get(request, self.deadline)

    async def ask(self, endpoint: str, path: str, body: object) -> bytes:
        """The body of a POST that asks for something and changes nothing.

        Raises:
            ApiError: there is no body to read.
        """
        content = msgspec.json.encode(body)
        request = Request(endpoint, "POST", path, content, self.signing, asks=True)
        return await self.transport.get(request, self.deadline)

    async def send(self, endpoint: str, method: str, path: str, body: object = None) -> Answer:
        """Request a change; `body`, if given, is sent as JSON.

        Raises:
            ApiError: it was not made.
            DoubtfulError: it may have been made.
        """
        content = None if body is None else msgspec.json.encode(body)
        request = Request(endpoint, method, path, content, self.signing)
        return await self.transport.send(request, self.deadline)
