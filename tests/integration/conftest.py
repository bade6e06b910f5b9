"""Programs in processes of their own: started on free ports, waited for, and ended with the test."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., "subprocess.Popen[bytes]"]

PATIENCE = 30.0  # seconds: what takes one on an idle machine must not fail on a busy one


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


@pytest.fixture(scope="session")
def free_port(worker_id: str) -> Callable[[], int]:
    """A port of 127.0.0.1 on which nobody listens.

    Each test worker has a range of its own, below those that the system gives to connections: no
    other takes the port before it is used.
    """
    number = int(worker_id.removeprefix("gw")) if worker_id != "master" else 9
    tries = count(os.getpid())

    def find() -> int:
        for _ in range(1000):
            port = 20_000 + number * 1000 + next(tries) % 1000
            with socket.socket() as probe, suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
        pytest.fail("no port is free")

    return find


@pytest.fixture(scope="session")
def tool() -> Callable[..., str]:
    """The path of a program; without it the test is skipped, or fails where tools are required."""

    def find(name: str, package: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if path is None:
            without(f"{name} is not installed (Debian: {package})")
        return str(path)

    return find


@pytest.fixture(scope="session")
def library() -> Callable[[str], Any]:
    """A module of requirements/deploy.txt; without it the test is skipped, as without a program."""

    def find(name: str) -> Any:  # noqa: ANN401 - a module
        if find_spec(name) is None:
            without(f"{name} is not installed; `make test` installs requirements/deploy.txt")
        return import_module(name)

    return find


def without(what: str) -> None:
    """Skip the test for what is missing, or let it fail where tools are required."""
    required = os.environ.get("TESTS_REQUIRE_TOOLS") == "1"
    (pytest.fail if required else pytest.skip)(what)


@contextmanager
def starting() -> Iterator[Start]:
    """A function that starts a program whose output goes to a file.

    All of them are ended with the context, the last one first.
    """
    started = []

    def run(
        command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, **more: object
    ) -> "subprocess.Popen[bytes]":
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env=dict(env or clean()), **more
            )  # type: ignore[call-overload] # keywords of Popen
        started.append(process)
        return process

    yield run
    for process in reversed(started):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start programs, which end with the module."""
    with starting() as run:
        yield run


@pytest.fixture(scope="session")
def programs() -> Callable[[], AbstractContextManager[Start]]:
    """A context in which programs are started; see `starting`."""
    return starting


def clean() -> dict[str, str]:
    """The environment without variables of ours."""
    return {k: v for k, v in os.environ.items() if not k.startswith("FLUENCE_WATCH_")}
