"""The demo's script: the events of a small fleet and their times, as data.

`SCRIPT` needs the VMs that `build_world` makes for `vms >= 6`, epochs of about two minutes and a
poll every two seconds. It moves boundaries so that half a minute shows what takes days.
After the script, gentle events go on forever: one small event every half minute, then its reversal.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from fluence_watch.simulator.actions import (
    Action,
    BringBack,
    ClosePort,
    Deploy,
    Drain,
    Mend,
    OpenPort,
    SetBoundary,
    Vanish,
)
from fluence_watch.simulator.clock import Clock
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.world import World


@dataclass(frozen=True, slots=True)
class Event:
    """An action, so many seconds after the start."""

    at: float
    action: Action


SCRIPT: tuple[Event, ...] = (
    # ci-3 runs dry: no top-up follows its charge at 8 s, so the charge at 34 s ends it
    Event(0, Drain("ci-3")),
    Event(0, SetBoundary("ci-3", 8)),
    Event(10, SetBoundary("ci-3", 24)),
    # somebody opens the database of web-1 to the world
    Event(4, OpenPort("web-1", "3306/tcp")),
    Event(18, ClosePort("web-1", "3306/tcp")),
    # db-2 is short after its charge at 12 s, and is topped up in time
    Event(2, Drain("db-2")),
    Event(2, SetBoundary("db-2", 10)),
    Event(26, Mend("db-2")),
    # worker-5 vanishes and comes back
    Event(14, Vanish("worker-5")),
    Event(30, BringBack("worker-5")),
    Event(22, Deploy("api-7", ports=("22/tcp", "443/tcp"))),
    # a lock-out: an update leaves port 22 out
    Event(36, ClosePort("api-4", "22/tcp")),
    Event(42, OpenPort("api-4", "22/tcp")),
)
SCRIPT_END = 60.0

_CYCLE = 30.0
_STEADY = ("web-1", "db-2", "api-4", "worker-5", "dns-6")


def due(events: Iterable[Event], since_start: float, until: float) -> list[Event]:
    """The events after `since_start` up to `until`, both in seconds after the start, in order."""
    window = [event for event in events if since_start < event.at <= until]
    return sorted(window, key=lambda event: event.at)


def gentle_events(seed: int, cycle: int) -> tuple[Event, ...]:
    """One small event and its reversal, in this half minute after the script."""
    rng = Random(f"{seed}:{cycle}")
    start, vm = SCRIPT_END + cycle * _CYCLE, rng.choice(_STEADY)
    begins, ends = start + rng.uniform(1, 8), start + rng.uniform(16, 28)
    pairs: tuple[tuple[Action, Action], ...] = (
        (OpenPort(vm, "8080/tcp"), ClosePort(vm, "8080/tcp")),
        (OpenPort(vm, "161/udp"), ClosePort(vm, "161/udp")),
        (Vanish(vm), BringBack(vm)),
        (Drain(vm), Mend(vm)),
    )
    first, second = rng.choice(pairs)
    return Event(begins, first), Event(ends, second)


def happening(since_start: float, until: float, seed: int = 0) -> list[Event]:
    """All events of the demo in that window: the script, then the gentle events."""
    first = max(0, int((since_start - SCRIPT_END) // _CYCLE))
    last = int((until - SCRIPT_END) // _CYCLE)
    gentle = [event for cycle in range(first, last + 1) for event in gentle_events(seed, cycle)]
    return due((*SCRIPT, *gentle), since_start, until)


def play(world: World, start: datetime, events: Iterable[Event]) -> None:
    """Apply the events, each at its own time. Impossible ones are skipped."""
    for event in events:
        world.advance(start + timedelta(seconds=event.at))
        try:
            event.action.apply(world)
        except (UnknownError, RefusedError):
            # a user of the demo may have deleted the VM or spent the money
            continue


async def perform(world: World, clock: Clock, *, seed: int = 0, tick: float = 0.25) -> None:
    """Play the demo from now on until cancelled, checking the clock every `tick` seconds."""
    start, played = clock(), -1.0
    while True:
        until = (clock() - start).total_seconds()
        play(world, start, happening(played, until, seed))
        played = until
        await asyncio.sleep(tick)
