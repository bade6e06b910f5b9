"""The heartbeat of the daemon: what its service hears while the API works, and while it does not."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

Eventually = Callable[..., Any]
SECRET = "5b2a7c9e-uuid"


@dataclass
class Pulse:
    """The service that is called: `heard` has the end of each path and the body."""

    url: str = ""
    heard: list[tuple[str, str]] = field(default_factory=list)

    def since(self, number: int, what: str) -> list[str]:
        """The bodies of such calls after the first so many."""
        return [body for end, body in self.heard[number:] if end == what]


def _handler(pulse: Pulse) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            pulse.heard.append((self.path.removeprefix(f"/{SECRET}"), body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        do_POST = do_GET  # noqa: N815 - its base class calls it so

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    return Handler


@pytest.fixture
def pulse() -> Iterator[Pulse]:
    made = Pulse()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
    Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def beating(configure: Callable[..., Path], pulse: Pulse) -> Callable[..., Path]:
    """A function that writes settings with a heartbeat as often as the daemon polls."""
    quick = {"url": pulse.url, "min_interval": "0s", "max_outbox_age": "500ms"}
    return lambda **changes: configure({"heartbeat": quick | changes})


def test_a_flaky_list_is_no_beat(
    fluence: Any, daemon: Any, pulse: Pulse, beating: Callable[..., Path], eventually: Eventually
) -> None:
    """`/fail` with the reason while an element cannot be read; nothing else until it can."""
    beating()
    daemon.start().ready()
    eventually(lambda: pulse.since(0, ""), "a beat")
    assert ("/start", "") == pulse.heard[0]

    fluence.fail("malformed-element")
    eventually(lambda: pulse.since(0, "/fail"), "the failure")
    seen = len(pulse.heard)
    eventually(lambda: len(pulse.since(seen, "/fail")) > 2, "it goes on")
    assert [] == pulse.since(seen, "")
    assert all("account main: cannot be read in the list: 1" in why for why in pulse.since(seen, "/fail"))  # fmt: skip

    fluence.mend()
    fluence.fail("status", status=503)
    eventually(lambda: "503" in pulse.since(seen, "/fail")[-1], "the other reason")
    fluence.mend()
    seen = len(pulse.heard)
    eventually(lambda: pulse.since(seen, ""), "a beat again")
    assert daemon.metric("fluence_watch_heartbeat_last_success_timestamp_seconds")
    assert not any(SECRET in str(line) for line in daemon.lines)


def test_a_receiver_that_fails_is_no_beat(
    fluence: Any, receiver: Any, daemon: Any, pulse: Pulse, beating: Callable[..., Path],
    eventually: Eventually,
) -> None:  # fmt: skip
    """After `max_outbox_age`, and until it works again."""
    beating()
    daemon.start().ready()
    receiver.status = 503
    fluence.do("open-port", vm="web-1", port="8001/tcp")
    eventually(lambda: pulse.since(0, "/fail"), "the failure")
    assert pulse.since(0, "/fail")[0].startswith("receiver ops: not delivered for ")
    receiver.status = 200
    seen = len(pulse.heard)
    eventually(lambda: pulse.since(seen, ""), "a beat again")


def test_a_service_that_is_gone_delays_no_poll_and_a_reload_takes_another(
    fluence: Any, daemon: Any, pulse: Pulse, beating: Callable[..., Path], eventually: Eventually
) -> None:
    """One log line and a count; no log line has the address."""
    beating(url=f"http://127.0.0.1:1/{SECRET}")
    daemon.start().ready()
    eventually(lambda: (daemon.metric("fluence_watch_heartbeat_failures_total") or 0) > 1, "it fails")  # fmt: skip
    polls = fluence.requests
    eventually(lambda: fluence.requests > polls + 6, "polls go on")
    eventually(lambda: daemon.logged("heartbeat fails"), "it is logged")
    assert 1 == len(daemon.logged("heartbeat fails"))

    beating()
    daemon.signal(signal.SIGHUP)
    eventually(lambda: pulse.since(0, ""), "a beat")
    eventually(lambda: daemon.logged("heartbeat works again"), "it is logged")
    assert 1 == len(daemon.logged("heartbeat works again"))
    assert 0 == daemon.stop()
    assert not any(SECRET in str(line) for line in daemon.lines)
