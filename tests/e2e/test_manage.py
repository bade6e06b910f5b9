"""Managing by the command line beside a daemon on the same store, in every dialect."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from select import select
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from fluence_watch.simulator import World, build_world, create_app, running, utc_now

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

KEY = "t0p-secret-key"
PATIENCE = 40.0
LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here"
FINGERPRINT = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"


@dataclass
class Fluence:
    """A simulated account of eight VMs that speaks one dialect."""

    url: str
    world: World
    dialect: str

    def do(self, action: str, **what: Any) -> None:
        """Make something happen that no user asked for."""
        answer = httpx.post(
            f"{self.url}/_control/{action}", json=what, timeout=PATIENCE, verify=False
        )
        assert answer.is_success, answer.text

    def open_at(self, name: str) -> list[str]:
        """The ports that are open."""
        return [str(port) for port in self.world.find(name).ports]


@pytest.fixture(params=["v2", "v3", "cloud"])
def fluence(request: pytest.FixtureRequest) -> Iterator[Fluence]:
    world = build_world(
        seed=1,
        vms=8,
        epoch=timedelta(hours=24),
        now=utc_now(),
        api_key=KEY,
        metered=request.param == "cloud",
    )
    app = create_app(world, utc_now, dialect=request.param)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(app)) as url,
    ):
        yield Fluence(url, world, request.param)


@pytest.fixture
def config(configure: Callable[..., Path], daemon: Any, fluence: Fluence) -> Path:
    """The settings of the daemon, with the dialect written over those that its fixture wrote."""
    account = {
        "name": "main",
        "api_key": KEY,
        "base_url": fluence.url,
        "dialect": fluence.dialect,
    }
    return configure({"accounts": [account]})


@pytest.fixture
def manage(cli: Callable[..., Any], config: Path) -> Callable[..., Any]:
    """Run a command with the daemon's settings."""
    return lambda *args, **variables: cli(*args, "--config", config, **variables)


@pytest.fixture
def watching(daemon: Any, config: Path, eventually: Callable[..., Any]) -> Any:
    """The daemon, which has seen every VM."""
    daemon.start().ready()
    eventually(lambda: _up(daemon), "a whole poll")
    return daemon


def _up(daemon: Any) -> bool:
    return bool(daemon.metric("fluence_up", account="main") == 1)


def _polls(daemon: Any, eventually: Callable[..., Any], count: int = 4) -> None:
    """Let the daemon poll so many times."""
    before = len(daemon.logged("poll"))
    eventually(lambda: len(daemon.logged("poll")) >= before + count, "more polls")


def test_ports_by_hand_and_by_others(
    fluence: Fluence, manage: Any, watching: Any, receiver: Any, eventually: Any
) -> None:
    """What somebody opens is drift until it is accepted; what is restored is over."""
    name = fluence.world.listed()[0].name
    first = fluence.open_at(name)
    fluence.do("open-port", vm=name, port="9000/tcp")
    eventually(lambda: receiver.titles, "the drift is told")
    assert [f"WARNING {name}: 9000/tcp is open and should not be"] == receiver.titles

    accepted = manage("vm", "ports", "accept", name, "--yes")
    assert (0, "") == (accepted.returncode, accepted.stderr)
    eventually(lambda: len(receiver.titles) > 1, "the drift is over")
    assert [f"RESOLVED {name}: 9000/tcp is as expected again"] == receiver.titles[1:]

    opened = manage("vm", "ports", "open", name, "9443/tcp", "--yes")
    assert (0, "") == (opened.returncode, opened.stderr)
    assert "  + 9443/tcp" in opened.stdout
    assert {*first, "9000/tcp", "9443/tcp"} == set(fluence.open_at(name))
    eventually(lambda: len(receiver.titles) > 2, "what nobody accepted is drift")

    restored = manage("vm", "ports", "restore", name, "--yes")
    assert (0, "") == (restored.returncode, restored.stderr)
    assert {*first, "9000/tcp"} == set(fluence.open_at(name))
    eventually(lambda: len(receiver.titles) > 3, "and it is over when restored")
    assert [
        f"WARNING {name}: 9443/tcp is open and should not be",
        f"RESOLVED {name}: 9443/tcp is as expected again",
    ] == receiver.titles[2:]


def test_ports_are_closed_and_set(fluence: Fluence, manage: Any) -> None:
    """Without a daemon too; 22/tcp only when it is meant, and the set is written whole."""
    name = fluence.world.listed()[0].name
    assert 0 == manage("vm", "ports", "set", name, "22/tcp", "80/tcp", "--yes").returncode
    assert ["22/tcp", "80/tcp"] == fluence.open_at(name)
    assert 0 == manage("vm", "ports", "close", name, "80/tcp", "--yes").returncode
    assert ["22/tcp"] == fluence.open_at(name)
    assert 0 == manage("vm", "ports", "close", name, "80/tcp").returncode  # nothing to do
    refused = manage("vm", "ports", "close", name, "1-100/tcp", "--yes")
    assert (1, ["22/tcp"]) == (refused.returncode, fluence.open_at(name))
    assert "--allow-lockout" in refused.stderr
    meant = manage("vm", "ports", "close", name, "22/tcp", "--allow-lockout", "--yes")
    assert (0, []) == (meant.returncode, fluence.open_at(name))


def test_a_vm_is_renamed_and_deleted(
    fluence: Fluence, manage: Any, watching: Any, receiver: Any, eventually: Any
) -> None:
    """The watcher follows, and does not take the deletion for a loss; a loss it tells."""
    mine, other = fluence.world.listed()[:2]
    renamed = manage("vm", "rename", mine.name, "front", "--yes")
    assert (0, "") == (renamed.returncode, renamed.stderr)
    assert "front" == fluence.world.find(mine.id).name
    listed = json.loads(manage("vm", "ls", "--format", "json").stdout)
    assert 8 == len(listed)
    (vm_id,) = (row["vm_id"] for row in listed if row["vm_name"] == "front")

    removed = manage("vm", "rm", vm_id, "--yes")
    assert (0, "") == (removed.returncode, removed.stderr)
    of_disk = "until it is deleted" if fluence.dialect == "cloud" else "all on it is lost"
    assert of_disk in removed.stdout
    assert mine.key not in fluence.world.machines
    _polls(watching, eventually)
    assert [] == receiver.titles

    fluence.do("vanish", vm=other.name)
    eventually(lambda: receiver.titles, "the loss of the other one is told")
    (title,) = receiver.titles
    assert title.startswith(f"CRITICAL {other.name} is missing since ")


@pytest.mark.parametrize("fluence", ["v3"], indirect=True)
def test_a_vm_that_its_provider_ended(fluence: Fluence, manage: Any) -> None:
    """Deleting it releases its reserve, and says so; the other dialects do not list it."""
    ended, other = fluence.world.listed()[:2]
    fluence.do("terminate", vm=ended.name)
    shown = manage("vm", "show", ended.name)
    assert (0, True) == (shown.returncode, "funded until  not billed" in shown.stdout)
    waiting = manage("vm", "rm", ended.name, "--at-epoch-end", "--yes")
    assert (1, True) == (waiting.returncode, "no end of an epoch" in waiting.stderr)
    assert 3 == manage("vm", "rename", ended.name, "x", "--yes").returncode
    said = manage("vm", "rm", ended.name, "--dry-run")
    assert (0, True) == (said.returncode, "ended by its provider: deleting it" in said.stdout)
    assert other.key in fluence.world.machines


def test_keys(fluence: Fluence, manage: Any, watching: Any, receiver: Any, eventually: Any) -> None:
    """Added, found there, listed and removed, and the watcher is not surprised."""
    added = manage("ssh-key", "add", LINE, "--name", "mine", "--yes")
    assert (0, "") == (added.returncode, added.stderr)
    assert added.stdout.endswith(": added\n")
    assert "has that key already" in manage("ssh-key", "add", LINE, "--yes").stdout
    rows = json.loads(manage("ssh-key", "ls", "--format", "json").stdout)
    assert FINGERPRINT in [row["fingerprint"] for row in rows]
    _polls(watching, eventually)

    removed = manage("ssh-key", "rm", "mine", "--yes")
    assert (0, "") == (removed.returncode, removed.stderr)
    assert FINGERPRINT not in fluence.world.ssh_keys
    _polls(watching, eventually)
    assert [] == receiver.titles


@dataclass
class Terminal:
    """A command on a terminal of 80 columns."""

    process: "subprocess.Popen[bytes]"
    screen: int
    shown: str = ""

    def read_until(self, text: str) -> str:
        """All that was shown until the text was."""
        while text not in self.shown:
            self.shown += self._piece()
        return self.shown

    def _piece(self) -> str:
        """What is shown next; fails when nothing is for long."""
        assert select([self.screen], [], [], PATIENCE)[0], self.shown
        return os.read(self.screen, 4096).decode(errors="replace")

    def write(self, text: str) -> None:
        """Type."""
        os.write(self.screen, text.encode())

    def ended(self) -> int:
        """The exit code; what was shown last is in `shown`."""
        while True:
            try:
                self.shown += self._piece()
            except OSError:  # how Linux tells that nobody writes any more
                break
        return self.process.wait(PATIENCE)


@pytest.fixture
def terminal(config: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def start(*args: str) -> Terminal:
        screen, tty = pty.openpty()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FLUENCE_WATCH")}
        process = subprocess.Popen(
            [sys.executable, "-m", "fluence_watch", *args, "--config", str(config)],
            stdin=tty,
            stdout=tty,
            stderr=tty,
            start_new_session=True,
            env=environment | {"COLUMNS": "80", "TERM": "xterm"},
        )
        os.close(tty)
        opened.append(Terminal(process, screen))
        return opened[-1]

    yield start
    for each in opened:
        each.process.kill()
        each.process.wait()
        os.close(each.screen)


@pytest.mark.parametrize("fluence", ["v2"], indirect=True)
def test_the_question(fluence: Fluence, terminal: Callable[..., Terminal]) -> None:
    """On a terminal it asks; no is the default, and only yes does it."""
    name = fluence.world.listed()[0].name
    for answer, code in (("\n", 1), ("n\n", 1), ("y\n", 0)):
        before = fluence.open_at(name)
        asked = terminal("vm", "ports", "open", name, "9443/tcp")
        asked.read_until("[y/N]: ")
        assert before == fluence.open_at(name)
        asked.write(answer)
        assert code == asked.ended(), asked.shown
        assert ("9443/tcp" in fluence.open_at(name)) is (code == 0)
        assert ("nothing was changed" in asked.shown) is (code == 1)


@pytest.mark.parametrize("fluence", ["v2"], indirect=True)
def test_a_change_while_it_asks(fluence: Fluence, terminal: Callable[..., Terminal]) -> None:
    """What was agreed to is not done to what has become of the VM meanwhile."""
    name = fluence.world.listed()[0].name
    asked = terminal("vm", "ports", "open", name, "9443/tcp")
    asked.read_until("[y/N]: ")
    fluence.do("open-port", vm=name, port="9000/tcp")
    asked.write("y\n")
    assert 1 == asked.ended()
    assert "its ports have changed meanwhile" in asked.shown
    assert "9443/tcp" not in fluence.open_at(name)
    assert "9000/tcp" in fluence.open_at(name)


@pytest.mark.parametrize("fluence", ["v2"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_wait_that_is_interrupted(
    fluence: Fluence, terminal: Callable[..., Terminal], number: int
) -> None:
    """Nothing is deleted, and it says so."""
    machine = fluence.world.listed()[0]
    waiting = terminal("vm", "rm", machine.name, "--at-epoch-end", "--yes")
    waiting.read_until(" left")
    os.kill(waiting.process.pid, number)
    assert 1 == waiting.ended(), waiting.shown
    assert "was not deleted" in waiting.shown
    assert machine.key in fluence.world.machines


@pytest.mark.long
@pytest.mark.parametrize("fluence", ["v2"], indirect=True)
def test_a_vm_that_changed_during_the_wait(
    fluence: Fluence, terminal: Callable[..., Terminal]
) -> None:
    """It is read again just before, and stays when it is not what was agreed to."""
    machine = fluence.world.listed()[0]
    fluence.do("set-boundary", vm=machine.name, seconds=30)
    waiting = terminal("vm", "rm", machine.name, "--at-epoch-end", "--margin", "10s", "--yes")
    waiting.read_until(" left")
    fluence.do("rename", vm=machine.name, name="kept")
    assert 1 == waiting.ended(), waiting.shown
    assert "it was renamed meanwhile" in waiting.shown
    assert machine.key in fluence.world.machines
