"""What hangs stops nothing else: names, receivers, the store; and SIGTERM ends the daemon in time."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

Eventually = Callable[..., Any]

STOP = 10.0  # seconds that a stop may take, whatever hangs
HANGING = 5
_HANG = """
import socket, threading
really = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    if b"hang" in (host if isinstance(host, bytes) else str(host).encode()):
        threading.Event().wait()
    return really(host, *args, **kwargs)
socket.getaddrinfo = getaddrinfo
from fluence_watch.cli import main
main()
"""

_PRUNES_LATE = """
import time
from fluence_watch.cli import main
from fluence_watch.store import Store
really = Store.prune
def prune(*args):
    time.sleep(3)
    return really(*args)
Store.prune = prune
main()
"""


def stops_in_time(daemon: Any) -> None:
    """SIGTERM ends it well, and nobody has to kill it."""
    started = time.monotonic()
    assert 0 == daemon.stop(STOP)
    assert time.monotonic() - started < STOP


@pytest.mark.alone
def test_accounts_whose_names_hang_leave_the_others_alone(
    fluence: Any, daemon: Any, configure: Callable[..., Path], eventually: Eventually
) -> None:
    """Five of them, and the good one is polled as often as its interval says."""
    account = {"api_key": "t0p-secret-key"}
    hanging = [
        account
        | {
            "name": f"bad-{number}",
            "base_url": f"http://hang-{number}.test",
            "api_key": f"k{number}",
        }
        for number in range(HANGING)
    ]
    good = account | {"name": "main", "base_url": fluence.url}
    configure({"accounts": [*hanging, good], "poll": {"interval": "500ms", "timeout": "400ms"}})
    daemon.program = ("-c", _HANG)
    daemon.start()

    def settled() -> float:
        return daemon.metric("fluence_poll_duration_seconds_count", account="main") or 0

    before = eventually(settled, "the good one is polled")
    # by then the hanging ones were tried and given up many times
    eventually(lambda: settled() >= before + 12, "the good one goes on")
    tried = daemon.metric("fluence_poll_duration_seconds_count", account="bad-0")
    assert tried is not None
    assert tried >= 3
    eventually(lambda: daemon.metric("fluence_up", account="main") == 1, "its polls succeed")
    threads = len(list(Path(f"/proc/{daemon.process.pid}/task").iterdir()))
    assert threads < HANGING + 20
    stops_in_time(daemon)


@contextmanager
def served(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The Apprise URL of a server that treats every connection so."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                Thread(target=handle, args=[connection], daemon=True).start()

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=serve, daemon=True).start()
        yield f"json://127.0.0.1:{server.getsockname()[1]}/"


def drip(connection: socket.socket) -> None:
    """A byte a second, for ever."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b".")
        time.sleep(1)


def read_and_hang(connection: socket.socket) -> None:
    """Take the message, and never answer."""
    while connection.recv(65_536):
        continue


@pytest.fixture
def bad_receivers() -> Iterator[list[str]]:
    """One that drips, one that takes and hangs, one that never accepts; each is there many times."""
    with (
        served(drip) as dripping,
        served(read_and_hang) as hanging,
        closing(socket.socket()) as deaf,
    ):
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        yield [*[dripping] * 3, *[hanging] * 3, f"json://127.0.0.1:{deaf.getsockname()[1]}/"]


@pytest.mark.alone
def test_receivers_that_hang_mute_no_other(
    fluence: Any,
    receiver: Any,
    bad_receivers: list[str],
    daemon: Any,
    configure: Callable[..., Path],
    eventually: Eventually,
) -> None:
    """More of them than Apprise has threads for; the good one is notified of everything, in time."""
    bad = [{"name": f"bad-{n}", "url": f"{url}{n}"} for n, url in enumerate(bad_receivers)]
    configure({"receivers": [*bad, {"name": "ops", "url": receiver.url}]})
    daemon.start().ready()
    for number in range(8001, 8006):
        fluence.do("open-port", vm="web-1", port=f"{number}/tcp")
        eventually(lambda n=number: len(receiver.accepted) == n - 8000, "the good one is notified")
    sent = "fluence_watch_notifications_total"
    eventually(lambda: daemon.metric(sent, receiver="ops") == 5, "all of it is counted")
    stops_in_time(daemon)


def test_what_sends_for_a_receiver_ends_with_the_daemon(
    fluence: Any,
    bad_receivers: list[str],
    daemon: Any,
    configure: Callable[..., Path],
    eventually: Eventually,
) -> None:
    """Killed in the middle of a send that never ends, it leaves no process behind."""
    configure({"receivers": [{"name": "bad", "url": bad_receivers[0]}]})
    daemon.start().ready()
    fluence.do("open-port", vm="web-1", port="8001/tcp")
    children = Path(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children")
    (pid,) = eventually(lambda: children.read_text().split(), "it sends")
    daemon.kill()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "no process is left")


@pytest.mark.alone
@pytest.mark.parametrize("program", [("-m", "fluence_watch"), ("-c", _PRUNES_LATE)])
def test_a_store_that_hangs_does_not_hold_up_the_end(
    fluence: Any,
    daemon: Any,
    configure: Callable[..., Path],
    tmp_path: Path,
    program: tuple[str, ...],
) -> None:
    """Another program holds the file locked: polls, deliveries, pruning wait for it, SIGTERM does not."""
    daemon.program = program
    accounts = [
        {"name": f"a{n}", "api_key": "t0p-secret-key", "base_url": fluence.url} for n in range(6)
    ]
    configure({"accounts": accounts})
    daemon.start().ready()
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN EXCLUSIVE")
        fluence.do("open-port", vm="web-1", port="8001/tcp")
        time.sleep(1)
        assert daemon.get("/-/healthy").is_success
        stops_in_time(daemon)
