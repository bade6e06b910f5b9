"""Jobs at a fixed rate, on a clock that the test moves: no test here sleeps."""

# ruff: noqa: D102 - the fakes do what the protocols' docstrings say

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from fluence_watch.app.schedule import Schedule


@dataclass
class Call:
    """A call that is to come at `when`."""

    when: float
    make: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class FakeTimer:
    """A monotonic clock that stands still until somebody moves it."""

    now: float = 1_000.0
    calls: list[Call] = field(default_factory=list)

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object], /) -> Call:
        self.calls.append(Call(when, callback))
        return self.calls[-1]

    @property
    def waiting(self) -> list[float]:
        """In how many seconds each call comes."""
        return sorted(call.when - self.now for call in self.calls if not call.cancelled)

    async def advance(self, seconds: float) -> None:
        """Move on, make the calls that are due, in order, and let what they began go on."""
        end = self.now + seconds
        while due := [call for call in self.calls if call.when <= end or call.cancelled]:
            call = min(due, key=lambda each: each.when)
            self.calls.remove(call)
            if not call.cancelled:
                self.now = max(self.now, call.when)
                call.make()
                await settled()
        self.now = end
        await settled()


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


@dataclass
class Work:
    """A job that notes when it ran, and lasts while `gate` is closed."""

    timer: FakeTimer
    ran: list[float] = field(default_factory=list)
    ended: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def __call__(self) -> None:
        self.ran.append(self.timer.now - 1_000)
        await self.gate.wait()
        self.ended += 1


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()


@pytest.fixture
def schedule(timer: FakeTimer) -> Schedule:
    return Schedule(timer, spread=lambda: 0.5)


@pytest.fixture
def work(timer: FakeTimer) -> Work:
    return Work(timer)


async def test_fixed_rate(schedule: Schedule, timer: FakeTimer, work: Work) -> None:
    """The first run after its delay, the others by the interval."""
    schedule.every(60, "poll", work, first=7)
    await timer.advance(200)

    assert [7, 67, 127, 187] == work.ran


async def test_jitter_does_not_add_up(schedule: Schedule, timer: FakeTimer, work: Work) -> None:
    """Each run is late by itself; the rate stays."""
    schedule.every(60, "poll", work, jitter=8)
    await timer.advance(200)

    assert [0, 64, 124, 184] == work.ran


async def test_a_long_run_neither_overlaps_nor_is_made_up_for_twice(
    schedule: Schedule, timer: FakeTimer, work: Work
) -> None:
    """Whatever became due meanwhile is one run, right after; then the old rate."""
    work.gate.clear()
    schedule.every(60, "poll", work)
    await timer.advance(250)
    assert [0] == work.ran

    work.gate.set()
    await settled()
    await timer.advance(0)
    await timer.advance(60)

    assert [0, 250, 300] == work.ran


async def test_a_late_run_is_not_skipped(schedule: Schedule, timer: FakeTimer, work: Work) -> None:
    """However long the event loop was held up."""
    schedule.every(60, "poll", work, first=1)
    timer.now += 100_000
    await timer.advance(0)
    await timer.advance(60)

    assert [100_000, 100_021] == work.ran


async def test_a_run_that_raises_is_not_the_last(schedule: Schedule, timer: FakeTimer) -> None:
    """The job goes on."""
    ran: list[float] = []

    async def crash() -> None:
        ran.append(timer.now)
        raise ZeroDivisionError

    schedule.every(60, "poll", crash)
    await timer.advance(130)

    assert 3 == len(ran)


async def test_jobs_do_not_wait_for_each_other(
    schedule: Schedule, timer: FakeTimer, work: Work
) -> None:
    """One that hangs holds up itself alone."""
    hanging = Work(timer)
    hanging.gate.clear()
    schedule.every(60, "a", hanging)
    schedule.every(60, "b", work)
    await timer.advance(130)

    assert ([0], [0, 60, 120]) == (hanging.ran, work.ran)


async def test_a_job_that_is_replaced(schedule: Schedule, timer: FakeTimer, work: Work) -> None:
    """The new interval counts at once, and the old wait is over."""
    schedule.every(3_600, "poll", work, first=3_600)
    await timer.advance(5)
    schedule.every(60, "poll", work, first=2)
    await timer.advance(100)

    assert [7, 67] == work.ran


async def test_a_job_that_is_replaced_while_it_runs(
    schedule: Schedule, timer: FakeTimer, work: Work
) -> None:
    """The run under way ends before the next one begins."""
    work.gate.clear()
    schedule.every(60, "poll", work)
    await timer.advance(5)
    schedule.every(10, "poll", work, first=1)
    await timer.advance(20)
    assert [0] == work.ran

    work.gate.set()
    await settled()
    await timer.advance(0)
    await timer.advance(10)

    assert [0, 25, 26] == work.ran


async def test_a_job_that_is_dropped(schedule: Schedule, timer: FakeTimer, work: Work) -> None:
    """Its run goes on, and is the last."""
    work.gate.clear()
    schedule.every(60, "poll", work)
    await timer.advance(5)
    schedule.drop("poll")
    work.gate.set()
    await timer.advance(500)

    assert ([0], 1, False) == (work.ran, work.ended, "poll" in schedule)


async def test_pausing_lets_runs_end(schedule: Schedule, timer: FakeTimer, work: Work) -> None:
    """Nothing begins any more, neither what waited nor what runs now."""
    work.gate.clear()
    other = Work(timer)
    schedule.every(60, "a", work)
    schedule.every(60, "b", other, first=30)
    await timer.advance(5)
    schedule.pause()
    work.gate.set()
    await timer.advance(500)

    assert ([0], 1, []) == (work.ran, work.ended, other.ran)


async def test_closing_cuts_runs_off(schedule: Schedule, timer: FakeTimer, work: Work) -> None:
    """When it returns nothing runs."""
    work.gate.clear()
    schedule.every(60, "poll", work)
    await timer.advance(5)
    await schedule.close()

    assert ([0], 0, []) == (work.ran, work.ended, timer.waiting)


async def test_the_event_loop_is_the_timer(work: Work) -> None:
    """Without a timer of the test the loop's own monotonic clock counts."""
    schedule = Schedule()
    schedule.every(0.001, "poll", work)
    async with asyncio.timeout(10):
        while work.ended < 3:  # noqa: ASYNC110 - the job has no event
            await asyncio.sleep(0.001)
    await schedule.close()
