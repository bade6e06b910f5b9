"""A Fluence API in a process of its own, whose time moves on by 1 % of an epoch with each list."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.simulator import SettableClock, create_app, running
from tests.bench.fleet import START, moment, world_of


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that prints; it is ended at the end."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def simulated(vms: int) -> Iterator[str]:
    """The base URL of the API of an account with that many VMs."""
    with served("tests.bench.simulator", vms) as url:
        yield url


@contextmanager
def served(module: str, size: int) -> Iterator[str]:
    """The base URL of an API that a module serves in a process of its own."""
    with started("-m", module, str(size)) as process:
        assert process.stdout
        yield process.stdout.readline().strip()


def _app(vms: int) -> ASGIApp:
    numbers, clock = count(), SettableClock(START)
    app = create_app(world_of(vms), clock)

    async def stepping(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/vms"):
            clock.set(moment(next(numbers)))
        await app(scope, receive, send)

    return stepping


async def _serve(vms: int) -> None:
    async with running(_app(vms)) as url:
        print(url, flush=True)  # noqa: T201 - the one who started it reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
