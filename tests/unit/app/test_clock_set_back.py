"""The wall clock is set back under a running watch: polls, alerts and delivery go on."""

# ruff: noqa: ANN401 - the fake's class is in conftest.py, which is not imported

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.app.board import Board
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.watches import Watches
from fluence_watch.app.wiring import Setup
from fluence_watch.model.ports import port
from fluence_watch.simulator import SettableClock, World, create_app, running
from fluence_watch.store import Store

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
STEPS = [timedelta(hours=1), timedelta(days=1)]

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def api(world: World, clock: SettableClock) -> AsyncIterator[str]:
    async with running(create_app(world, clock)) as url:
        yield url


@pytest.mark.parametrize("step", STEPS)
async def test_clock_set_back(
    step: timedelta,
    store: Store,
    clock: SettableClock,
    world: World,
    api: str,
    planned: Callable[..., Setup],
    channel: Any,
    eventually: Eventually,
) -> None:
    """What was refused before the step arrives after it, and what happens then is told too."""
    board = Board(clock)
    dispatch = Dispatch(store, board, clock)
    watches = Watches(Schedule(), store, board, clock, dispatch)
    setup = replace(
        planned(
            poll={"interval": "20ms", "jitter": "0s"},
            accounts=[{"name": "main", "api_key": "simulated-key", "base_url": api}],
        ),
        receivers={"ops": channel},
    )
    first, second, _ = (machine.id for machine in world.machines.values())

    def polls() -> float:
        count = "fluence_poll_duration_seconds_count"
        return board.own.registry.get_sample_value(count, {"account": "main"}) or 0

    await dispatch.take_over(setup)
    await watches.take_over(setup)
    await eventually(polls)
    channel.refuses = True
    world.open_port(first, port(8080))
    await eventually(lambda: channel.tried)
    await eventually(lambda: store.receivers()["ops"].next_at)
    clock.set(NOW - step)
    channel.refuses = False
    before = polls()
    await eventually(lambda: polls() >= before + 3)
    dispatch._couriers["ops"].wake()  # its time came on the monotonic clock
    await eventually(lambda: len(channel.sent) == 1)
    world.open_port(second, port(8080))
    await eventually(lambda: len(channel.sent) == 2)
    world.close_port(first, port(8080))
    await eventually(lambda: len(channel.sent) == 3)
    await watches.stop(5)
    await dispatch.stop(5)

    assert ["WARNING", "WARNING", "RESOLVED"] == [s.title.split()[0] for s in channel.sent]
    assert [] == board.unready()
