"""Accounts that come, go and change their name beside polls that wait."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from fluence_watch.app.board import Board
from fluence_watch.app.clock import utc_now
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.watches import Watches
from fluence_watch.app.wiring import Setup
from fluence_watch.simulator import (
    Fault,
    FaultKind,
    FaultPlan,
    SettableClock,
    World,
    create_app,
    running,
)
from fluence_watch.store import Store

KEY = "simulated-key"
QUIET = {"interval": "1h", "jitter": "0s", "timeout": "2s"}

Planned = Callable[..., Setup]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def api(world: World, clock: SettableClock, faults: FaultPlan) -> AsyncIterator[str]:
    async with running(create_app(world, clock, faults=faults)) as url:
        yield url


@pytest.fixture
def board() -> Board:
    return Board(utc_now)


@pytest.fixture
async def watches(store: Store, board: Board, api: str) -> AsyncIterator[Watches]:
    made = Watches(Schedule(), store, board, utc_now, lambda: None)
    yield made
    await made.stop(5)


def account(api: str, name: str) -> dict[str, object]:
    return {"name": name, "api_key": KEY, "base_url": api}


async def test_a_renamed_account_keeps_its_state(
    watches: Watches, store: Store, planned: Planned, api: str, board: Board, eventually: Eventually
) -> None:
    """Another name with the same key at the same API is the same account."""
    await watches.take_over(planned(poll=QUIET, accounts=[account(api, "main")]))
    await eventually(lambda: [] == board.unready())
    known = store.load("main").known.keys()
    await watches.take_over(planned(poll=QUIET, accounts=[account(api, "prod")]))

    assert ["prod"] == store.accounts()
    assert known
    assert known == store.load("prod").known.keys()


async def test_a_poll_that_waits_for_its_turn_ends_with_its_account(
    watches: Watches,
    planned: Planned,
    api: str,
    board: Board,
    faults: FaultPlan,
    eventually: Eventually,
) -> None:
    """While one account holds the only slot, another that waits for it is removed."""
    faults.queue(Fault(FaultKind.LATENCY, seconds=0.5), times=3)
    one_slot = QUIET | {"concurrency": 1, "interval": "200ms"}
    both = [account(api, "a"), account(api, "b")]
    await watches.take_over(planned(poll=one_slot, accounts=both))
    await eventually(lambda: faults.queued < 3)
    await watches.take_over(planned(poll=one_slot, accounts=both[:1]))
    await eventually(lambda: [] == board.unready())

    assert b'account="b"' not in board.exposition.scrape().body


async def test_many_accounts_are_spread(
    store: Store, board: Board, planned: Planned, api: str
) -> None:
    """A hundred accounts begin one after the other, over the whole interval."""
    first: list[float] = []

    class Timetable(Schedule):
        def every(self, interval: float, key: Any, work: Any, **when: float) -> None:  # noqa: ANN401, ARG002 - as the class has it
            first.extend(when.values() if key[0] == "poll" else ())

    accounts = [account(api, f"a{number}") | {"api_key": f"k{number}"} for number in range(100)]
    poll = {"interval": "50s", "jitter": "0s"}
    watches = Watches(Timetable(), store, board, utc_now, lambda: None)
    await watches.take_over(planned(poll=poll, accounts=accounts))
    await watches.stop(5)

    assert (0, 49.5, 200) == (min(first), max(first), len(first))  # each with a jitter of 0
