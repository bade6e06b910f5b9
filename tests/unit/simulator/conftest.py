"""A small world, a clock that stands still, and clients that speak to it over a real socket."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.simulator import (
    FaultPlan,
    SettableClock,
    World,
    build_world,
    create_app,
    running,
)

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
KEY = {"X-API-KEY": "simulator"}


class Stage:
    """An ASGI app whose inner app each test exchanges, so that one socket serves them all."""

    app: ASGIApp | None = None
    url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """One real server for a whole test module."""
    stage = Stage()
    async with running(stage) as stage.url:
        yield stage


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOW)


@pytest.fixture
def world() -> World:
    """Six VMs with epochs of a day."""
    return build_world(seed=7, vms=6, epoch=timedelta(hours=24), now=NOW)


@pytest.fixture
def faults() -> FaultPlan:
    return FaultPlan()


@pytest_asyncio.fixture(loop_scope="module")
async def client(
    stage: Stage, world: World, clock: SettableClock, faults: FaultPlan
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the right key, on the world of this test."""
    stage.app = create_app(world, clock, faults=faults)
    # it is plain HTTP, and to load the certificates would take longer than a test
    async with httpx.AsyncClient(base_url=stage.url, headers=KEY, verify=False) as client:
        yield client
