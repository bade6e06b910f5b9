"""Many metered accounts, each with disks, addresses and GPU instances: requests, time, memory.

The real client, rules, store and exposition; the API is in another process.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from fluence_watch.app.board import Board
from fluence_watch.app.poll import Watch
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.fluence import FluenceClient, RequestRecord
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.bench.fleet import START
from tests.bench.metered import ADDRESSES, DISKS, GPUS, STEP, VMS, key_of
from tests.bench.polls import watching

TITLE = f"{VMS} VMs, {DISKS} disks, {ADDRESSES} addresses, {GPUS} GPU instances each"
_ROUNDS = 4
_ALONE = 5  # polls of one account by itself


@dataclass(frozen=True, slots=True)
class Round:
    """A poll of every account, `poll.concurrency` at a time: seconds, and of CPU, and requests."""

    seconds: float
    cpu: float
    requests: Counter[str]


@dataclass(frozen=True, slots=True)
class Accounts:
    """The first round, the ordinary ones, and the seconds of a poll of one account by itself.

    Memory is resident, in MB: before the first poll, after the last, and the most.
    `files` is the most files that were open.
    """

    accounts: int
    first: Round
    ordinary: tuple[Round, ...]
    alone: float
    alone_cpu: float
    empty: float
    steady: float
    peak: float
    files: int

    @property
    def typical(self) -> Round:
        """The ordinary round whose CPU time is the median."""
        return sorted(self.ordinary, key=lambda each: each.cpu)[len(self.ordinary) // 2]


def measure(url: str, accounts: int) -> Accounts:
    """Poll the accounts that the API there has."""
    made = prepare(_settings(url, accounts))
    with TemporaryDirectory() as folder, Store.open(f"sqlite:///{Path(folder, 'b.db')}") as store:
        return asyncio.run(_Bench(made, store).run())


def _settings(url: str, accounts: int) -> WatchSettings:
    tables = [
        {
            "name": f"account-{number}",
            "api_key": key_of(number),
            "base_url": url,
            "dialect": "cloud",
            "gpu": True,
        }
        for number in range(accounts)
    ]
    # long enough that no request is tried again while the simulator is busy with the others
    return WatchSettings.model_validate({"accounts": tables, "poll": {"timeout": "60s"}})


class _Bench:
    def __init__(self, made: Setup, store: Store) -> None:
        self._clock = SettableClock(START)
        self._board = Board(self._clock)
        self._board.expect(set(made.policies))
        self._slots = made.settings.poll.concurrency
        self._requests: Counter[str] = Counter()
        self._files: list[int] | None = None  # counted in a round of its own, because it takes time
        self._watches = [self._watch(made, store, name) for name in made.policies]

    def _watch(self, made: Setup, store: Store, name: str) -> Watch:
        def count(record: RequestRecord) -> None:
            self._requests[record.endpoint] += 1
            if self._files is not None:
                self._files.append(sum(1 for _ in Path("/proc/self/fd").iterdir()))

        client = FluenceClient(made.clients[name], now=self._clock, on_request=count)
        return watching(made.policies[name], client, store, self._clock, self._board)

    async def run(self) -> Accounts:
        empty, _ = _memory()
        first = await self._round()
        ordinary = tuple([await self._round() for _ in range(_ROUNDS)])
        self._check()
        steady, peak = _memory()
        alone = [await self._timed(self._watches[0].poll()) for _ in range(_ALONE)]
        self._files = []
        await self._round()
        for watch in self._watches:
            await watch.client.aclose()
        return Accounts(
            accounts=len(self._watches),
            first=first,
            ordinary=ordinary,
            alone=median(each.seconds for each in alone),
            alone_cpu=median(each.cpu for each in alone),
            empty=empty,
            steady=steady,
            peak=peak,
            files=max(self._files),
        )

    async def _round(self) -> Round:
        slots = asyncio.Semaphore(self._slots)

        async def poll(watch: Watch) -> None:
            async with slots:
                await watch.poll()

        async def every() -> None:
            async with asyncio.TaskGroup() as group:
                for watch in self._watches:
                    group.create_task(poll(watch))

        return await self._timed(every())

    async def _timed(self, work: Awaitable[None]) -> Round:
        self._clock.set(self._clock() + STEP)
        self._requests.clear()
        begun, cpu = perf_counter(), process_time()
        await work
        return Round(perf_counter() - begun, process_time() - cpu, self._requests.copy())

    def _check(self) -> None:
        """Everything was read; else the times are of something else."""
        for polled in self._board._polled.values():
            outcome = polled.outcome
            assert isinstance(outcome, Snapshot)
            assert not outcome.unknown
            assert (VMS, DISKS + ADDRESSES + GPUS) == (len(outcome.vms), len(outcome.resources))


def rows(found: Accounts) -> Iterator[tuple[str, str, str]]:
    """What was measured, of all accounts and of one."""
    many, ordinary = found.accounts, found.typical
    for name, each in (("first", found.first), ("ordinary", ordinary)):
        total = each.requests.total()
        yield f"{name} poll: requests", f"{total:,}", f"{total / many:.0f}"
        yield f"{name} poll: CPU, s", f"{each.cpu:.1f}", f"{each.cpu / many:.3f}"
        yield f"{name} poll: from its start to its end, s", f"{each.seconds:.1f}", ""
    yield "ordinary poll of one account by itself: CPU, s", "", f"{found.alone_cpu:.3f}"
    yield "ordinary poll of one account by itself, s", "", f"{found.alone:.2f}"
    yield "resident memory before the first poll, MB", f"{found.empty:.0f}", ""
    held = found.steady - found.empty
    yield "resident memory after the last, MB", f"{found.steady:.0f}", f"{held / many:.2f}"
    yield "most resident memory, MB", f"{found.peak:.0f}", ""
    yield "most open files", f"{found.files:,}", ""


def _memory() -> tuple[float, float]:
    """The present and the peak resident memory in MB."""
    found = dict(re.findall(r"(VmHWM|VmRSS):\s+(\d+) kB", Path("/proc/self/status").read_text()))
    return int(found["VmRSS"]) * 1024 / 1e6, int(found["VmHWM"]) * 1024 / 1e6
