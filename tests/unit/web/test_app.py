import gzip
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx
import pytest

from fluence_watch.errors import ConfigError, FluenceWatchError, Problem
from fluence_watch.notify.render import brief
from fluence_watch.web.app import create_app
from fluence_watch.web.backend import Backend, MetricsResponse
from fluence_watch.web.query import read_query
from fluence_watch.web.status import build_status
from fluence_watch.web.style import STYLE_HASH

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass
class Daemon:
    """What stands behind the web floor, as a test wants it."""

    scrape: MetricsResponse = (
        (b"fluence_up 1\n",),
        "text/plain; version=0.0.4; charset=utf-8",
        None,
    )
    reasons: Sequence[str] = ()
    remarks: Sequence[str] = ()
    failure: FluenceWatchError | None = None
    asked: list[tuple[str | None, str | None]] = field(default_factory=list)
    reloads: int = 0
    pending: Sequence[str] = ()

    def metrics(self, accept: str | None, accept_encoding: str | None) -> MetricsResponse:
        """Answer a scrape, and remember how it asked."""
        self.asked.append((accept, accept_encoding))
        return self.scrape

    async def reload(self) -> Sequence[str]:
        """Reload, or fail as told."""
        if self.failure:
            raise self.failure
        self.reloads += 1
        return self.pending


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
async def client(daemon: Daemon, now: datetime) -> AsyncIterator[httpx.AsyncClient]:
    backend = Backend(
        metrics=daemon.metrics,
        ready=lambda: daemon.reasons,
        remarks=lambda: daemon.remarks,
        reload=daemon.reload,
        status=lambda match: build_status([], [], now, brief, query=read_query(match)),
    )
    transport = httpx.ASGITransport(create_app(backend))
    async with httpx.AsyncClient(transport=transport, base_url="http://watch.test:9824") as client:
        yield client


async def test_metrics_are_handed_through(client: httpx.AsyncClient, daemon: Daemon) -> None:
    """The backend sees both headers, and its answer goes out as it is."""
    daemon.scrape = ((gzip.compress(b"fluence_up 1\n"),), OPENMETRICS, "gzip")
    headers = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
    answer = await client.get("/metrics", headers=headers)

    assert [("application/openmetrics-text", "gzip")] == daemon.asked
    assert 200 == answer.status_code
    assert b"fluence_up 1\n" == answer.content
    assert OPENMETRICS == answer.headers["content-type"]
    assert "gzip" == answer.headers["content-encoding"]
    assert "Accept, Accept-Encoding" == answer.headers["vary"]


async def test_metrics_without_compression(client: httpx.AsyncClient, daemon: Daemon) -> None:
    """What is not compressed does not say that it is."""
    answer = await client.get("/metrics")

    assert "content-encoding" not in answer.headers
    assert "text/plain; version=0.0.4; charset=utf-8" == answer.headers["content-type"]


async def test_healthy_depends_on_nothing(client: httpx.AsyncClient, daemon: Daemon) -> None:
    """The process is alive though it is not ready."""
    daemon.reasons = ["the store cannot be opened"]

    assert 200 == (await client.get("/-/healthy")).status_code


async def test_ready(client: httpx.AsyncClient, daemon: Daemon) -> None:
    """Not ready says why; ready says so."""
    daemon.reasons = ["the store cannot be opened", "no poll of main was tried yet"]
    answer = await client.get("/-/ready")
    assert 503 == answer.status_code
    assert "not ready: the store cannot be opened\nnot ready: no poll of main was tried yet\n" == (
        answer.text
    )

    daemon.reasons = []
    assert (200, "ready\n") == ((a := await client.get("/-/ready")).status_code, a.text)


@pytest.mark.parametrize(
    ("reasons", "said"), [([], (200, "ready")), (["x"], (503, "not ready: x"))]
)
async def test_ready_says_what_is_wrong_beside(
    client: httpx.AsyncClient, daemon: Daemon, reasons: list[str], said: tuple[int, str]
) -> None:
    """A remark is read after the answer, and changes nothing else."""
    daemon.reasons, daemon.remarks = reasons, ["receiver ops fails"]
    answer = await client.get("/-/ready")

    assert said == (answer.status_code, answer.text.removesuffix("\nreceiver ops fails\n"))


async def test_reload(client: httpx.AsyncClient, daemon: Daemon) -> None:
    """A program may reload, and so may a page of our own."""
    assert 200 == (await client.post("/-/reload")).status_code
    ours = {"Origin": "http://watch.test:9824", "Sec-Fetch-Site": "same-origin"}
    assert 200 == (await client.post("/-/reload", headers=ours)).status_code
    assert 2 == daemon.reloads


async def test_a_reload_says_what_needs_a_restart(
    client: httpx.AsyncClient, daemon: Daemon
) -> None:
    """The answer names each changed setting that waits for one."""
    assert "reloaded\n" == (await client.post("/-/reload")).text
    daemon.pending = ["server.listen", "store.url"]
    waits = "changed: restart to apply it"
    assert f"reloaded\nserver.listen {waits}\nstore.url {waits}\n" == (
        (await client.post("/-/reload")).text
    )


async def test_a_bad_configuration_is_not_a_success(
    client: httpx.AsyncClient, daemon: Daemon
) -> None:
    """The answer is 500 and names every problem with its place."""
    daemon.failure = ConfigError(
        [Problem("poll.interval", "is not a duration", "config.toml", 3), Problem("acounts", "?")]
    )
    answer = await client.post("/-/reload")

    assert 500 == answer.status_code
    assert "config.toml:3: poll.interval: is not a duration\nacounts: ?\n" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://watch.test:80"},
        {"Origin": "null"},
    ],
)
async def test_another_site_cannot_reload(
    client: httpx.AsyncClient, daemon: Daemon, headers: dict[str, str]
) -> None:
    """A form on somebody's page, sent by the user's browser, does nothing."""
    answer = await client.post("/-/reload", headers=headers)

    assert 403 == answer.status_code
    assert 0 == daemon.reloads


async def test_nothing_leads_where_a_header_says(client: httpx.AsyncClient) -> None:
    """A slash too much is an address that does not exist, not a way to another host."""
    answer = await client.get("/metrics/", headers={"Host": "evil.example"})
    assert (404, None) == (answer.status_code, answer.headers.get("location"))


async def test_reload_is_not_for_reading(client: httpx.AsyncClient, daemon: Daemon) -> None:
    """A link or an image cannot reload."""
    assert 405 == (await client.get("/-/reload")).status_code
    assert 0 == daemon.reloads


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready"])
async def test_head(client: httpx.AsyncClient, path: str) -> None:
    """Load balancers ask with HEAD."""
    assert 200 == (await client.head(path)).status_code


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/reload", "/nowhere"])
async def test_every_answer_is_guarded(client: httpx.AsyncClient, path: str) -> None:
    """No frame, no script, no sniffing, no cookie: on errors as on pages."""
    headers = (await client.get(path)).headers
    policy = headers["content-security-policy"].split("; ")

    assert {"default-src 'none'", f"style-src '{STYLE_HASH}'", "frame-ancestors 'none'"} <= set(
        policy
    )
    assert not any(part.startswith("script-src") for part in policy)
    assert "nosniff" == headers["x-content-type-options"]
    assert "no-referrer" == headers["referrer-policy"]
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
async def test_no_pages_that_load_from_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    """Generated documentation would fetch scripts from a CDN."""
    assert 404 == (await client.get(path)).status_code


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("", 200, "Accounts"),
        (
            "?match=rule%3Dport_drift&match=vm%3Dweb",
            200,
            "match <code>rule=port_drift, vm=web</code>",
        ),
        ("?match=rule", 400, "is no matcher"),
    ],
)
async def test_the_page_takes_matchers(
    client: httpx.AsyncClient, query: str, status: int, says: str
) -> None:
    """As many as are asked; what cannot be read is said on the page."""
    response = await client.get(f"/{query}")
    assert status == response.status_code
    assert says in response.text
