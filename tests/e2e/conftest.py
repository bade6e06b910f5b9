"""The whole: a simulated API, the daemon in a process of its own, and receivers, on real sockets."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple

import httpx
import pytest
import stamina.instrumentation
import structlog
from anyio.from_thread import start_blocking_portal
from prometheus_client.parser import text_string_to_metric_families

from fluence_watch.cli import main
from fluence_watch.simulator import World, build_world, create_app, running, utc_now

KEY = "t0p-secret-key"
PATIENCE = 40.0  # seconds: what takes two on an idle machine must not fail on a busy one

Tables = Mapping[str, Any]


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:  # noqa: ANN401 - whatever the condition gives
    """The first true value of the condition; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)
    return value


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    return wait_until


@dataclass
class Fluence:
    """A simulated account of eight VMs with epochs of a day, served on a thread of its own.

    It speaks every dialect.
    """

    url: str
    world: World

    def do(self, action: str, **what: Any) -> None:  # noqa: ANN401 - see simulator/actions.py
        """Make something happen."""
        answer = httpx.post(
            f"{self.url}/_control/{action}", json=what, timeout=PATIENCE, verify=False
        )
        assert answer.is_success, answer.text

    def fail(self, kind: str = "status", **how: Any) -> None:  # noqa: ANN401 - see simulator/faults.py
        """Fail every request from now on."""
        self.do("faults", kind=kind, times=100_000, **how)

    def mend(self) -> None:
        """Answer every request from now on."""
        self.do("profile", name="none")

    @property
    def requests(self) -> int:
        """How many requests the API has seen."""
        count: int = httpx.get(f"{self.url}/_control/world", timeout=PATIENCE, verify=False).json()[
            "requests"
        ]["count"]
        return count


@pytest.fixture
def fluence() -> Iterator[Fluence]:
    world = build_world(
        seed=1,
        vms=8,
        epoch=timedelta(hours=24),
        now=utc_now(),
        api_key=KEY,
        top_up_delay=timedelta(milliseconds=200),
    )
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(
            running(create_app(world, utc_now, dialect="all"))
        ) as url,
    ):
        yield Fluence(url, world)


class Post(NamedTuple):
    """A message that a receiver accepted."""

    at: datetime
    title: str
    body: str


@dataclass
class Receiver:
    """Somebody who is told by `json://`: accepts, refuses, keeps waiting, or is not there at all.

    `accepted` is what it took. `status` is what it answers, after `pause()` seconds; while
    `answers` is not set it accepts, but does not say so.
    """

    port: int = 0
    status: int = 200
    pause: Callable[[], float] = lambda: 0.0
    accepted: list[Post] = field(default_factory=list)
    refused: int = 0
    answers: Event = field(default_factory=Event)
    _server: ThreadingHTTPServer | None = None
    _placeholder: socket.socket | None = None

    @property
    def url(self) -> str:
        """Its Apprise URL."""
        return f"json://127.0.0.1:{self.port}/"

    @property
    def titles(self) -> list[str]:
        """The titles of what it accepted."""
        return [post.title for post in self.accepted]

    def take(self, body: bytes) -> int:
        """Accept a message or refuse it; the status to answer with."""
        status = self.status
        if status == 200:
            said = json.loads(body)
            self.accepted.append(Post(datetime.now(UTC), said["title"], said["message"]))
            time.sleep(self.pause())
            self.answers.wait()
        else:
            self.refused += 1
        return status

    def up(self) -> None:
        """Listen, on the same port as ever."""
        if self._placeholder is not None:
            self._placeholder.close()
        server = self._server = _Server(("127.0.0.1", self.port), _handler(self))
        self.port = server.server_port
        Thread(target=server.serve_forever, args=[0.02], daemon=True).start()

    def down(self) -> None:
        """Refuse connections. The port stays ours, so that nobody else gets it."""
        assert self._server is not None
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._placeholder = socket.socket()
        self._placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._placeholder.bind(("127.0.0.1", self.port))

    def close(self) -> None:
        """Give the port back."""
        self.down()
        assert self._placeholder is not None
        self._placeholder.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Say nothing: who was killed does not read the answer."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(receiver.take(body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    return Handler


def _receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.answers.set()
    receiver.up()
    yield receiver
    receiver.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    yield from _receiving()


@pytest.fixture
def another_receiver() -> Iterator[Receiver]:
    yield from _receiving()


def _toml(tables: Tables) -> str:
    lines = []
    for name, value in tables.items():
        for entry in value if isinstance(value, list) else [value]:
            lines.append(f"[[{name}]]" if isinstance(value, list) else f"[{name}]")
            lines += [f"{key} = {json.dumps(setting)}" for key, setting in entry.items()]
    return "\n".join(lines) + "\n"


@pytest.fixture
def configure(tmp_path: Path, fluence: Fluence, receiver: Receiver) -> Callable[..., Path]:
    """A function that writes a settings file with quick polls; `changes` go over its tables."""
    base: dict[str, Any] = {
        "poll": {"interval": "300ms", "jitter": "0s", "timeout": "5s"},
        "server": {"listen": "127.0.0.1:0"},
        "store": {"url": f"sqlite:///{tmp_path}/store.db"},
        "log": {"format": "json", "level": "debug"},
        "rules.low_balance": {"for": "500ms"},
        "rules.poll_failing": {"for": "500ms"},
        "rules.billing_due": {"enabled": False},
        "accounts": [{"name": "main", "api_key": KEY, "base_url": fluence.url}],
        "receivers": [{"name": "ops", "url": receiver.url}],
    }

    def configure(changes: Tables | None = None, name: str = "settings.toml") -> Path:
        tables = dict(base)
        for table, value in (changes or {}).items():
            merge = isinstance(value, dict)
            tables[table] = {**tables.get(table, {}), **value} if merge else value
        path = tmp_path / name
        path.write_text(_toml(tables), encoding="utf-8")
        return path

    return configure


def _environment() -> dict[str, str]:
    """Ours, without variables of the watcher or of somebody's terminal."""
    foreign = ("FLUENCE_WATCH", "COLUMNS")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)}


@dataclass
class Daemon:
    """`fluence-watch run` in a process of its own; `lines` is the log of all its lives.

    `program` is what Python runs, where that is not the package itself.
    """

    config: Path
    program: tuple[str, ...] = ("-m", "fluence_watch")
    lines: list[dict[str, Any]] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    _reader: Thread | None = None
    _born_at: int = 0

    def start(self) -> "Daemon":
        """Begin a life, and do not wait."""
        self._born_at = len(self.lines)
        self.process = subprocess.Popen(
            [sys.executable, *self.program, "run", "--config", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.config.parent,
            env=_environment(),
        )
        # a pipe and not a file, so that a full disk cannot swallow the log
        self._reader = Thread(target=self._read, args=[self.process])
        self._reader.start()
        return self

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        for line in process.stderr:
            # SIGKILL may cut the last line
            self.lines.append(
                json.loads(line) if re.fullmatch(r"\{.*\}\n", line) else {"raw": line}
            )
        process.stderr.close()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of this life with that event."""
        return [line for line in self.lines[self._born_at :] if line.get("event") == event]

    @property
    def url(self) -> str:
        """Where this life serves."""

        def serving() -> list[dict[str, Any]]:
            assert self.process is not None
            assert self.process.poll() is None, self.lines[self._born_at :]
            return self.logged("watching")

        url: str = wait_until(serving, "the daemon serves")[0]["serving"]
        return url

    def get(self, path: str) -> httpx.Response:
        """What the daemon answers."""
        return httpx.get(self.url + path, timeout=PATIENCE, verify=False)

    def ready(self) -> "Daemon":
        """Wait until it is ready."""
        wait_until(lambda: self.get("/-/ready").is_success, "the daemon is ready")
        return self

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of a sample; `None` when there is none with these labels."""
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for the end of this life; its exit code."""
        assert self.process is not None
        assert self._reader is not None
        code = self.process.wait(seconds)
        self._reader.join()
        return code

    def stop(self, seconds: float = PATIENCE) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.ended(seconds)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        self.ended()


@pytest.fixture
def daemon(configure: Callable[..., Path]) -> Iterator[Daemon]:
    """A daemon that is not started yet, on the settings as `configure` writes them."""
    daemon = Daemon(configure())
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()


Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs the program to its end, in an empty folder.

    What serves has a process of its own. A command that asks and answers runs in this one, which
    has loaded all that it needs: that takes a second less, and there are hundreds.
    """

    def run(*args: object, **environment: str) -> Completed:
        words = list(map(str, args))
        variables = _environment() | environment
        if words[0] in {"demo", "run", "simulate"}:
            return _in_its_process(words, tmp_path, variables)
        with monkeypatch.context() as patched, _logging_restored():
            patched.chdir(tmp_path)
            patched.setattr(os, "environ", variables)
            patched.setattr(sys, "argv", ["fluence-watch", *words])
            with pytest.raises(SystemExit) as ended:
                main()
        return Completed(words, int(ended.value.code or 0), *capsys.readouterr())

    return run


def _in_its_process(words: list[str], folder: Path, variables: Mapping[str, str]) -> Completed:
    return subprocess.run(
        [sys.executable, "-m", "fluence_watch", *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE,
    )


@contextmanager
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    structlog_before = structlog.get_config()
    stamina.instrumentation.set_on_retry_hooks(())
    try:
        yield
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.configure(**structlog_before)
        stamina.instrumentation.set_on_retry_hooks(None)
