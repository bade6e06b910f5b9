"""The journal of a world: every charge at a boundary, for those who compare."""

from datetime import UTC, datetime, timedelta

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import build_world
from fluence_watch.simulator.actions import Drain
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu

NOW = datetime(2025, 4, 16, 12, 10, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def test_it_adds_up_to_what_was_spent() -> None:
    """Of VMs that were there, are new or die, and of GPU instances; each charge at its boundary."""
    world = build_world(
        seed=3, vms=3, epoch=DAY, now=NOW, balance=MicroUsdc(10**10), api_key="k"
    )  # fmt: skip
    before = {machine.key: machine.spent for machine in world.listed()}
    fresh = world.deploy("fresh")
    AddGpu("trainer").apply(world)
    SetGpu("trainer", drained=True).apply(world)
    Drain(fresh.id).apply(world)
    world.advance(NOW + 4 * DAY)

    (gpu,) = world.gpus.values()
    spent = {m.key: m.spent - before.get(m.key, 0) for m in world.listed()} | {gpu.id: gpu.spent}
    charged = {key: sum(p.amount for p in world.journal if p.id == key) for key in spent}
    assert spent == charged
    hour = NOW.replace(minute=0)
    assert [NOW, hour + HOUR, hour + 2 * HOUR] == [p.at for p in world.journal if p.id == gpu.id]
    assert [NOW, NOW + DAY] == [p.at for p in world.journal if p.id == fresh.key]
