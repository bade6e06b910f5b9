"""What the tests of messages share: a moment, and messages made the way the daemon makes them."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import Route
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.rules.low_balance import LowBalance

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def low_balance() -> Callable[..., Message]:
    """A message that the balance of one VM is low, made when asked."""

    def make(
        name: str = "web-1",
        *,
        created_at: datetime = NOW,
        relevant_until: datetime | None = None,
        receiver: str = "ops",
    ) -> Message:
        due = NOW + timedelta(minutes=42)
        facts = LowBalance(
            vm=VmRef(f"0x{name}", name, "FR-PAR-1"),
            price=298_160,
            reserved=100_000,
            needed=298_160,
            next_billing_at=due,
            funded_until=due,
        )
        alert = Alert(
            fingerprint=Fingerprint("main", "low_balance", f"0x{name}"),
            severity=Severity.CRITICAL,
            state=State.FIRING,
            facts=facts,
            active_at=created_at - timedelta(minutes=30),
            relevant_until=relevant_until,
        )
        (message,), _ = compose("main", [alert], {}, [Route(receiver)], created_at)
        return message

    return make


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
