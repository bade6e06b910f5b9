"""The service that a heartbeat calls, by the convention of healthchecks.io.

A GET of its address says that all is well; `/start` before says that work begins. A POST to `/fail`
has the reason as its body. Such an address is a secret, and is in no error.
"""

import asyncio
import ssl
from dataclasses import dataclass, field

import httpx
import stamina

from fluence_watch import __version__
from fluence_watch.errors import NotifyError
from fluence_watch.model.text import inert

_TRIES = 3
_LONGEST_CONNECT = 5.0  # seconds
_LONGEST_ANSWER = 64  # characters: `OK`, or why it does not count
_TRANSIENT = frozenset({408, 429})
_SERVER = 500


@dataclass(frozen=True, slots=True)
class Signal:
    """What is said: the end of the path, and a body if there is more to say."""

    suffix: str = ""
    body: str = ""


BEAT = Signal()
START = Signal("/start")


def failure(reason: str) -> Signal:
    """The signal that something does not work."""
    return Signal("/fail", reason)


@dataclass(slots=True)
class HeartbeatService:
    """The service at an address; one call takes at most `timeout` seconds, retries included.

    `tls` are the certificates to trust. Proxies are those of the environment. Close it with `aclose`.
    """

    address: str = field(repr=False)
    timeout: float
    tls: ssl.SSLContext
    _client: httpx.AsyncClient = field(init=False, repr=False)
    _retrying: stamina.AsyncRetryingCaller = field(init=False, repr=False)

    def __post_init__(self) -> None:
        attempt = self.timeout / 2  # one that hangs leaves half to the next
        self._client = httpx.AsyncClient(
            headers={"User-Agent": f"fluence-watch/{__version__}"},
            timeout=httpx.Timeout(attempt, connect=min(attempt, _LONGEST_CONNECT)),
            follow_redirects=False,  # they would take the secret to another host
            verify=self.tls,
        )
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=_TRIES,
            timeout=None,  # `call` has the limit
            wait_initial=self.timeout / 50,
            wait_max=self.timeout / 5,
            wait_jitter=self.timeout / 20,
        )

    async def call(self, signal: Signal) -> None:
        """Send the signal.

        Raises:
            NotifyError: the service did not accept it; the text does not show the address.
        """
        try:
            async with asyncio.timeout(self.timeout):
                await self._retrying(_is_transient, self._try, signal)
        except TimeoutError:
            raise NotifyError(f"no answer within {self.timeout:g} s") from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _try(self, signal: Signal) -> None:
        method, content = ("POST", signal.body.encode()) if signal.body else ("GET", None)
        url = _at(httpx.URL(self.address), signal.suffix)
        try:
            async with self._client.stream(method, url, content=content) as answer:
                said = await _beginning(answer)
        except httpx.HTTPError as error:
            raise NotifyError(f"no answer: {self._clean(str(error)) or type(error).__name__}") from None  # fmt: skip
        self._check(answer.status_code, said)

    def _check(self, status: int, said: str) -> None:
        if not httpx.codes.is_success(status):
            permanent = status < _SERVER and status not in _TRANSIENT
            raise NotifyError(f"it answers {status}", permanent=permanent)
        if said.startswith("OK ("):  # healthchecks.io: `(not found)`, `(rate limited)`
            raise NotifyError(f"it answers {self._clean(said)}", permanent=True)

    def _clean(self, text: str) -> str:
        url = httpx.URL(self.address)
        secrets = (self.address, url.raw_path.decode(), url.path, url.userinfo.decode())
        for secret in secrets:
            text = text.replace(secret, "***") if secret.strip("/") else text
        return inert(text)


def _at(url: httpx.URL, suffix: str) -> httpx.URL:
    """The address with the suffix at the end of its path, before a query."""
    path, mark, query = url.raw_path.partition(b"?")
    longer = path.rstrip(b"/") + suffix.encode() if suffix else path
    return url.copy_with(raw_path=longer + mark + query)


async def _beginning(answer: httpx.Response) -> str:
    """The first bytes of the body as they are; the rest is not read."""
    async for chunk in answer.aiter_raw():
        return chunk[:_LONGEST_ANSWER].decode("utf-8", "replace").strip()
    return ""


def _is_transient(error: Exception) -> bool:
    return isinstance(error, NotifyError) and not error.permanent
