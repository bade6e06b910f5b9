"""Whole polls of an account over HTTP, with rules, commit and exposition, in CPU time."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

from fluence_watch.alerting.state import Stored
from fluence_watch.app.board import Board
from fluence_watch.app.clock import Clock
from fluence_watch.app.decide import Policy
from fluence_watch.app.poll import Watch
from fluence_watch.app.wiring import connect, prepare
from fluence_watch.fluence import FluenceClient
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.bench.fleet import moment
from tests.bench.stages import ACCOUNT, settings


@dataclass(frozen=True, slots=True)
class Polls:
    """Milliseconds of CPU time, of all threads: of the first poll and of each that followed."""

    first: float
    ordinary: tuple[float, ...]

    @property
    def typical(self) -> float:
        """The median of the ordinary ones."""
        return median(self.ordinary)


def measure(url: str, ordinary: int) -> Polls:
    """Poll the account that the API there has; every scraper asks for gzip."""
    with TemporaryDirectory() as folder, Store.open(f"sqlite:///{Path(folder, 'b.db')}") as store:
        first, *others = asyncio.run(_measure(url, ordinary, store))
    return Polls(first, tuple(others))


async def _measure(url: str, ordinary: int, store: Store) -> list[float]:
    clock = SettableClock(moment(0))
    board = Board(clock)
    board.expect({ACCOUNT})
    watch = _watch(url, board, store, clock)
    times = []
    for number in range(1 + ordinary):
        clock.set(moment(number))
        started = process_time()
        await watch.poll()
        times.append((process_time() - started) * 1000)
        board.exposition.scrape(None, "gzip")
    await watch.client.aclose()
    return times


def _watch(url: str, board: Board, store: Store, clock: Clock) -> Watch:
    made = prepare(settings(url))
    client = connect(ACCOUNT, made.clients[ACCOUNT], clock, board.own)
    return watching(made.policies[ACCOUNT], client, store, clock, board)


def watching(
    policy: Policy, client: FluenceClient, store: Store, clock: Clock, board: Board
) -> Watch:
    """The watch over an account that was never polled."""
    return Watch(
        policy,
        client,
        store,
        Stored(),
        clock=clock,
        publish=board.publish,
        crashed=board.crashed,
        committed=lambda *_: None,
    )
