"""The parts of the process, real ones: a store, a simulated API inside the test, a clock that we move."""

# ruff: noqa: ANN401 - fakes stand for stores and receivers

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina.instrumentation
import structlog

from fluence_watch.alerting.matching import Route
from fluence_watch.app.decide import Policy
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.errors import NotifyError
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import FaultPlan, SettableClock, World, build_world, create_app
from fluence_watch.store import Store
from tests.unit.app.post import Post

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
KEY = "simulated-key"


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """The process-wide state that logging and the scheduler touch, put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stamina.instrumentation.set_on_retry_hooks(())
    structlog.configure(
        # the default shows the locals of every frame of a traceback, which takes seconds
        processors=[structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    stamina.instrumentation.set_on_retry_hooks(None)
    gc.unfreeze()


@pytest.fixture
def clock() -> SettableClock:
    """The time of the watcher and of the simulated world."""
    return SettableClock(NOW)


@pytest.fixture
def world(clock: SettableClock) -> World:
    """Three VMs that run."""
    return build_world(seed=1, vms=3, epoch=timedelta(hours=24), now=clock(), api_key=KEY)


@pytest.fixture
def faults() -> FaultPlan:
    """What goes wrong; nothing."""
    return FaultPlan()


@pytest.fixture
async def client(
    world: World, clock: SettableClock, faults: FaultPlan
) -> AsyncIterator[FluenceClient]:
    """A client of the world, without a network between them."""
    transport = httpx.ASGITransport(create_app(world, clock, faults=faults))
    config = ClientConfig(KEY, "http://simulator", timeout=2.0)
    async with FluenceClient(config, now=clock, transport=transport) as made:
        yield made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/watch.db") as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., WatchSettings]:
    """Settings with an account `main` and a receiver `ops`; the arguments are their tables."""

    def make(**tables: object) -> WatchSettings:
        usual = {
            "accounts": [{"name": "main", "api_key": KEY}],
            "receivers": [{"name": "ops", "url": "json://localhost"}],
            "store": {"url": f"sqlite:///{tmp_path}/watch.db"},
        }
        return WatchSettings.model_validate(usual | tables)

    return make


@pytest.fixture
def policy(settings: Callable[..., WatchSettings]) -> Policy:
    """The default policy for the account `main`."""
    return prepare(settings()).policies["main"]


@dataclass
class FakeChannel:
    """Somebody who is told, and keeps it; refuses while `refuses`, waits while `gate` is closed."""

    name: str = "ops"
    format: BodyFormat = BodyFormat.TEXT
    longest: int = 10_000
    refuses: bool = False
    sent: list[Rendered] = field(default_factory=list)
    tried: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def send(self, rendered: Rendered) -> None:
        """Take the message, or not."""
        self.tried += 1
        await self.gate.wait()
        if self.refuses:
            raise NotifyError("not now")
        self.sent.append(rendered)


@pytest.fixture
def channel() -> FakeChannel:
    return FakeChannel()


@pytest.fixture
def make_channel() -> Callable[[str], FakeChannel]:
    return FakeChannel


@pytest.fixture
def planned(settings: Callable[..., WatchSettings]) -> Callable[..., Setup]:
    """The setup of such settings."""
    return lambda **tables: prepare(settings(**tables))


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], object]:
    """Let the event loop go on until something is true."""

    async def until(condition: Callable[[], object]) -> None:
        pause = 0.001
        async with asyncio.timeout(100):
            while not condition():
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 1.5)

    return until


@pytest.fixture
async def make_post(store: Store, clock: SettableClock) -> AsyncIterator[Callable[..., Post]]:
    """The half of a daemon that notifies, over the store or a fake of it."""
    made: list[Post] = []

    def make(over: Any = store) -> Post:
        made.append(Post(over, clock))
        return made[-1]

    yield make
    for each in made:
        await each.dispatch.stop(1)


@pytest.fixture
def post(make_post: Callable[..., Post]) -> Post:
    """One that notifies over the store."""
    return make_post()


@pytest.fixture
def telling(planned: Callable[..., Setup]) -> Callable[..., Setup]:
    """A setup whose receivers are these, with their routes."""

    def make(*channels: Any, **route: Any) -> Setup:
        routes = {channel.name: Route(channel.name, **route) for channel in channels}
        receivers = {channel.name: channel for channel in channels}
        return replace(planned(), receivers=receivers, routes=routes)

    return make
