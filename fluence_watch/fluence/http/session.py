"""The HTTP session of one account: TLS, headers, timeouts, and how a request carries the key."""

import ssl
from collections.abc import Callable
from enum import Enum, auto
from functools import cache

import httpx

from fluence_watch import __version__
from fluence_watch.fluence.config import ClientConfig

_LONGEST_CONNECT = 5.0  # seconds
_KEEP_ALIVE = 3.0  # seconds: servers close idle connections after 5 s, also while we write


class Signing(Enum):
    """How a request carries the key."""

    CONFIGURED = auto()  # in the headers that `ClientConfig.auth` names
    KEY_HEADER = auto()  # the same, but `both` means X-API-KEY: a bearer is a login token there
    NONE = auto()


def signer(
    config: ClientConfig, signing: Signing
) -> Callable[[httpx.Request], httpx.Request] | None:
    """The function that adds the key to a request; `None` if the request carries no key."""
    if signing is Signing.NONE:
        return None
    both = config.auth == "both"

    def sign(request: httpx.Request) -> httpx.Request:
        if both or config.auth == "x-api-key":
            request.headers["X-API-KEY"] = config.api_key
        if config.auth == "bearer" or (both and signing is Signing.CONFIGURED):
            request.headers["Authorization"] = f"Bearer {config.api_key}"
        return request

    return sign


def http_client(
    config: ClientConfig, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """A client that follows no redirects, because they would take the key to another host."""
    return httpx.AsyncClient(
        base_url=config.base_url,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"fluence-watch/{__version__}",
        },
        follow_redirects=False,
        verify=tls_context(trusting=config.base_url.startswith("https:")),
        transport=transport,
        limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
    )


def timeout(budget: float, *, tries: int) -> httpx.Timeout:
    """The timeout of one attempt, if `tries` attempts share the budget."""
    return httpx.Timeout(budget / tries, connect=min(_LONGEST_CONNECT, budget / 2))


@cache
def tls_context(*, trusting: bool) -> ssl.SSLContext:
    """One context for all clients: each takes 20 ms and 2 MB, and a company may have 200 accounts.

    Plain HTTP needs no certificates, so none are loaded.
    """
    return httpx.create_ssl_context() if trusting else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
