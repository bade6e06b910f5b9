"""What all tests share: their order, and a web hook that receivers post to."""

import json
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import settings

from fluence_watch.sender import urls, worker

# an example takes long when the machine is busy, not because it is wrong; each run has the same ones
settings.register_profile("calm", deadline=None, derandomize=True)
settings.load_profile("calm")


def pytest_configure() -> None:
    """Let SIGINT reach the programs under test, also when the tests run in the background.

    A shell ignores it for its background jobs, and what is ignored stays so in their children.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `long` begin first, so that no worker ends with one alone."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def apprise_within_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apprise is asked about URLs by a call, where the program starts a process for it."""

    def asked(about: list[str]) -> list[urls.Description | None]:
        found = worker._described(about)["urls"]
        return [urls.Description(**each) if each else None for each in found]

    monkeypatch.setattr(urls, "_asked", asked)


@dataclass
class Webhook:
    """A real HTTP server that a `json://` receiver posts to.

    It answers `statuses` in turn, then 200; `received` are the bodies that it accepted.
    """

    statuses: list[int] = field(default_factory=list)
    received: list[dict[str, str]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    poison: str = "\x00"
    silent_for: float = 0.0
    port: int = 0

    @property
    def url(self) -> str:
        """Its Apprise URL."""
        return f"json://127.0.0.1:{self.port}/hook"

    def answer(self, body: dict[str, str]) -> int:
        """Keep what arrived, and say with which status."""
        status = self.statuses.pop(0) if self.statuses else 200
        status = 400 if self.poison in body["message"] else status
        (self.received if status == 200 else self.refused).append(body)
        return status


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    yield from serve()


@pytest.fixture
def another_webhook() -> Iterator[Webhook]:
    yield from serve()


def serve() -> Iterator[Webhook]:
    hook = Webhook()
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            done.wait(hook.silent_for)
            self.send_response(hook.answer(body))
            self.send_header("Location", hook.url.replace("json", "http"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield hook
        done.set()
        server.shutdown()
        thread.join()
