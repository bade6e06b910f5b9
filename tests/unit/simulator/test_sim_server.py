import asyncio
import signal
from datetime import timedelta

import httpx
import pytest

from fluence_watch.simulator import (
    Fault,
    FaultKind,
    FaultPlan,
    SettableClock,
    World,
    create_app,
    running,
    serve,
)


async def test_it_stops_quickly_with_a_request_under_way(
    world: World, clock: SettableClock
) -> None:
    """A slow answer is given a second, not its minute; the port is free afterwards."""
    plan = FaultPlan()
    plan.queue(Fault(FaultKind.LATENCY, seconds=60))
    app = create_app(world, clock, faults=plan)
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(verify=False, timeout=30) as client:
        async with running(app) as url:
            waiting = asyncio.create_task(client.get(f"{url}/vms/v2"))
            while not plan_is_used(plan):  # noqa: ASYNC110 - the plan has no event
                await asyncio.sleep(0.005)
            start = loop.time()
        assert loop.time() - start < 5
        result = (await asyncio.gather(waiting, return_exceptions=True))[0]
        assert isinstance(result, httpx.HTTPError) or result.status_code == 500
    async with httpx.AsyncClient(verify=False) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{url}/vms/v2")


def plan_is_used(plan: FaultPlan) -> bool:
    return plan.queued == 0


async def test_signals_stay_with_the_program(world: World, clock: SettableClock) -> None:
    """A server inside another program's loop installs no handler."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with running(create_app(world, clock)):
        during = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    assert before == during


async def test_serve_until_cancelled(
    world: World, clock: SettableClock, unused_tcp_port: int
) -> None:
    """It serves on the port that it is given, and is gone after a cancel."""
    task = asyncio.create_task(serve(create_app(world, clock), "127.0.0.1", unused_tcp_port))
    url = f"http://127.0.0.1:{unused_tcp_port}/_control/world"
    async with httpx.AsyncClient(
        verify=False, transport=httpx.AsyncHTTPTransport(retries=5)
    ) as client:
        assert (await client.get(url)).status_code == 200
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_taken_port_is_an_error(world: World, clock: SettableClock) -> None:
    """Nothing is served twice on one address."""
    async with running(create_app(world, clock)) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            await serve(create_app(world, clock), "127.0.0.1", port)


def test_an_unknown_dialect(world: World, clock: SettableClock) -> None:
    with pytest.raises(KeyError):
        create_app(world, clock, dialect="v9")


async def test_each_request_sees_the_clocks_time(world: World, clock: SettableClock) -> None:
    """The world moves when it is looked at, not before."""
    transport = httpx.ASGITransport(create_app(world, clock))
    clock.advance(timedelta(days=2))
    start = world.now
    async with httpx.AsyncClient(transport=transport, base_url="http://sim") as client:
        await client.get("/vms/v2")
    assert start + timedelta(days=2) == world.now
