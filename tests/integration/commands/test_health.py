import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def daemon() -> Iterator[Callable[[int], str]]:
    """Something that answers on `/-/healthy` with such a status; gives its address."""
    servers = []

    def serve(status: int) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.path == "/-/healthy" else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=[0.01]).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (404, 1), (302, 1)])
def test_whether_the_daemon_is_alive(
    run: Run, daemon: Callable[[int], str], status: int, code: int
) -> None:
    """Only a success is health."""
    assert code == run("healthcheck", SERVER__LISTEN=daemon(status)).code


def test_nobody_answers(run: Run, unused_port: int) -> None:
    """Where nothing listens, nothing is alive."""
    ran = run("healthcheck", SERVER__LISTEN=f"127.0.0.1:{unused_port}")
    assert 1 == ran.code
    assert f"http://127.0.0.1:{unused_port}/-/healthy: no answer" in ran.err


def test_all_interfaces_are_asked_on_the_local_one(run: Run, daemon: Callable[[int], str]) -> None:
    """The container listens on 0.0.0.0; that is no address to ask."""
    port = daemon(200).rpartition(":")[2]
    assert 0 == run("healthcheck", SERVER__LISTEN=f"0.0.0.0:{port}").code


def test_the_address_of_the_file(run: Run, daemon: Callable[[int], str]) -> None:
    """The settings say where to ask; broken ones do not hide a daemon that is told by variable."""
    listen = f'[server]\nlisten = "{daemon(200)}"\n'
    Path("config.toml").write_text(listen, encoding="utf-8")
    assert 0 == run("healthcheck", API_KEY="k").code

    Path("config.toml").write_text("no settings", encoding="utf-8")
    assert 0 == run("healthcheck", SERVER__LISTEN=daemon(200)).code


def test_a_proxy_is_not_asked(
    run: Run, daemon: Callable[[int], str], monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    """The daemon is on this machine, whatever the environment says of proxies."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused_port}")
    assert 0 == run("healthcheck", SERVER__LISTEN=daemon(200)).code
