"""The members of an Alertmanager cluster. Each is posted to by itself: they share no alerts."""

import asyncio
import json
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx

from fluence_watch import __version__
from fluence_watch.errors import NotifyError
from fluence_watch.model.text import inert
from fluence_watch.notify.alertmanager.payload import FORMAT, Payload
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered

TIMEOUT = 10.0
"""Seconds that one post may take."""
_LONGEST = 10_000
_PATH = "/api/v2/alerts"
_READ = 4096  # bytes of an answer
_KEEP_ALIVE = 3.0  # seconds: shorter than the pause between two refreshes, which may be long
_TEST = "FluenceWatchTest"


@dataclass(slots=True)
class Member:
    """One Alertmanager. `shown` is its address without user and password."""

    url: str = field(repr=False)
    tls: ssl.SSLContext = field(repr=False)
    transport: httpx.AsyncBaseTransport | None = None
    shown: str = field(init=False)
    _client: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        address = parts.netloc.rpartition("@")[2]
        self.shown = urlunsplit((parts.scheme, address, parts.path.rstrip("/"), "", ""))

    async def post(self, alerts: Sequence[Payload]) -> None:
        """Post the alerts.

        Raises:
            NotifyError: it did not accept them, or not in time.
        """
        content = json.dumps(alerts).encode()
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._post(content)
        except TimeoutError:
            why = f"{self.shown} did not answer within {TIMEOUT:g} s"
            raise NotifyError(why, may_have_arrived=True) from None
        except (httpx.HTTPError, OSError) as error:
            why = inert(str(error)) or type(error).__name__
            raise NotifyError(self._hidden(f"{self.shown} cannot be reached: {why}")) from None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _post(self, content: bytes) -> None:
        if self._client is None:
            self._client = self._connected()
        async with self._client.stream("POST", self.shown + _PATH, content=content) as response:
            if not response.is_success:
                body = inert((await _beginning(response)).decode(errors="replace"))
                status = f"{self.shown} answered {response.status_code}"
                raise NotifyError(
                    self._hidden(f"{status}: {body}" if body else status),
                    permanent=response.is_client_error and response.status_code not in {408, 429},
                )

    def _connected(self) -> httpx.AsyncClient:
        """A client that follows no redirects, because they would take the password along."""
        url = httpx.URL(self.url)
        return httpx.AsyncClient(
            auth=httpx.BasicAuth(url.username, url.password) if url.userinfo else None,
            headers={
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": f"fluence-watch/{__version__}",
            },
            follow_redirects=False,
            timeout=TIMEOUT,
            verify=self.tls,
            transport=self.transport,
            limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
        )

    def _hidden(self, text: str) -> str:
        """The text without the password: an answer may repeat it."""
        password = httpx.URL(self.url).password
        return text.replace(password, "***") if password else text


@dataclass(frozen=True, slots=True)
class Cluster:
    """A receiver of alerts as states. `labels` are added to each alert.

    `base` is the address of fluence-watch, for links to the pages of alerts; empty for none.
    """

    name: str
    members: tuple[Member, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    base: str = ""
    format: BodyFormat = FORMAT
    longest: int = _LONGEST

    @property
    def shown(self) -> str:
        """The addresses of its members."""
        return ", ".join(member.shown for member in self.members)

    async def send(self, rendered: Rendered) -> None:
        """Post a test to each member: an alert that ends by itself after its `resolve_timeout`.

        Raises:
            NotifyError: a member did not accept it.
        """
        test: Payload = {
            "labels": {**self.labels, "alertname": _TEST, "severity": "info"},
            "annotations": {"summary": rendered.title, "description": rendered.body},
        }
        posts = (member.post([test]) for member in self.members)
        done = await asyncio.gather(*posts, return_exceptions=True)
        errors = [each for each in done if isinstance(each, BaseException)]
        if errors:
            raise NotifyError("; ".join(map(str, errors)))

    async def aclose(self) -> None:
        """Close the connections."""
        for member in self.members:
            await member.aclose()


def make_cluster(
    name: str,
    urls: Sequence[str],
    ca_file: Path | None = None,
    labels: Mapping[str, str] | None = None,
    base: str = "",
) -> Cluster:
    """The cluster of these members. For `labels` and `base` see `Cluster`.

    Raises:
        NotifyError: a URL or the CA file cannot be used. The text does not show the URL.
    """
    for number, url in enumerate(urls, 1):
        try:
            httpx.URL(url)
        except httpx.InvalidURL:
            raise NotifyError(f"number {number} of alertmanager is not a URL") from None
    encrypted = any(url.lower().startswith("https:") for url in urls)
    tls = _tls(ca_file) if encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return Cluster(name, tuple(Member(url, tls) for url in urls), labels or {}, base)


async def _beginning(response: httpx.Response) -> bytes:
    """The first bytes of the body."""
    read = b""
    async for chunk in response.aiter_raw():
        read += chunk[: _READ - len(read)]
        if len(read) >= _READ:
            break
    return read


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """One context for all members: each takes 2 MB."""
    if ca_file is None:
        return httpx.create_ssl_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        why = "there is no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise NotifyError(f"cannot use the CA file {ca_file}: {inert(why or '')}") from None
