"""What it costs to notify nobody: 10,000 open alerts, five receivers that know them all."""

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from time import process_time

import structlog

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.state import AccountState, Stored
from fluence_watch.app.board import Board
from fluence_watch.app.book import Page
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.settings import WatchSettings
from fluence_watch.store import Store
from tests.stored import keep

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
ACCOUNT = "main"


@dataclass(frozen=True)
class Accepting:
    """A receiver that accepts everything."""

    name: str
    format: BodyFormat = BodyFormat.TEXT
    longest: int = 30_000

    async def send(self, _: Rendered) -> None:
        """Accept it."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Seconds of CPU.

    `start` notifies all receivers of all alerts, `quiet` follows a poll that changed nothing,
    `changed` one that changed 1 %, `again` looks at every alert for every receiver.
    `grown` is the memory in bytes that 100 quiet polls leave.
    """

    start: float
    quiet: float
    changed: float
    again: float
    grown: int


def measure(alerts: int, receivers: int, repeats: int) -> Idle:
    """The least of several runs."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))
    with TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/bench.db") as store:
        return asyncio.run(_measure(store, alerts, receivers, repeats))


async def _measure(store: Store, number: int, receivers: int, repeats: int) -> Idle:
    alerts = {each.fingerprint: each for each in map(_alert, range(number))}
    state = AccountState(alerts=alerts)
    keep(store, ACCOUNT, state)
    dispatch = Dispatch(store, Board(lambda: NOW), lambda: NOW)
    dispatch.follow(ACCOUNT, Page.of(Stored(state)))
    begun = process_time()
    await dispatch.take_over(_setup(receivers))
    await dispatch.rest()
    start = process_time() - begun

    async def commit(changed: int = 0) -> None:
        nonlocal alerts
        worse = [replace(each, facts=each.facts) for each in list(alerts.values())[:changed]]
        alerts = alerts | {each.fingerprint: each for each in worse}
        dispatch.committed(ACCOUNT, alerts, [])
        await dispatch.rest()

    async def again() -> None:
        for courier in dispatch._couriers.values():
            courier.look(ACCOUNT)
        await dispatch.rest()

    quiet = await _least(repeats, commit)
    some = await _least(repeats, lambda: commit(number // 100))
    every = await _least(repeats, again)
    grown = await _grown(commit)
    await dispatch.stop(5)
    return Idle(start, quiet, some, every, grown)


async def _least(repeats: int, work: Callable[[], Awaitable[None]]) -> float:
    least = float("inf")
    for _ in range(repeats):
        begun = process_time()
        await work()
        least = min(least, process_time() - begun)
    return least


async def _grown(work: Callable[[], Awaitable[None]]) -> int:
    tracemalloc.start()
    await work()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(100):
        await work()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


def _alert(number: int) -> Alert:
    fingerprint = Fingerprint(ACCOUNT, "poll_failing", "", f"{number}")
    facts = PollFailing("server_error", f"{number}")
    return Alert(fingerprint, Severity.WARNING, State.FIRING, facts, NOW, NOW)


def _setup(receivers: int) -> Setup:
    names = [f"receiver-{number}" for number in range(receivers)]
    made = prepare(WatchSettings.model_validate({"accounts": [{"api_key": "k"}]}))
    return replace(
        made,
        receivers={name: Accepting(name) for name in names},
        routes={name: Route(name) for name in names},
    )
