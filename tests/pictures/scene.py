"""A fleet with a few problems, watched by a daemon that writes mail: all of it real, and gone after."""

import email
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email.policy import default as modern
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

T = TypeVar("T")
PATIENCE = 60.0  # seconds
VMS = 8
SETTINGS = """\
[poll]
interval = "1s"
timeout = "1s"
jitter = "0s"

[server]
listen = "{daemon}"

[store]
url = "sqlite:///{folder}/watch.db"

[log]
level = "warning"

[[accounts]]
name = "main"
api_key = "simulated-key"
base_url = "{api}"

[[expect]]
vm = "web-1"
ports = ["22/tcp", "80/tcp", "443/tcp"]

[[receivers]]
name = "ops"
url = "mailto://{mail}?from=watch@example.com&to=ops@example.com"
group_wait = "4s"
"""


@dataclass
class Mailbox:
    """Keeps the mails that its server accepts."""

    mails: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, _server: object, _session: object, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd calls it so
        """Take a mail."""
        self.mails.append(bytes(envelope.content or b""))
        return "250 OK"

    def html(self, words: str) -> str | None:
        """The HTML of the mail with these words in its subject, if it has come."""
        for mail in (email.message_from_bytes(raw, policy=modern) for raw in self.mails):
            body = mail.get_body(("html",))  # type: ignore[attr-defined] # the modern policy's
            if words in mail["Subject"] and body is not None:
                return str(body.get_content())
        return None


@dataclass(frozen=True)
class Scene:
    """Where the status page is, what a shell needs, and what came by mail."""

    page: str
    environment: dict[str, str]
    mailbox: Mailbox


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(found: Callable[[], T | None], what: str) -> T:
    """The first value that is there; fails with `what` when there is none in time."""
    deadline = time.monotonic() + PATIENCE
    while (value := found()) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.1)
    return value


@contextmanager
def program(*args: str, env: dict[str, str]) -> Iterator[None]:
    """Run `fluence-watch` with these arguments meanwhile."""
    command = [sys.executable, "-m", "fluence_watch", *args]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()


def answer(url: str) -> httpx.Response | None:
    """A good answer, or none."""
    with suppress(httpx.HTTPError):
        found = httpx.get(url, timeout=5, verify=False)
        return found if found.is_success else None
    return None


def do(api: str, action: str, what: dict[str, object]) -> None:
    """Make something happen in the simulated fleet."""
    httpx.post(f"{api}/_control/{action}", json=what, verify=False).raise_for_status()


def beset(api: str) -> None:
    """Two problems that the daemon finds in its first two polls, and so are in one mail."""
    until(lambda: answer(f"{api}/_control/world"), "the simulator answers")
    do(api, "open-port", {"vm": "web-1", "port": "3306/tcp"})
    do(api, "drain", {"vm": "db-2"})  # it is charged once more; the charge after that ends it
    do(api, "set-boundary", {"vm": "db-2", "seconds": 0.1})
    time.sleep(0.5)
    do(api, "set-boundary", {"vm": "db-2", "seconds": 42.5 * 60})


@contextmanager
def scene() -> Iterator[Scene]:
    """Everything runs, and the problems are known."""
    api, daemon, port = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}", free_port()
    mailbox = Mailbox()
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="fluence-watch-pictures-"))
        config = Path(folder, "config.toml")
        text = SETTINGS.format(
            daemon=daemon, folder=folder, api=f"http://{api}", mail=f"127.0.0.1:{port}"
        )
        config.write_text(text, encoding="utf-8")
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FLUENCE_WATCH_")}
        env = kept | {"FLUENCE_WATCH_CONFIG": str(config)}
        server = Controller(mailbox, hostname="127.0.0.1", port=port)
        server.start()
        stack.callback(server.stop)
        fleet = ["--vms", str(VMS), "--epoch", "24h", "--listen", api]
        stack.enter_context(program("simulate", *fleet, env=env))
        beset(f"http://{api}")
        stack.enter_context(program("run", env=env))
        until(lambda: mailbox.html("topup_failed"), "a mail about the reserve")
        do(f"http://{api}", "vanish", {"vm": "worker-5"})
        until(lambda: mailbox.html("worker-5"), "a mail about the lost VM")
        yield Scene(f"http://{daemon}/", env, mailbox)
