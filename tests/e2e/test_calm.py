"""Calm by default: a week of fifty healthy VMs brings nothing but what the user asked for."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import stamina
import structlog
from stamina.instrumentation import set_on_retry_hooks

from fluence_watch.alerting.grouping import Item, Message
from fluence_watch.alerting.lifecycle import Alert, Alerts
from fluence_watch.app.board import Board
from fluence_watch.app.book import Page
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.poll import Watch
from fluence_watch.app.polled import Polled
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.fluence import FluenceClient, RequestRecord
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import (
    PROFILES,
    Fault,
    FaultPlan,
    SettableClock,
    World,
    build_world,
    create_app,
)
from fluence_watch.store import Store
from tests.unit.app.hearing import Listeners

START = datetime(2025, 4, 14, 9, 30, 17, tzinfo=UTC)
EPOCH = timedelta(days=1)
VMS = 50
UNAUTHORIZED = 401


@dataclass
class Recorder:
    """A receiver that keeps what it is sent."""

    name: str = "ops"
    format: BodyFormat = BodyFormat.TEXT
    longest: int = 30_000
    sent: list[Rendered] = field(default_factory=list)

    async def send(self, rendered: Rendered) -> None:
        """Accept it."""
        self.sent.append(rendered)


class Flaky(FaultPlan):
    """`flaky` without its refusals of the key: no key is refused by chance, so they fire at once."""

    def next_fault(self) -> Fault | None:
        """The fault of the next request."""
        fault = super().next_fault()
        return None if fault is not None and fault.status == UNAUTHORIZED else fault


class Wire(httpx.ASGITransport):
    """To the simulator without a socket, which would double the time that a week takes."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on; a connection that is cut looks as it does on a socket."""
        try:
            return await super().handle_async_request(request)
        except ConnectionResetError:
            raise httpx.ReadError("the connection was cut", request=request) from None


def defaults() -> Setup:
    """What follows from a file with an account and a receiver, and nothing else in it."""
    settings = {
        "accounts": [{"api_key": "simulator", "base_url": "http://fluence.invalid"}],
        "receivers": [{"name": "ops", "url": "json://localhost"}],
    }
    return prepare(WatchSettings.model_validate(settings))


@dataclass
class Stage:
    """The account and all that watches it, under a clock that is moved by hand.

    `messages` are those that are due, `dips` the polls that saw a low reserve.
    """

    clock: SettableClock
    world: World
    client: FluenceClient
    store: Store
    setup: Setup
    recorder: Recorder = field(default_factory=Recorder)
    messages: list[Message] = field(default_factory=list)
    polls: int = 0
    dips: int = 0
    listeners: Listeners = field(default_factory=Listeners)
    watch: Watch = field(init=False)
    dispatch: Dispatch = field(init=False)

    def __post_init__(self) -> None:
        """Wire the parts as the daemon does."""
        self.watch = Watch(
            self.setup.policies["main"],
            self.client,
            self.store,
            self.store.load("main"),
            clock=self.clock,
            publish=self.publish,
            crashed=self.crashed,
            committed=self.committed,
        )

    async def live(self, span: timedelta) -> None:
        """Poll for so long at the default interval, and tell what is to be told."""
        interval = self.setup.settings.poll.interval
        for _ in range(span // interval):
            self.clock.advance(interval)
            await self.watch.poll()
            await self.dispatch.rest()

    def committed(
        self,
        account: str,
        alerts: Alerts,
        ended: Sequence[Alert],
        paused: frozenset[str] | None,
    ) -> None:
        """Notify, and note what that must say."""
        routes = [*self.setup.routes.values()]
        self.messages += self.listeners.hear(self.clock(), routes, alerts, ended, paused)
        self.dispatch.committed(account, alerts, ended, paused)

    def publish(self, polled: Polled) -> None:
        """Count the poll, which succeeded: what failed was tried again in time."""
        assert isinstance(polled.outcome, Snapshot)
        assert polled.store_error is None
        self.polls += 1
        self.dips += any(each.rule == "topup_failed" for each in polled.state.alerts)

    def crashed(self, account: str, where: str, why: str) -> None:
        """Fail: nothing of ours may crash in a week."""
        raise AssertionError(f"{account}: {where}: {why}")

    @property
    def items(self) -> list[Item]:
        """All that was told of, in order."""
        return [item for message in self.messages for item in message.items]


@pytest.fixture
def hushed() -> Iterator[None]:
    """No waits between retries, and no log of ten thousand polls."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    set_on_retry_hooks([])
    with stamina.set_testing(True, attempts=5):
        yield
    set_on_retry_hooks(None)
    structlog.reset_defaults()


@pytest.fixture
def requests() -> list[RequestRecord]:
    return []


@pytest.fixture
async def stage(
    tmp_path: Path, hushed: None, requests: list[RequestRecord]
) -> AsyncIterator[Stage]:
    clock, setup = SettableClock(START), defaults()
    world = build_world(seed=3, vms=VMS, epoch=EPOCH, now=START)
    wire = Wire(create_app(world, clock, faults=Flaky(PROFILES["flaky"], seed=3)))
    client = FluenceClient(
        setup.clients["main"], now=clock, on_request=requests.append, transport=wire
    )
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        async with client:
            stage = Stage(clock, world, client, store, setup)
            stage.dispatch = Dispatch(store, Board(clock), clock)
            stage.dispatch.follow("main", Page())
            await stage.dispatch.take_over(replace(setup, receivers={"ops": stage.recorder}))
            yield stage
            await stage.dispatch.stop(5)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_week_of_a_healthy_fleet(stage: Stage, requests: list[RequestRecord]) -> None:
    """Nothing but digests of what is charged next: each epoch of each VM once, 24 a day at most."""
    last = {vm.key: vm.next_billing_at for vm in stage.world.machines.values()}
    await stage.live(timedelta(days=7))
    failures = Counter(request.failure for request in requests)
    charged = {
        (key, (first + number * EPOCH).isoformat())
        for key, first in last.items()
        for number in range(7)
    }
    announced = Counter(
        (item.fingerprint.subject, item.fingerprint.key)
        for item in stage.items
        if item.relevant_until is not None and item.relevant_until <= stage.clock()
    )

    assert {"billing_due"} == {item.fingerprint.rule for item in stage.items}
    assert dict.fromkeys(charged, 1) == announced
    assert len(stage.messages) <= 7 * 24
    assert len(stage.messages) == len(stage.recorder.sent)
    assert all(
        re.match(r"\[FIRING:|INFO \S+ is charged ", message.title)
        for message in stage.recorder.sent
    )

    assert 7 * 24 * 60 == stage.polls
    assert 0.01 < 1 - failures[None] / len(requests) < 0.03
    assert {None, "server_error", "rate_limited", "unreachable"} == set(failures)
    assert stage.dips > 0  # or the week was calm because nothing was there to see
    print(len(stage.messages), "digests, requests:", dict(failures))  # noqa: T201 - see `pytest -rP`


async def test_one_loss_in_a_healthy_fleet(stage: Stage) -> None:
    """The same calm has an ear for what is wrong: told once, and its end once."""
    vm = next(iter(stage.world.machines.values()))
    await stage.live(timedelta(hours=1))
    stage.world.vanish(vm.id)
    await stage.live(timedelta(hours=2))
    stage.world.bring_back(vm.id)
    await stage.live(timedelta(hours=1))
    told = [
        (item.fingerprint.rule, item.fingerprint.subject, item.firing)
        for item in stage.items
        if item.fingerprint.rule != "billing_due"
    ]

    assert [("vm_vanished", vm.key, True), ("vm_vanished", vm.key, False)] == told
