"""One call of the client; its requests share a deadline."""

from dataclasses import dataclass

import msgspec

from fluence_watch.fluence.http.session import Signing
from fluence_watch.fluence.http.transport import Answer, Request, Transport


@dataclass(frozen=True, slots=True)
class Call:
    """What a dialect sends requests with. `endpoint` names a request in `RequestRecord`s.

    `deadline` is in the time of the event loop, `max_bytes` bounds all pages of one list.
    """

    transport: Transport
    deadline: float
    max_bytes: int
    signing: Signing = Signing.CONFIGURED

    async def get(self, endpoint: str, path: str, *, signed: bool = True) -> bytes:
        """The body of a GET; without `signed` the key is not sent.

        Raises:
            ApiError: there was none.
        """
        signing = self.signing if signed else Signing.NONE
        request = Request(endpoint, "GET", path, signing=signing)
        return await self.transport.get(request, self.deadline)

    async def send(self, endpoint: str, method: str, path: str, body: object = None) -> Answer:
        """Request a change; `body` is sent as JSON, if there is one.

        Raises:
            ApiError: it was not made.
            DoubtfulError: it may have been made.
        """
        content = None if body is None else msgspec.json.encode(body)
        request = Request(endpoint, method, path, content, self.signing)
        return await self.transport.send(request, self.deadline)
