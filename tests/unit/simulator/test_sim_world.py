from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, Port, port
from fluence_watch.simulator import World, build_world
from fluence_watch.simulator.actions import (
    Action,
    BringBack,
    Delete,
    Deploy,
    Drain,
    Mend,
    OpenPort,
    Refill,
    SetBoundary,
    SetPrice,
    Terminate,
    Vanish,
)
from fluence_watch.simulator.catalog import CONFIGURATIONS, configuration
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.market_actions import Overcharge

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
EPOCH = timedelta(hours=24)
PRICE = CONFIGURATIONS[0].price
NAMES = ("web-1", "db-2", "ci-3")

vms = st.sampled_from(NAMES)
amounts = st.integers(0, 3_000_000)
actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(Deploy),
    st.builds(Delete, vms),
    st.builds(Vanish, vms),
    st.builds(BringBack, vms),
    st.builds(Terminate, vms),
    st.builds(Drain, st.none() | vms),
    st.builds(Mend, st.none() | vms),
    st.builds(Refill, amounts),
    st.builds(SetPrice, vms, amounts),
    st.builds(Overcharge, vms, st.integers(-3_000_000, 3_000_000)),
    st.builds(SetBoundary, vms, st.floats(0, 300_000)),
    st.builds(OpenPort, vms, st.just("80/tcp")),
)
minutes = st.integers(0, 6_000)
stories = st.lists(st.tuples(minutes, st.none() | actions), max_size=12)


def small_world(balance: int = 2_000_000) -> World:
    return build_world(seed=3, vms=3, epoch=EPOCH, now=NOW, balance=MicroUsdc(balance))


def tell(world: World, story: list[tuple[int, Action | None]]) -> None:
    for passed, action in story:
        world.advance(world.now + timedelta(minutes=passed))
        try:
            if action is not None:
                action.apply(world)
        except (RefusedError, UnknownError):
            continue


def after_boundary(world: World, name: str) -> Machine:
    """The VM right after its next charge, before the top-up."""
    world.advance(world.find(name).next_billing_at)
    return world.find(name)


@given(stories)
@settings(deadline=None)
def test_money_is_neither_made_nor_lost(story: list[tuple[int, Action | None]]) -> None:
    """Balance, reserves and all spending add up to what was deposited, whatever happens."""
    world = small_world()
    tell(world, story)
    assert world.deposited == world.accounted
    assert world.balance >= 0
    assert all(machine.reserved >= 0 for machine in world.machines.values())


@given(stories, minutes, minutes)
@settings(deadline=None)
def test_time_may_pass_in_pieces(
    story: list[tuple[int, Action | None]], one: int, two: int
) -> None:
    """Advancing to a and then to b is advancing to b."""
    in_pieces, at_once = small_world(), small_world()
    tell(in_pieces, story)
    tell(at_once, story)
    start = in_pieces.now
    in_pieces.advance(start + timedelta(minutes=one))
    in_pieces.advance(start + timedelta(minutes=one + two))
    at_once.advance(start + timedelta(minutes=one + two))
    assert at_once == in_pieces


@given(st.integers(0, 2**32), st.integers(1, 30))
@settings(max_examples=20, deadline=None)
def test_a_seed_makes_one_world(seed: int, count: int) -> None:
    """Equal arguments make equal worlds, of distinct VMs whose next charge is in the epoch."""

    def build() -> World:
        return build_world(seed=seed, vms=count, epoch=EPOCH, now=NOW)

    world = build()
    assert build() == world
    assert count == len({machine.public_ip for machine in world.machines.values()})
    assert all(NOW < m.next_billing_at < NOW + EPOCH for m in world.machines.values())


def test_time_never_goes_back() -> None:
    """An earlier time changes nothing."""
    world = small_world()
    world.advance(NOW - EPOCH)
    assert small_world() == world


def test_a_charge_is_topped_up_a_little_later() -> None:
    """The reserve dips at the boundary and is whole again after the delay."""
    world = small_world()
    before = world.find("web-1")
    charged = after_boundary(world, "web-1")
    assert (0, before.spent + PRICE) == (charged.reserved, charged.spent)
    assert before.next_billing_at + EPOCH == charged.next_billing_at
    world.advance(world.now + timedelta(seconds=30))
    assert world.find("web-1").reserved == PRICE


def test_top_up_delay_follows_short_epochs() -> None:
    """Half a minute is too long for an epoch of two: the dip is a hundredth of it."""
    world = build_world(seed=1, vms=1, epoch=timedelta(minutes=2), now=NOW)
    assert timedelta(seconds=1.2) == world.top_up_delay


def test_a_drained_vm_ends_at_the_first_unpaid_charge() -> None:
    """The reserve pays one more epoch; then the provider ends the VM and keeps what is left."""
    world = small_world()
    world.drain("web-1")
    assert State.ACTIVE is after_boundary(world, "web-1").state
    world.advance(world.now + EPOCH)
    assert State.TERMINATED is world.find("web-1").state


def test_an_empty_account_tops_nothing_up() -> None:
    """A balance under what is missing fails the top-up whole; a refill makes up for it."""
    world = small_world(balance=PRICE - 1)
    after_boundary(world, "web-1")
    world.advance(world.now + timedelta(minutes=5))
    assert world.find("web-1").reserved == 0
    world.refill(MicroUsdc(1))
    world.advance(world.now + timedelta(seconds=30))
    assert world.find("web-1").reserved == PRICE
    assert world.balance == 0


@pytest.mark.parametrize("vm", [None, "web-1"])
def test_mended_top_ups_are_made_up_for(vm: str | None) -> None:
    """One VM or all of them: what failed is topped up soon after it is mended."""
    world = small_world()
    world.drain(vm)
    after_boundary(world, "web-1")
    world.advance(world.now + timedelta(hours=1))
    assert world.find("web-1").reserved == 0
    world.mend(vm)
    world.advance(world.now + timedelta(seconds=30))
    assert world.find("web-1").reserved == PRICE


def test_deploying_deducts_two_epochs() -> None:
    """One is charged at once, the other is the reserve; only the wanted ports are open."""
    world = small_world(balance=2 * PRICE)
    machine = world.deploy("new", configuration("cpu-2-ram-4gb-storage-25gb"))
    assert (machine.reserved, machine.spent, world.balance) == (PRICE, PRICE, 0)
    assert (machine.ports, machine.next_billing_at) == ((SSH,), NOW + EPOCH)
    with pytest.raises(RefusedError, match="are needed"):
        world.deploy("another")


def test_deleting_returns_the_unused_reserve() -> None:
    """The reserve goes back to the balance; the running epoch stays charged."""
    world = small_world()
    world.delete(world.find("web-1").id)
    assert world.balance == 2_000_000 + PRICE
    with pytest.raises(UnknownError):
        world.find("web-1")


def test_a_terminated_vm_locks_its_reserve_until_deleted() -> None:
    """It is still listed by the world, is never charged again, and its delete frees the money."""
    world = small_world()
    world.terminate("web-1")
    world.advance(NOW + 3 * EPOCH)
    machine = world.find("web-1")
    assert machine.reserved == PRICE
    assert machine in world.listed()
    balance = world.balance
    world.delete(machine.id)
    assert balance + PRICE == world.balance


def test_a_vanished_vm_is_not_charged() -> None:
    """It comes back with its money, and its next boundary is ahead on its old rhythm."""
    world = small_world()
    before = world.find("web-1")
    world.vanish("web-1")
    world.advance(NOW + 5 * EPOCH)
    with pytest.raises(UnknownError):
        world.owned(before.id)
    world.bring_back("web-1")
    after = world.find("web-1")
    assert (before.reserved, before.spent) == (after.reserved, after.spent)
    assert timedelta(0) == (after.next_billing_at - before.next_billing_at) % EPOCH
    assert world.now <= after.next_billing_at < world.now + EPOCH


def test_a_price_holds_from_the_next_boundary() -> None:
    """The old reserve pays the new price if it can; the top-up goes to the new one."""
    world = small_world()
    world.set_price("web-1", MicroUsdc(300_000))
    assert after_boundary(world, "web-1").reserved == PRICE - 300_000
    world.advance(world.now + timedelta(seconds=30))
    assert world.find("web-1").reserved == 300_000


def test_ports_are_a_sorted_set() -> None:
    """Opening twice is opening once, and closing what is not open is nothing."""
    world = small_world()
    vm_id = world.find("ci-3").id.swapcase().replace("0X", "0x")
    world.open_port(vm_id, port(9000))
    world.open_port(vm_id, port(80))
    world.open_port(vm_id, port(80))
    world.close_port(vm_id, port(443))
    assert (SSH, port(80), port(9000)) == world.find("ci-3").ports


@pytest.mark.parametrize(
    "refused",
    [
        lambda w: w.update(w.find("web-1").id, ports=[port(10_250)]),
        lambda w: w.update(w.find("web-1").id, ports=[Port(10_000, 11_000, "udp")]),
        lambda w: w.update(w.find("web-1").id, ports=[port(80, "quic")]),
        lambda w: w.update(w.find("web-1").id, name="  "),
        lambda w: w.refill(MicroUsdc(0)),
        lambda w: w.set_price("web-1", MicroUsdc(-1)),
        lambda w: w.set_boundary("web-1", w.now),
        lambda w: w.add_ssh_key("key", "ssh-ed25519 AAAA"),
    ],
)
def test_what_is_refused_changes_nothing(refused) -> None:  # noqa: ANN001 - a callable of a world
    world = small_world()
    with pytest.raises(RefusedError):
        refused(world)
    assert small_world() == world


def test_a_terminated_vm_cannot_be_updated() -> None:
    """There is nothing left to rename."""
    world = small_world()
    world.terminate("web-1")
    with pytest.raises(RefusedError, match="terminated"):
        world.update(world.find("web-1").id, name="late")
