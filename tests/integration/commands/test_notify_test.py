import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def posts() -> list[dict[str, Any]]:
    """What the receiver was told."""
    return []


@pytest.fixture
def receiver(posts: list[dict[str, Any]]) -> Iterator[str]:
    """The Apprise URL of a server that takes messages."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"json://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_everybody_is_told(run: Run, receiver: str, posts: list[dict[str, Any]]) -> None:
    """A test message through each receiver, and a word on each."""
    ran = run("notify", "test", API_KEY="k", NOTIFY_URLS=f"{receiver} {receiver}/two")

    assert (0, {"notify-1: sent", "notify-2: sent"}) == (ran.code, set(ran.out.splitlines()))
    assert 2 == len(posts)
    assert "test" in posts[0]["title"].lower()


def test_one_fails(run: Run, receiver: str, posts: list[dict[str, Any]], unused_port: int) -> None:
    """It says which one, the others are told all the same, and the exit code is 1."""
    dead = f"json://:s3cr3t-token@127.0.0.1:{unused_port}"
    ran = run("notify", "test", API_KEY="k", NOTIFY_URLS=f"{dead} {receiver}")

    assert (1, "notify-2: sent\n", 1) == (ran.code, ran.out, len(posts))
    assert ran.err.startswith("notify-1: failed: ")
    assert "s3cr3t-token" not in ran.err


def test_only_one_is_told(run: Run, receiver: str, posts: list[dict[str, Any]]) -> None:
    """By name."""
    ran = run(
        "notify", "test", "--receiver", "ops", API_KEY="k",
        NOTIFY_URLS=f"{receiver}/no", RECEIVERS__OPS__URL=receiver,
    )  # fmt: skip
    assert (0, "ops: sent\n", 1) == (ran.code, ran.out, len(posts))


def test_there_is_nobody(run: Run, receiver: str) -> None:
    """No receivers, or none of that name."""
    ran = run("notify", "test", API_KEY="k")
    assert (
        2,
        "fluence-watch: receivers: there are none: add [[receivers]] to the file, or set FLUENCE_WATCH_NOTIFY_URLS\n",
    ) == (
        ran.code,
        ran.err,
    )

    ran = run("notify", "test", "--receiver", "boss", NOTIFY_URLS=receiver)
    assert 2 == ran.code
    assert "--receiver: there is no 'boss'; there are: notify-1" in ran.err
