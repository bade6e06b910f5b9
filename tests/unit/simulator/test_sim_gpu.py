"""GPU instances: hours of the clock, a reserve of two hours, and what becomes of the money."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import World, build_world
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.gpu import GpuInstance, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu

NOW = datetime(2025, 4, 16, 12, 20, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def rented(balance: int = 1_000, price: int = 10) -> World:
    world = build_world(
        seed=1, vms=0, epoch=timedelta(hours=24), now=NOW, balance=MicroUsdc(balance)
    )
    AddGpu("trainer", price=price).apply(world)
    return world


def the(world: World) -> GpuInstance:
    (instance,) = world.gpus.values()
    return instance


def test_three_hours_are_taken_at_the_start() -> None:
    """One is charged, whatever is left of the hour, and two are the reserve."""
    world = rented()
    assert (970, 20, 10) == (world.balance, the(world).reserved, the(world).spent)
    world.advance(NOW + 40 * MINUTE)  # 13:00
    assert (960, 20, 20) == (world.balance, the(world).reserved, the(world).spent)
    with pytest.raises(RefusedError):
        rented(balance=29)


def test_an_instance_whose_top_ups_fail() -> None:
    """Two more hours are paid; the charge that finds the reserve spent ends it."""
    world = rented()
    SetGpu("trainer", drained=True).apply(world)
    world.advance(NOW + 3 * HOUR)
    assert GpuState.ENDED is the(world).state
    assert datetime(2025, 4, 16, 15, tzinfo=UTC) == the(world).changed_at
    assert 970 == world.balance


@pytest.mark.parametrize("state", [GpuState.ENDED, GpuState.FAILED])
def test_what_was_reserved_goes_back(state: GpuState) -> None:
    world = rented()
    SetGpu("trainer", state=state).apply(world)
    world.advance(NOW + 5 * HOUR)
    assert (state, 0, 990) == (the(world).state, the(world).reserved, world.balance)


@settings(deadline=None)
@given(st.integers(30, 500), st.integers(1, 100), st.lists(st.integers(0, 600), max_size=5))
def test_no_money_is_lost(balance: int, price: int, looks: list[int]) -> None:
    """Balance, reserves and what was spent are what was deposited; looking changes nothing."""
    if balance < 3 * price:
        return
    world, other = rented(balance, price), rented(balance, price)
    for minutes in sorted(looks):
        world.advance(NOW + minutes * MINUTE)
        assert world.deposited == world.accounted
    for each in (world, other):
        each.advance(NOW + 601 * MINUTE)
    assert (other.balance, other.gpus) == (world.balance, world.gpus)
