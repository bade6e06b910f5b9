"""The demo's script: what happens to a small fleet, and when, as data.

`SCRIPT` needs the VMs that `build_world` makes for `vms >= 6`, epochs of about two minutes and a
poll every two seconds; it moves boundaries so that half a minute shows what takes days. After it,
gentle events go on for ever: every half minute something small happens and is undone.
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
    """Something that happens so many seconds after the start."""

    at: float
    action: Action


SCRIPT: tuple[Event, ...] = (
    # ci-3 runs dry: nothing is topped up after its charge at 8 s, so the one at 34 s ends it
    Event(0, Drain("ci-3")),
    Event(0, SetBoundary("ci-3", 8)),
    Event(10, SetBoundary("ci-3", 24)),
    # somebody opens the database of web-1 to the world
    Event(4, OpenPort("web-1", "3306/tcp")),
    Event(18, ClosePort("web-1", "3306/tcp")),
    # db-2 is short after its charge at 12 s, and is helped in time
    Event(2, Drain("db-2")),
    Event(2, SetBoundary("db-2", 10)),
    Event(26, Mend("db-2")),
    # worker-5 is lost and found
    Event(14, Vanish("worker-5")),
    Event(30, BringBack("worker-5")),
    Event(22, Deploy("api-7", ports=("22/tcp", "443/tcp"))),
    # a lock-out: port 22 was left out of an update
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
    """What happens in the given half minute after the script: one small event, and its reversal."""
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
    """Everything of the demo in that window: the script, then the gentle events."""
    first = max(0, int((since_start - SCRIPT_END) // _CYCLE))
    last = int((until - SCRIPT_END) // _CYCLE)
    gentle = [event for cycle in range(first, last + 1) for event in gentle_events(seed, cycle)]
    return due((*SCRIPT, *gentle), since_start, until)


def play(world: World, start: datetime, events: Iterable[Event]) -> None:
    """Let the events happen, each at its own time; what has become impossible is left out."""
    for event in events:
        world.advance(start + timedelta(seconds=event.at))
        try:
            event.action.apply(world)
        except (UnknownError, RefusedError):
            # somebody who plays with the demo may have deleted the VM or spent the money
            continue


async def perform(world: World, clock: Clock, *, seed: int = 0, tick: float = 0.25) -> None:
    """Play the demo from now on until cancelled, looking at the clock every `tick` seconds."""
    start, played = clock(), -1.0
    while True:
        until = (clock() - start).total_seconds()
        play(world, start, happening(played, until, seed))
        played = until
        await asyncio.sleep(tick)
