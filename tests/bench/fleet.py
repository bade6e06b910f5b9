"""Bodies of the list of VMs, as the simulator writes them; from one to the next 1 % changes.

Time is what changes them: boundaries are spread evenly over the epoch, so that 1 % of a fleet is
charged in 1 % of it.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from fluence_watch.simulator import World, build_world, fleet_payload

START = datetime(2026, 1, 15, 12, tzinfo=UTC)
EPOCH = timedelta(hours=24)
STEP = EPOCH / 100
KEY = "bench"


def moment(number: int) -> datetime:
    """When the poll of that number is."""
    return START + number * STEP


def world_of(vms: int) -> World:
    """The simulated account at its start."""
    return build_world(seed=1, vms=vms, epoch=EPOCH, now=START, api_key=KEY)


def write_bodies(vms: int, polls: int, folder: Path) -> list[Path]:
    """Write the body of each poll to a file."""
    world, files = world_of(vms), [folder / f"{number}.json" for number in range(polls)]
    for number, file in enumerate(files):
        world.advance(moment(number))
        file.write_bytes(fleet_payload(world))
    return files
