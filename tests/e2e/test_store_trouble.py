"""A store that cannot be written: the daemon says so, goes on showing, and catches up."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pytest

Eventually = Callable[..., Any]
Trouble = Callable[[Any, Path], AbstractContextManager[None]]

LAST_POLL = "fluence_last_successful_poll_timestamp_seconds"
OUTBOX = "fluence_watch_outbox_messages"
DRIFT = {"vm": "web-1", "port": "8001/tcp"}


@contextmanager
def locked(daemon: Any, folder: Path) -> Iterator[None]:
    """Another program keeps the database locked."""
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def unwritable(daemon: Any, folder: Path) -> Iterator[None]:
    """No file may grow: the daemon's writes fail, as on a failing disk."""
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    yield
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def full(daemon: Any, folder: Path) -> Iterator[None]:
    """The disk is full to the last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (2**16, 2**12, 1):
            fill(file, b"x" * size)
    yield
    filler.unlink()


def fill(file: BinaryIO, block: bytes) -> None:
    """Write blocks until no more fits."""
    with suppress(OSError):
        while True:
            file.write(block)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("a file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [(locked, "another program holds it locked"), (unwritable, "the disk failed")],
)
def test_alert_while_the_store_cannot_be_written(
    fluence: Any, receiver: Any, daemon: Any, eventually: Eventually, trouble: Trouble, words: str
) -> None:
    """It is told once, when it can be remembered that it was told."""
    check(fluence, receiver, daemon, eventually, (trouble, daemon.config.parent, words))


def test_alert_while_the_disk_is_full(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    eventually: Eventually,
    configure: Callable[..., Path],
    small_disk: Path,
) -> None:
    """The same, on a disk that is really full."""
    configure({"store": {"url": f"sqlite:///{small_disk}/store.db"}})
    check(fluence, receiver, daemon, eventually, (full, small_disk, "the disk is full"))
    assert 0 == daemon.stop()


def check(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    eventually: Eventually,
    case: tuple[Trouble, Path, str],
) -> None:
    """Let something happen during the trouble, and see what is shown then and told after."""
    trouble, folder, words = case
    daemon.start().ready()
    with trouble(daemon, folder):
        fluence.do("open-port", **DRIFT)
        why = f"the store {folder}/store.db: {words}"  # a poll that waits for it is overdue before
        eventually(lambda: why in not_ready(daemon), why)
        fresh = daemon.metric(LAST_POLL)
        eventually(lambda: daemon.metric(LAST_POLL) > fresh, "the metrics stay fresh")
        assert 0 == daemon.metric("fluence_watch_store_up")
        assert 1 == daemon.metric("fluence_vm_drifted_ports", vm_name="web-1", direction="opened")
        assert daemon.get("/-/healthy").is_success
        assert [] == receiver.accepted
    daemon.ready()
    eventually(lambda: receiver.accepted, "the drift is told")
    eventually(lambda: daemon.metric(OUTBOX) == 0, "nothing waits")
    fresh = daemon.metric(LAST_POLL)
    eventually(lambda: daemon.metric(LAST_POLL) > fresh, "one more poll")

    assert [f"WARNING {DRIFT['vm']}: {DRIFT['port']} is open and should not be"] == receiver.titles
    assert 1 == daemon.metric("fluence_watch_store_up")
    assert daemon.logged("poll not committed: alerts wait until the store can be written")


def not_ready(daemon: Any) -> str:
    """Why the daemon is not ready; empty when it is."""
    answer = daemon.get("/-/ready")
    return "" if answer.is_success else answer.text


def test_acceptance_that_cannot_be_noted_is_not_forgotten(
    fluence: Any, receiver: Any, daemon: Any, eventually: Eventually
) -> None:
    """The store fails between the receiver's acceptance and the note of it: nothing is sent again."""
    receiver.answers.clear()
    daemon.start().ready()
    fluence.do("open-port", **DRIFT)
    eventually(lambda: receiver.accepted, "the message arrived")
    with unwritable(daemon, daemon.config.parent):
        receiver.answers.set()
        eventually(lambda: daemon.logged("cannot store what was sent"), "it cannot be noted")
    eventually(lambda: daemon.metric(OUTBOX) == 0, "it is noted later")

    assert [f"WARNING {DRIFT['vm']}: {DRIFT['port']} is open and should not be"] == receiver.titles
