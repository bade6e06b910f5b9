"""Budgets in the daemon: a real store, real polls of a simulated account, real couriers."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from fluence_watch.app.board import Board
from fluence_watch.app.book import Page
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.poll import Watch
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.selfwatch import SelfWatch
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import StoreError
from fluence_watch.fluence import FluenceClient
from fluence_watch.model.finding import WATCHER
from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import FaultPlan, SettableClock, World
from fluence_watch.store import Store

BEGIN = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USDC = 1_000_000
ALL = {"name": "all", "monthly_usdc": 30}


class House:
    """A daemon without its schedule and its server; `open` starts another one on the same store."""

    def __init__(
        self, client: FluenceClient, world: World, store: Store, clock: SettableClock
    ) -> None:
        self.client, self.world, self.store, self.clock = client, world, store, clock
        for machine in world.listed():
            world.put(replace(machine, price=MicroUsdc(USDC), reserved=MicroUsdc(2 * USDC)))

    async def open(self, setup: Setup) -> None:
        """Start, as after a kill."""
        self.setup = setup
        self.board = Board(self.clock)
        self.board.expect({"main"})
        self.dispatch = Dispatch(self.store, self.board, self.clock)
        self.selfwatch = SelfWatch(
            Schedule(), self.store, self.board, self.clock, self.dispatch
        )  # fmt: skip
        stored = self.store.load("main")
        self.dispatch.follow("main", Page.of(stored))
        self.watch = Watch(
            setup.policies["main"], self.client, self.store, stored, clock=self.clock,
            publish=self.board.publish, crashed=self.board.crashed,
            committed=self.dispatch.committed,
        )  # fmt: skip
        await self.reload(setup)

    async def reload(self, setup: Setup) -> None:
        """Take other settings over."""
        await self.dispatch.take_over(setup)
        await self.selfwatch.take_over(setup)

    async def pass_time(self, until: datetime, step: timedelta = 6 * HOUR) -> None:
        """Poll, look and deliver until then."""
        while self.clock() < until:
            self.clock.advance(step)
            await self.watch.poll()
            await self.selfwatch.look()
            await self.deliver()

    async def deliver(self) -> None:
        """Deliver what is due."""
        for courier in self.dispatch._couriers.values():
            courier.wake()
            await courier.rest()

    def metric(self, name: str) -> float:
        """A sample of the account."""
        text = self.board.exposition.scrape().body.decode()
        (line,) = (each for each in text.splitlines() if each.startswith(f"{name}{{"))
        return float(line.rpartition(" ")[2])


@pytest.fixture
async def house(client: FluenceClient, world: World, store: Store, clock: SettableClock) -> House:
    return House(client, world, store, clock)


@pytest.fixture
def setup(planned: Callable[..., Setup], channel: Any) -> Callable[..., Setup]:
    """The setup with these budgets; only rules about budgets are sent."""

    def make(*budgets: object, **tables: Any) -> Setup:
        ops = {"name": "ops", "url": "json://ops", "rules": ["budget"], "accounts": ["none"]}
        given = {"poll": {"interval": "6h"}, "receivers": [ops], "budgets": budgets, **tables}
        return replace(planned(**given), receivers={"ops": channel})

    return make


def titles(channel: Any) -> list[str]:
    return [each.title for each in channel.sent]


MAY = [
    "WARNING budget all: 2026-05 comes to 93.000000 USDC of 30.000000 USDC",
    "WARNING budget all: 50 % of 30.000000 USDC is spent",
    "WARNING budget all: 80 % of 30.000000 USDC is spent (worse)",
    "CRITICAL budget all: all of 30.000000 USDC is spent (worse)",
]
APRIL = ["WARNING budget all: 2026-04 comes to 42.000000 USDC of 30.000000 USDC", *MAY[1:]]


@pytest.mark.parametrize("restart_after", [5, 1_000])
async def test_a_month_and_the_next(
    house: House, setup: Callable[..., Setup], channel: Any, restart_after: int
) -> None:
    """Each message once, whatever the restarts, whichever the receiver's accounts."""
    await house.open(setup(ALL))
    for number in range(1, 110):
        if number % restart_after == 0:
            await house.dispatch.stop(1)
            await house.open(setup(ALL))
        await house.pass_time(BEGIN + number * 6 * HOUR)

    assert [*APRIL, *MAY] == titles(channel)
    history = house.store.history(WATCHER)
    assert {True} == {alert.quiet for alert in history}
    assert 2 == len(history)


async def test_everything_is_what_the_metrics_say(
    house: House, setup: Callable[..., Setup], channel: Any
) -> None:
    """The month's sum and forecast of a budget without globs are those of the account."""
    await house.open(setup(ALL | {"monthly_usdc": 20}))
    await house.pass_time(BEGIN + 5 * DAY)
    alerts = house.store.load(WATCHER).state.alerts.values()
    facts: list[Any] = [alert.facts for alert in alerts]

    assert 2 == len(facts)
    assert {house.metric("fluence_account_month_to_date_usdc")} == {f.spent / USDC for f in facts}
    assert {house.metric("fluence_account_month_forecast_usdc")} == {
        f.forecast / USDC for f in facts
    }
    assert 3 == len(facts[0].largest)
    assert facts[0].spent == sum(each.amount for each in facts[0].largest)


async def test_the_metrics_of_a_budget(house: House, setup: Callable[..., Setup]) -> None:
    """They are there also if the rule is disabled, and go with the budget."""

    def value(name: str) -> float | None:
        return house.board.own.registry.get_sample_value(f"fluence_budget_{name}_usdc", {"budget": "all"})  # fmt: skip

    silent = setup(ALL, rules={"budget": {"enabled": False}})
    await house.open(silent)
    await house.selfwatch.look()
    assert [30.0, 0.0, None] == [value("limit"), value("spent"), value("forecast")]

    await house.pass_time(BEGIN + 5 * DAY)
    assert house.metric("fluence_account_month_to_date_usdc") == value("spent")
    assert house.metric("fluence_account_month_forecast_usdc") == value("forecast")
    assert {} == house.store.load(WATCHER).state.alerts

    await house.reload(setup())
    await house.selfwatch.look()
    assert None is value("limit")


async def test_some_vms(
    house: House, world: World, setup: Callable[..., Setup], channel: Any
) -> None:
    """A VM that is deleted counts with what it cost, and no more in the forecast."""
    first, second, _ = world.listed()
    some = ALL | {"name": "some", "vms": [first.name, second.id.lower()], "monthly_usdc": 20}
    await house.open(setup(some))
    await house.pass_time(BEGIN + 4 * DAY)
    world.delete(first.id)
    await house.pass_time(BEGIN + 14 * DAY + 6 * HOUR)

    assert [
        "WARNING budget some: 2026-04 comes to 28.000000 USDC of 20.000000 USDC",
        "WARNING budget some: 50 % of 20.000000 USDC is spent",
        "WARNING budget some: 80 % of 20.000000 USDC is spent (worse)",
    ] == titles(channel)
    facts = [alert.facts for alert in house.store.load(WATCHER).state.alerts.values()]
    assert [3 + 14, 3 + 14] == [each.spent // USDC for each in facts]  # type: ignore[attr-defined] # see conftest


async def test_reloads(house: House, setup: Callable[..., Setup], channel: Any) -> None:
    """The same budget is not news, a new limit begins anew, a removed budget ends quietly."""
    only = ALL | {"forecast": False}
    await house.open(setup(only))
    await house.pass_time(BEGIN + 6 * DAY)
    for tables in ([only], [only | {"thresholds": [10, 50, 80, 100]}]):
        await house.reload(setup(*tables))
        await house.pass_time(house.clock() + 6 * HOUR)
    assert 1 == len(channel.sent)

    await house.reload(setup(only | {"monthly_usdc": 60}))
    await house.pass_time(BEGIN + 10 * DAY + 6 * HOUR)
    assert "WARNING budget all: 50 % of 60.000000 USDC is spent" == titles(channel)[1]

    await house.reload(setup())
    await house.pass_time(BEGIN + 11 * DAY)
    assert 2 == len(channel.sent)
    assert {} == house.store.load(WATCHER).state.alerts


async def test_while_nothing_changes_nothing_is_read(
    house: House, setup: Callable[..., Setup], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is read when an account's sum is another one, and in a new month."""
    read, tallies = [], house.store.tallies
    monkeypatch.setattr(
        house.store, "tallies", lambda *a: (read.append(house.clock()), tallies(*a))[1]
    )
    await house.open(setup(ALL | {"monthly_usdc": 900}))
    await house.pass_time(BEGIN + 30 * timedelta(minutes=1), timedelta(minutes=1))
    quiet = len(read)
    await house.pass_time(BEGIN + 3 * DAY)

    assert quiet <= 2
    assert len(read) - quiet <= 3 * 3


async def test_a_forecast_lasts_while_polls_fail(
    house: House, setup: Callable[..., Setup], channel: Any, faults: FaultPlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The last complete poll counts until there is another; before the first it is unknown."""
    patient = setup(ALL, rules={"budget": {"for": "12h"}})
    await house.open(patient)
    await house.pass_time(BEGIN + 6 * HOUR)
    monkeypatch.setattr(house.client, "list_vms", _failing)
    await house.pass_time(BEGIN + 12 * HOUR)
    assert [] == titles(channel)
    await house.pass_time(BEGIN + 18 * HOUR)
    assert APRIL[:1] == titles(channel)


async def _failing() -> None:
    raise OSError("not now")


async def test_a_ledger_that_cannot_be_read(
    house: House, setup: Callable[..., Setup], channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then budgets are unknown: nothing ends and nothing begins, and the log says so."""
    await house.open(setup(ALL | {"forecast": False}))
    await house.pass_time(BEGIN + 6 * DAY)
    before = dict(house.store.load(WATCHER).state.alerts)
    await house.open(setup(ALL | {"forecast": False}))

    def broken(*_: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(house.store, "tallies", broken)
    with structlog.testing.capture_logs() as logs:
        await house.pass_time(BEGIN + 9 * DAY)

    assert before == house.store.load(WATCHER).state.alerts
    assert 1 == len(channel.sent)
    assert "budgets are not judged: the ledger cannot be read" in {line["event"] for line in logs}


async def test_it_is_logged_and_no_failure_of_the_watcher(
    house: House, setup: Callable[..., Setup]
) -> None:
    """Readiness does not speak of it."""
    with structlog.testing.capture_logs() as logs:
        await house.open(setup(ALL))
        await house.pass_time(BEGIN + 6 * DAY)

    assert [
        ("budget is going to be exceeded", "all", ["ops"]),
        ("budget is being spent", "all", ["ops"]),
    ] == [(line["event"], line["budget"], line["notified"]) for line in logs if "budget" in line]
    assert [] == house.board.remarks()
