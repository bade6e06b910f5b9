"""Many metered accounts in a process of its own; each moves on by a minute with each list of VMs.

The key of a request says whose account is meant. What needs no key is the same for all.
"""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.simulator import SettableClock, World, build_world, create_app, running
from fluence_watch.simulator.actions import AddAddress, AddDisk
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu
from tests.bench.fleet import START
from tests.bench.simulator import served

VMS, DISKS, ADDRESSES, GPUS = 50, 60, 50, 10
STEP = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_GPU_KINDS = tuple(GpuKind)


def key_of(number: int) -> str:
    """The API key of an account."""
    return f"account-{number}"


def world_of(number: int) -> World:
    """An account at its start. Each VM has a disk and an address of its own."""
    key = key_of(number)
    world = build_world(seed=number, vms=VMS, epoch=_HOUR, now=START, api_key=key, metered=True)
    for index in range(DISKS - VMS):
        AddDisk(f"archive-{index}").apply(world)
    for index in range(ADDRESSES - VMS):
        AddAddress(f"spare-{index}").apply(world)
    for index in range(GPUS):
        AddGpu(f"gpu-{index}", _GPU_KINDS[index % len(_GPU_KINDS)], price=1_000).apply(world)
    return world


@contextmanager
def simulated(accounts: int) -> Iterator[str]:
    """The base URL of the API of so many accounts."""
    with served("tests.bench.metered", accounts) as url:
        yield url


def _stepping(number: int) -> ASGIApp:
    clock = SettableClock(START)
    app = create_app(world_of(number), clock, dialect="cloud")

    async def stepping(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/v2/vms":
            clock.set(clock() + STEP)
        await app(scope, receive, send)

    return stepping


def _by_key(accounts: int) -> ASGIApp:
    apps = {key_of(number): _stepping(number) for number in range(accounts)}

    async def dispatched(scope: Scope, receive: Receive, send: Send) -> None:
        key = Headers(scope=scope).get("x-api-key", key_of(0))
        await apps[key](scope, receive, send)

    return dispatched


async def _serve(accounts: int) -> None:
    async with running(_by_key(accounts)) as url:
        print(url, flush=True)  # noqa: T201 - the one who started it reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
