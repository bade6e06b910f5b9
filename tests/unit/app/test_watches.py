# ruff: noqa: ANN401, D102 - the fake takes what the schedule takes

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from fluence_watch.alerting.lifecycle import State
from fluence_watch.app import poll
from fluence_watch.app.board import Board
from fluence_watch.app.clock import utc_now
from fluence_watch.app.dispatch import Dispatch
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

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
KEY = "simulated-key"

Planned = Callable[..., Setup]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
async def api(world: World, clock: SettableClock, faults: FaultPlan) -> AsyncIterator[str]:
    """The simulated API on a socket."""
    async with running(create_app(world, clock, faults=faults)) as url:
        yield url


class Timetable(Schedule):
    """A schedule that remembers what it was asked for: interval, first delay, jitter."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[object, tuple[float, float, float]] = {}

    def every(
        self, interval: float, key: Any, work: Any, *, first: float = 0.0, jitter: float = 0.0
    ) -> None:
        self.asked[key] = interval, first, jitter
        super().every(interval, key, work, first=first, jitter=jitter)


@pytest.fixture
async def schedule() -> Timetable:
    return Timetable()


@pytest.fixture
def board() -> Board:
    return Board(utc_now)


@pytest.fixture
async def watches(
    schedule: Timetable, store: Store, board: Board, api: str
) -> AsyncIterator[Watches]:
    """Stopped before the API is."""
    made = Watches(schedule, store, board, utc_now, Dispatch(store, board, utc_now))
    yield made
    await made.stop(5)


def account(api: str, name: str = "main", **more: object) -> dict[str, object]:
    return {"name": name, "api_key": KEY, "base_url": api, **more}


def up(board: Board, name: str = "main") -> float | None:
    """What `fluence_up` says of an account."""
    for line in board.exposition.scrape().body.decode().splitlines():
        if line.startswith(f'fluence_up{{account="{name}"}}'):
            return float(line.split()[-1])
    return None


async def test_accounts_are_polled_at_once_and_again(
    watches: Watches, planned: Planned, api: str, board: Board, eventually: Eventually
) -> None:
    """Each account has a job of its own, the first poll is now, and it goes on by the interval."""
    await watches.take_over(
        planned(poll={"interval": "20ms", "jitter": "0s"}, accounts=[account(api)])
    )
    count = "fluence_poll_duration_seconds_count"
    await eventually(
        lambda: (board.own.registry.get_sample_value(count, {"account": "main"}) or 0) >= 3
    )

    assert 1 == up(board)
    assert [] == board.unready()


@pytest.mark.parametrize(
    ("poll", "interval", "jitter"),
    [
        ({}, 60, 5),
        ({"interval": "8s", "jitter": "5s"}, 8, 4),
        ({"interval": "500ms", "jitter": "0s"}, 0.5, 0),
    ],
)
async def test_how_polls_are_scheduled(
    watches: Watches,
    schedule: Timetable,
    planned: Planned,
    api: str,
    poll: dict[str, str],
    interval: float,
    jitter: float,
) -> None:
    """By the interval, the first one now, with little jitter."""
    await watches.take_over(planned(poll=poll, accounts=[account(api)]))

    assert (interval, 0, jitter) == schedule.asked["poll", "main"]


async def test_a_reload_adds_and_removes(
    watches: Watches,
    schedule: Timetable,
    planned: Planned,
    api: str,
    board: Board,
    store: Store,
    eventually: Eventually,
) -> None:
    """A new account is polled; one that is gone is not, and its state is kept."""
    await watches.take_over(planned(accounts=[account(api), account(api, "old")]))
    await eventually(lambda: not board.unready())
    await watches.take_over(planned(accounts=[account(api)]))
    await watches.take_over(planned(accounts=[account(api), account(api, "new")]))
    await eventually(lambda: not board.unready())

    assert [True, True, False] == [("poll", n) in schedule for n in ("main", "new", "old")]
    assert ["main", "new", "old"] == [
        name for name in store.accounts() if store.load(name).state.known
    ]
    assert (1, 1, None) == (up(board), up(board, "new"), up(board, "old"))


async def test_a_reload_changes_the_interval_and_the_client(
    watches: Watches,
    schedule: Timetable,
    planned: Planned,
    api: str,
    board: Board,
    store: Store,
    eventually: Eventually,
) -> None:
    """Another key counts at the next poll, and what is known of the account stays."""
    await watches.take_over(planned(accounts=[account(api)]))
    await eventually(lambda: up(board) == 1)
    known = store.load("main").state.known
    wrong = account(api) | {"api_key": "wrong"}
    await watches.take_over(planned(poll={"interval": "30ms", "jitter": "0s"}, accounts=[wrong]))
    assert (0.03, 0, 0) == schedule.asked["poll", "main"]
    await eventually(lambda: up(board) == 0)

    assert known == store.load("main").state.known


async def test_stopping_waits_for_a_poll_that_runs(
    schedule: Timetable,
    store: Store,
    board: Board,
    planned: Planned,
    api: str,
    faults: FaultPlan,
) -> None:
    """The last poll commits, and nothing is polled after it."""
    faults.queue(Fault(FaultKind.LATENCY, seconds=0.1), 1)
    watches = Watches(schedule, store, board, utc_now, Dispatch(store, board, utc_now))
    await watches.take_over(planned(accounts=[account(api)]))
    await asyncio.sleep(0.02)
    await watches.stop(5)

    assert 3 == len(store.load("main").state.known)


async def test_a_poll_that_takes_too_long_is_cut_off(
    schedule: Timetable,
    store: Store,
    board: Board,
    planned: Planned,
    api: str,
    faults: FaultPlan,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The end of the daemon does not hang on the API, and is no crash of the poll."""
    faults.queue(Fault(FaultKind.LATENCY, seconds=0.5), 1)
    watches = Watches(schedule, store, board, utc_now, Dispatch(store, board, utc_now))
    await watches.take_over(planned(accounts=[account(api)]))
    await asyncio.sleep(0.02)
    await watches.stop(0.02)
    await asyncio.sleep(0.05)  # whoever would complain has done so

    assert ["account main: not polled yet"] == board.unready()
    assert [] == [record.message for record in caplog.records if record.levelname == "ERROR"]


class CrashingStore:
    """A store with an error of ours in it, until it is mended, over a real one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.mended = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    def commit(self, *args: object, **more: object) -> int:
        """Crash, until it is mended."""
        if not self.mended:
            raise ZeroDivisionError
        return self.store.commit(*args, **more)


async def test_a_poll_that_crashes_is_seen_and_is_not_the_last(
    schedule: Timetable,
    store: Store,
    board: Board,
    planned: Planned,
    api: str,
    eventually: Eventually,
) -> None:
    """An error of our own makes the watcher unready, until a poll goes well."""
    crashing = CrashingStore(store)
    dispatch = Dispatch(store, board, utc_now)
    watches = Watches(schedule, crashing, board, utc_now, dispatch)
    await watches.take_over(
        planned(poll={"interval": "150ms", "jitter": "0s"}, accounts=[account(api)])
    )
    await eventually(
        lambda: (
            ["account main: ZeroDivisionError in app/kept.py"]
            == [why.rpartition(":")[0] for why in board.unready()]
        )
    )
    crashing.mended = True
    await eventually(lambda: board.unready() == [])
    await watches.stop(5)

    assert 1 == up(board)


async def test_a_poll_that_does_not_end_is_noticed(
    watches: Watches,
    planned: Planned,
    api: str,
    board: Board,
    store: Store,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three intervals after its timeout the watcher is unready, and says so as an alert."""
    gate = asyncio.Event()

    async def hang(*_: Any) -> Any:
        await gate.wait()
        raise ConnectionResetError

    monkeypatch.setattr(poll, "fetch", hang)
    quick = {"interval": "20ms", "jitter": "0s", "timeout": "20ms"}
    at_once = {"poll_failing": {"for": "0s"}}
    await watches.take_over(planned(poll=quick, rules=at_once, accounts=[account(api)]))
    await eventually(lambda: store.load("main").state.alerts)
    (alert,) = store.load("main").state.alerts.values()
    gate.set()

    assert ["account main: no poll has ended for 0 s"] == board.unready()
    assert ("overdue", State.FIRING) == (alert.facts.reason, alert.state)
