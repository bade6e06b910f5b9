import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from fluence_watch.store import Store

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


DIGEST = {"API_KEY": "k", "DIGESTS__0__RECEIVER": "notify-1", "DIGESTS__0__SCHEDULE": "0 8 * * *"}


def test_a_digest_is_printed_and_sent(run: Run, receiver: str, posts: list[dict[str, Any]]) -> None:
    """From what the daemon stored; no daemon needs to run, and nothing of its own changes."""
    with Store.open("sqlite:///fluence-watch.db") as store:
        before = store.digests.progress()
    ran = run("notify", "digest", NOTIFY_URLS=receiver, **DIGEST)

    assert 0 == ran.code
    assert re.match(
        r"To notify-1, next (\d{4}-\d\d-\d\d )?08:00 UTC:\n\n\[DIGEST\] no costs known · main\n\n",
        ran.out,
    )
    assert "Account main was never read." in ran.out
    assert [] == posts

    ran = run("notify", "digest", "--send", "--receiver", "notify-1")
    assert (0, "notify-1: sent\n") == (ran.code, ran.out)
    assert ["[DIGEST] no costs known · main"] == [each["title"] for each in posts]
    with Store.open("sqlite:///fluence-watch.db") as store:
        assert before == store.digests.progress()


def test_there_is_no_digest(run: Run, receiver: str) -> None:
    """None at all, none of that receiver, or no daemon that stored anything."""
    ran = run("notify", "digest", API_KEY="k", NOTIFY_URLS=receiver)
    assert (2, "fluence-watch: digests: there are none: add [[digests]] to the file\n") == (ran.code, ran.err)  # fmt: skip
    ran = run("notify", "digest", **DIGEST)
    assert "there is no store at" in ran.err
    ran = run("notify", "digest", "--receiver", "boss")
    assert "digests: there are none for receiver 'boss'" in ran.err
