import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.simulator import SettableClock, World, build_world
from fluence_watch.simulator.actions import Vanish
from fluence_watch.simulator.machine import State
from fluence_watch.simulator.scenario import (
    SCRIPT,
    SCRIPT_END,
    Event,
    due,
    gentle_events,
    happening,
    perform,
    play,
)

START = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
seconds = st.floats(0, 600)


def demo_world() -> World:
    return build_world(seed=0, vms=6, epoch=timedelta(minutes=2), now=START)


def seen_at(at: float) -> World:
    """The world as a poll finds it so many seconds after the start."""
    world = demo_world()
    play(world, START, happening(-1, at))
    world.advance(START + timedelta(seconds=at))
    return world


def test_due_is_the_window_in_order() -> None:
    """Open at its start, closed at its end."""
    events = [Event(at, Vanish("web-1")) for at in (9, 3, 5, 1)]
    assert [event.at for event in due(events, 1, 5)] == [3, 5]


@given(seconds, seconds, seconds)
def test_windows_add_up(one: float, two: float, three: float) -> None:
    """However often the runner looks, each event happens once."""
    first, middle, last = sorted((one, two, three))
    pieces = happening(first, middle) + happening(middle, last)
    assert happening(first, last) == pieces


@given(st.integers(0, 100), st.integers(0, 100))
def test_gentle_events_mend_themselves(seed: int, cycle: int) -> None:
    """Two events of one VM inside their half minute, the same for the same seed."""
    begins, ends = gentle_events(seed, cycle)
    start = SCRIPT_END + cycle * 30
    assert start < begins.at < ends.at < start + 30
    assert gentle_events(seed, cycle) == (begins, ends)
    assert begins.action.vm == ends.action.vm


def test_ports_drift_and_mend() -> None:
    """An opened one and a lock-out, each long enough for two polls."""
    normal = demo_world().find("web-1").ports
    assert (normal, normal) == (seen_at(3).find("web-1").ports, seen_at(20).find("web-1").ports)
    assert "3306/tcp" in map(str, seen_at(10).find("web-1").ports)
    assert "22/tcp" not in map(str, seen_at(40).find("api-4").ports)
    assert demo_world().find("api-4").ports == seen_at(44).find("api-4").ports


def test_a_vm_vanishes_and_comes_back() -> None:
    assert [seen_at(at).find("worker-5").vanished for at in (13, 15, 29, 31)] == [
        False,
        True,
        True,
        False,
    ]


def test_one_vm_is_short_and_helped() -> None:
    """Its reserve is empty after its boundary, and whole again after the mending."""
    price = demo_world().find("db-2").price
    assert [price, 0, 0, price] == [seen_at(at).find("db-2").reserved for at in (11, 14, 26, 28)]


def test_another_runs_dry() -> None:
    """Two unpaid boundaries, then its provider ends it."""
    assert seen_at(12).find("ci-3").reserved == 0
    states = [seen_at(at).find("ci-3").state for at in (33, 35)]
    assert states == [State.ACTIVE, State.TERMINATED]


def test_a_new_vm_comes() -> None:
    assert [len(seen_at(at).machines) for at in (21, 23)] == [6, 7]


def test_the_script_is_over_in_time() -> None:
    """Everything is told within 45 seconds."""
    assert max(event.at for event in SCRIPT) <= 45 < SCRIPT_END


def test_the_demo_goes_on_without_a_vm() -> None:
    """What was deleted by somebody who plays is left out, the rest happens."""
    world = demo_world()
    world.delete(world.find("worker-5").id)
    play(world, START, happening(-1, 600))
    assert world.deposited == world.accounted
    assert "api-7" in {machine.name for machine in world.listed()}


async def test_perform_follows_the_clock() -> None:
    """It plays what the clock has reached, and stops when cancelled."""
    world, clock = demo_world(), SettableClock(START)
    task = asyncio.create_task(perform(world, clock, tick=0))
    await asyncio.sleep(0.01)
    assert not world.find("worker-5").vanished
    clock.advance(timedelta(seconds=15))
    await asyncio.sleep(0.01)
    assert world.find("worker-5").vanished
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
