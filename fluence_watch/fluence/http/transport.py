"""HTTP to the Fluence API: the key, the time budget, retries, and errors as `ApiError`."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import httpx
import stamina

from fluence_watch.errors import (
    ApiError,
    RateLimitedError,
    ServerError,
    UnexpectedPayloadError,
    UnreachableError,
)
from fluence_watch.fluence.config import ClientConfig
from fluence_watch.fluence.http.answers import error_text, failure_of, retry_after
from fluence_watch.fluence.http.body import read_body
from fluence_watch.fluence.http.session import Signing, http_client, signer, timeout
from fluence_watch.model.text import inert

_TRIES = 5
_LARGEST_ERROR_BODY = 64 * 2**10


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One HTTP request; each retry has its own record.

    `failure` is `ApiError.reason`, or `None` on success.
    It is `unreachable` if the budget of the call or a shutdown cut the request off.
    """

    endpoint: str
    seconds: float
    failure: str | None


class Answer(NamedTuple):
    """The successful response to a change; `status` is its 2xx."""

    status: int
    body: bytes


class NotSentError(UnreachableError):
    """There was no connection, so the API did not receive the request."""


class DoubtfulError(Exception):
    """A change was sent and its outcome is unknown; `cause` says why.

    It does not leave this package: `settling` reads the change back.
    """

    def __init__(self, cause: ApiError) -> None:
        self.cause = cause
        super().__init__(str(cause))


@dataclass(slots=True)
class Request:
    """One request. It is `in_flight` while the API may have it and has not responded.

    `endpoint` names it in `RequestRecord`s; `content` is JSON. `asks` marks a POST that changes nothing.
    """

    endpoint: str
    method: str
    path: str
    content: bytes | None = None
    signing: Signing = Signing.CONFIGURED
    asks: bool = False
    in_flight: bool = field(default=False, init=False)

    @property
    def writes(self) -> bool:
        """Whether it is a change."""
        return self.method != "GET" and not self.asks


class Transport:
    """Sends requests with the key of one account; close it with `aclose`.

    `on_request` is called for every request. `now` is the clock for `Retry-After` dates.
    `transport` replaces the network connection, and the environment's proxies.
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
        self._client = http_client(config, transport)
        # In proportion to the budget: at 10 s the waits are about 0.2, 0.4, 0.8 and 1.6 s.
        budget = config.timeout
        self._retrying = stamina.AsyncRetryingCaller(
            attempts=_TRIES,
            timeout=None,  # the deadline of the call limits retries
            wait_initial=budget / 50,
            wait_max=budget / 5,
            wait_jitter=budget / 20,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def deadline(self) -> float:
        """The end of a call that starts now, in the time of the event loop."""
        return asyncio.get_running_loop().time() + self._config.timeout

    async def get(self, request: Request, deadline: float) -> bytes:
        """The body of a successful GET, or of a POST that only asks, with retries until the deadline.

        Raises:
            ApiError: no request succeeded.
        """
        retry = _Retry(deadline)
        try:
            return (await self._until(deadline, retry, request)).body
        except TimeoutError:
            raise self._out_of_time(retry.failure) from None

    async def send(self, request: Request, deadline: float) -> Answer:
        """Request a change. It is retried only if it cannot have been made.

        Raises:
            ApiError: it was not made.
            DoubtfulError: it may have been made.
        """
        retry = _Retry(deadline, writing=True)
        try:
            return await self._until(deadline, retry, request)
        except TimeoutError:
            if request.in_flight:
                raise DoubtfulError(self._out_of_time(None)) from None
            raise self._out_of_time(retry.failure) from None
        except NotSentError:
            raise
        except (UnreachableError, ServerError, UnexpectedPayloadError) as error:
            raise DoubtfulError(error) from None

    async def _until(self, deadline: float, retry: "_Retry", request: Request) -> Answer:
        async with asyncio.timeout_at(deadline):
            return await self._retrying(retry, self._try, request)

    async def _try(self, request: Request) -> Answer:
        clock = asyncio.get_running_loop().time
        started = clock()
        failure: str | None = UnreachableError.reason
        request.in_flight = True
        try:
            answer = await self._answer(request)
            failure = None
        except ApiError as error:
            failure = error.reason
            request.in_flight = False
            raise
        else:
            return answer
        finally:
            self._on_request(RequestRecord(request.endpoint, clock() - started, failure))

    async def _answer(self, request: Request) -> Answer:
        try:
            async with self._stream(request) as response:
                if response.is_success:
                    body = await read_body(response, self._config.max_body_bytes)
                    return Answer(response.status_code, body)
                raise await self._failure(response, writing=request.writes)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSentError(self._unreachable_text(error)) from None
        except httpx.TimeoutException:
            raise UnreachableError(f"{self._address} did not answer in time") from None
        except httpx.HTTPError as error:
            raise UnreachableError(self._unreachable_text(error)) from None

    def _stream(self, request: Request) -> AbstractAsyncContextManager[httpx.Response]:
        return self._client.stream(
            request.method,
            request.path,
            content=request.content,
            headers={"Content-Type": "application/json"} if request.content else None,
            auth=signer(self._config, request.signing),
            # A hanging attempt leaves half of the budget to the next one; a change has one attempt.
            timeout=timeout(self._config.timeout, tries=1 if request.writes else 2),
        )

    async def _failure(self, response: httpx.Response, *, writing: bool) -> ApiError:
        try:
            said = error_text(await read_body(response, _LARGEST_ERROR_BODY))
        except (ApiError, httpx.HTTPError):
            said = ""  # the status is enough
        wait = retry_after(response.headers.get("Retry-After"), self._now())
        location = self._clean(response.headers.get("Location", ""))
        said = self._clean(said)
        return failure_of(response.status_code, said, wait, location, writing=writing)

    def _unreachable_text(self, error: httpx.HTTPError) -> str:
        why = self._clean(str(error)) or type(error).__name__
        return f"no answer from {self._address}: {why}"

    def _out_of_time(self, failure: ApiError | None) -> ApiError:
        if failure is not None and failure.status is not None:
            return failure  # the API did respond, with this error
        earlier = f" (an earlier try: {failure})" if failure else ""
        text = f"no answer from {self._address} within {self._config.timeout:g} s{earlier}"
        return UnreachableError(text)

    @property
    def _address(self) -> str:
        """Host and port of the API."""
        url = self._client.base_url
        host = f"[{url.host}]" if ":" in url.host else url.host
        return f"{host}:{url.port or (80 if url.scheme == 'http' else 443)}"

    def _clean(self, text: str) -> str:
        return inert(text.replace(self._config.api_key, "***"))


_TRANSIENT = (UnreachableError, RateLimitedError, ServerError)
_SAFE = (NotSentError, RateLimitedError)  # errors after which a change cannot have been made


@dataclass(slots=True)
class _Retry:
    """stamina's hook: whether to retry after a failure, and after how many seconds.

    A wait that the API asks for is kept. If it does not fit before the deadline, there is no retry.
    `True` leaves the wait to the back-off.
    """

    deadline: float
    writing: bool = False
    failure: ApiError | None = field(default=None, init=False)

    def __call__(self, error: Exception) -> bool | float:
        transient = _SAFE if self.writing else _TRANSIENT
        if not isinstance(error, transient):
            return False
        if self.failure is None or error.status is not None:
            self.failure = error  # a response says more than a later timeout
        wait = error.retry_after if isinstance(error, RateLimitedError | ServerError) else None
        if not wait:
            return True
        return wait if asyncio.get_running_loop().time() + wait < self.deadline else False
