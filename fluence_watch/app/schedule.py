"""Periodic jobs on the monotonic clock, so that setting the wall clock does not affect them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from random import random
from typing import Protocol

import structlog

_log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[None]]


class Cancellable(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Cancel the call."""
        ...


class Timer(Protocol):
    """The timer of an event loop."""

    def time(self) -> float:
        """Seconds on the monotonic clock."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Cancellable:
        """Make the call at that time; at once if it is past."""
        ...


@dataclass(slots=True, eq=False)
class _Job:
    work: Work
    interval: float
    jitter: float
    due: float  # of the next run, without its jitter
    waiting: Cancellable | None = None
    running: "asyncio.Task[None] | None" = None


class Schedule:
    """Runs each job at a fixed rate, one run of it at a time.

    - A late or long run does not shift later runs. Runs that become due meanwhile are coalesced
      into one; none is skipped because it is late.
    - If a run raises, the error is logged, and the job continues.

    `timer` is the running event loop by default; `spread` gives a number in 0..1 for the jitter.
    """

    def __init__(self, timer: Timer | None = None, spread: Callable[[], float] = random) -> None:
        self._timer = timer or asyncio.get_running_loop()
        self._spread = spread
        self._jobs: dict[Hashable, _Job] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._paused = False

    def time(self) -> float:
        """Seconds on the monotonic clock."""
        return self._timer.time()

    def every(
        self, interval: float, key: Hashable, work: Work, *, first: float = 0.0, jitter: float = 0.0
    ) -> None:
        """Run `work` in `first` seconds and then every `interval` seconds.

        Each run after the first is delayed by a random time up to `jitter`.
        A job with the same key is replaced. If it is running, the new one starts after it.
        """
        due = self.time() + first
        job = self._jobs.setdefault(key, _Job(work, interval, jitter, due))
        job.work, job.interval, job.jitter, job.due = work, interval, jitter, due
        if job.running is None:
            self._arm(key, job, due)

    def __contains__(self, key: Hashable) -> bool:
        """Whether there is such a job."""
        return key in self._jobs

    def drop(self, key: Hashable) -> None:
        """Remove the job; its current run continues."""
        job = self._jobs.pop(key)
        if job.waiting is not None:
            job.waiting.cancel()

    def pause(self) -> None:
        """Start no more runs; current ones continue."""
        self._paused = True
        for job in self._jobs.values():
            if job.waiting is not None:
                job.waiting.cancel()

    async def close(self) -> None:
        """Start no more runs, and cancel the current ones."""
        self.pause()
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    def _arm(self, key: Hashable, job: _Job, when: float) -> None:
        if job.waiting is not None:
            job.waiting.cancel()
        if not self._paused:
            job.waiting = self._timer.call_at(when, lambda: self._begin(key, job))

    def _begin(self, key: Hashable, job: _Job) -> None:
        late = max(0.0, self.time() - job.due)
        job.due += (late // job.interval + 1) * job.interval
        job.waiting = None
        job.running = asyncio.create_task(self._run(key, job))
        self._running.add(job.running)
        job.running.add_done_callback(self._running.discard)

    async def _run(self, key: Hashable, job: _Job) -> None:
        try:
            await job.work()
        except Exception:  # noqa: BLE001 - the next run must have its chance
            _log.exception("job crashed", job=str(key))
        job.running = None
        if self._jobs.get(key) is job:
            self._arm(key, job, job.due + self._spread() * job.jitter)
