"""HTTP to the Fluence API: the key, the time budget, retries, and errors as `ApiError`."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

import httpx
import stamina

from fluence_watch import __version__
from fluence_watch.errors import (
    ApiError,
    RateLimitedError,
    ServerError,
    UnreachableError,
)
from fluence_watch.fluence.answers import error_text, failure_of, retry_after
from fluence_watch.fluence.body import read_body
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.model.text import inert

_TRIES = 5
_LONGEST_CONNECT = 5.0  # seconds
_LARGEST_ERROR_BODY = 64 * 2**10


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One HTTP request, each try by itself.

    `failure` is `ApiError.reason`, `None` when the request succeeded; a request that was cut
    off, by the budget of its call or at shutdown, is `unreachable`.
    """

    endpoint: str
    seconds: float
    failure: str | None


class Transport:
    """Requests with the key of one account; closed with `aclose`.

    `on_request` is told of every request, `now` tells the time for `Retry-After` dates, and
    `transport` takes the place of the network connection, and of the proxies of the environment.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        on_request: Callable[[RequestRecord], None],
        transport: httpx.AsyncBaseTransport | None,
        now: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._on_request = on_request
        self._now = now
        self._client = _http_client(config, transport)
        # All in proportion to the budget: at 10 s the waits are about 0.2, 0.4, 0.8 and 1.6 s.
        budget = config.timeout
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=_TRIES,
            timeout=None,  # the deadline of the call is the limit
            wait_initial=budget / 50,
            wait_max=budget / 5,
            wait_jitter=budget / 20,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def deadline(self) -> float:
        """When a call that starts now must end, in the time of the event loop."""
        return asyncio.get_running_loop().time() + self._config.timeout

    async def get(self, endpoint: str, path: str, deadline: float) -> bytes:
        """GET a path, with retries until the deadline, and give the body of the success.

        Raises:
            ApiError: there was none.
        """
        retry = _Retry(deadline)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._retrying(retry, self._try, endpoint, path)
        except TimeoutError:
            raise self._out_of_time(retry.failure) from None

    async def _try(self, endpoint: str, path: str) -> bytes:
        clock = asyncio.get_running_loop().time
        started = clock()
        failure: str | None = UnreachableError.reason
        try:
            body = await self._request(path)
            failure = None
        except ApiError as error:
            failure = error.reason
            raise
        else:
            return body
        finally:
            self._on_request(RequestRecord(endpoint, clock() - started, failure))

    async def _request(self, path: str) -> bytes:
        try:
            async with self._client.stream("GET", path) as response:
                if response.is_success:
                    return await read_body(response, self._config.max_body_bytes)
                raise await self._failure(response)
        except httpx.TimeoutException:
            raise UnreachableError(f"{self._client.base_url.host} did not answer in time") from None
        except httpx.HTTPError as error:
            raise UnreachableError(self._unreachable_text(error)) from None

    async def _failure(self, response: httpx.Response) -> ApiError:
        try:
            said = error_text(await read_body(response, _LARGEST_ERROR_BODY))
        except (ApiError, httpx.HTTPError):
            said = ""  # the status alone tells enough
        wait = retry_after(response.headers.get("Retry-After"), self._now())
        location = self._clean(response.headers.get("Location", ""))
        return failure_of(response.status_code, self._clean(said), wait, location)

    def _unreachable_text(self, error: httpx.HTTPError) -> str:
        why = self._clean(str(error)) or type(error).__name__
        return f"no answer from {self._client.base_url.host}: {why}"

    def _out_of_time(self, failure: ApiError | None) -> ApiError:
        if failure is not None and failure.status is not None:
            return failure  # the API did answer, with this
        earlier = f" (an earlier try: {failure})" if failure else ""
        return UnreachableError(f"no answer within {self._config.timeout:g} s{earlier}")

    def _clean(self, text: str) -> str:
        return inert(text.replace(self._config.api_key, "***"))


@dataclass(slots=True)
class _Retry:
    """stamina's hook: whether to try again after a failure, and after how many seconds.

    A wait that the API asks for is kept to; one that does not fit before the deadline is not
    even begun. `True` leaves the wait to the backoff.
    """

    deadline: float
    failure: ApiError | None = field(default=None, init=False)

    def __call__(self, error: Exception) -> bool | float:
        if not isinstance(error, UnreachableError | RateLimitedError | ServerError):
            return False
        if self.failure is None or error.status is not None:
            self.failure = error  # what the API said tells more than a silence after it
        wait = None if isinstance(error, UnreachableError) else error.retry_after
        if not wait:
            return True
        return wait if asyncio.get_running_loop().time() + wait < self.deadline else False


def _key_auth(config: ClientConfig) -> Callable[[httpx.Request], httpx.Request]:
    def sign(request: httpx.Request) -> httpx.Request:
        if config.auth != "bearer":
            request.headers["X-API-KEY"] = config.api_key
        if config.auth != "x-api-key":
            request.headers["Authorization"] = f"Bearer {config.api_key}"
        return request

    return sign


def _http_client(
    config: ClientConfig, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    # A try that hangs leaves half of the budget to the next one.
    half = config.timeout / 2
    return httpx.AsyncClient(
        base_url=config.base_url,
        auth=_key_auth(config),
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"fluence-watch/{__version__}",
        },
        timeout=httpx.Timeout(half, connect=min(_LONGEST_CONNECT, half)),
        follow_redirects=False,
        verify=_tls(),
        transport=transport,
    )


@cache
def _tls() -> ssl.SSLContext:
    """One for all clients: it takes 20 ms and a megabyte, and a company has 200 accounts."""
    return httpx.create_ssl_context()
