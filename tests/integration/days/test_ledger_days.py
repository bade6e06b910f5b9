"""Days of a prepaid account against the simulator's own books: what the ledger has of them."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from fluence_watch.app.decide import Context, Policy, decide
from fluence_watch.app.poll import fetch
from fluence_watch.model.ledger import Certainty, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note, NoteAction
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu
from fluence_watch.store import Store
from tests.unit.app.ledger_account import BEGIN, CHARGES, DAY, EVER, HOUR, MINUTE, USDC, Account


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_prepaid_vms(policy: Policy, store: Store, dialect: str) -> None:
    """Each boundary on its day, to the micro-USDC; a gap of two days, a kill and a new VM included."""
    account = Account(policy, store, dialect)
    machines = account.world.listed()
    opening = {machine.id: machine.spent for machine in machines}
    await account.polls(BEGIN + DAY)
    account.connect()
    account.clock.set(account.clock() + 2 * DAY)
    await account.polls(BEGIN + 4 * DAY)
    account.world.set_price(machines[0].id, MicroUsdc(200_000))
    account.world.advance(account.clock())
    fresh = account.world.deploy("fresh")
    await account.polls(BEGIN + 6 * DAY)

    for machine in account.world.listed():
        found = store.entries("main", machine.id.lower())
        assert machine.spent == sum(e.amount for e in found if e.kind in CHARGES)
        charges = [e for e in found if e.kind is EntryKind.CHARGE]
        assert machine.spent - opening.get(machine.id, 0) == sum(e.amount for e in charges)
        assert {Certainty.EXACT} == {e.certainty for e in charges}
        boundaries = {e.at.time().replace(microsecond=0) for e in charges}
        assert 1 == len(boundaries)
    assert {"fresh"} <= {each.name for each in store.costs(BEGIN.date(), date(2027, 1, 1))}
    assert fresh.created_at.date() in account.by_day()
    total = sum(m.spent for m in account.world.listed()) - sum(opening.values())
    assert total == account.by_day("vm").total()


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_a_vm_that_the_list_shows_late(policy: Policy, store: Store, dialect: str) -> None:
    """Its first charges are what they are: charges, at their times."""
    account = Account(policy, store, dialect)
    await account.polls(BEGIN + DAY, HOUR)
    late = account.world.deploy("late")
    account.hidden.add(late.key)
    await account.polls(BEGIN + 3 * DAY, HOUR)
    account.hidden.clear()
    await account.polls(BEGIN + 5 * DAY, HOUR)
    spent = account.world.find(late.id).spent
    found = [e for e in store.entries("main", late.key) if e.kind in CHARGES]
    assert {(EntryKind.CHARGE, Certainty.EXACT)} == {(e.kind, e.certainty) for e in found}
    assert spent == sum(e.amount for e in found) == store.charged("main")[late.key]
    assert late.created_at.date() == found[0].at.date()


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_a_vm_that_is_back_after_it_was_forgotten(
    policy: Policy, store: Store, dialect: str
) -> None:
    """What it was charged meanwhile is charged on those days, and nothing is charged twice."""
    account = Account(policy, store, dialect)
    machine = account.world.listed()[0]
    opening = machine.spent
    await account.polls(BEGIN + 2 * DAY, HOUR)
    account.hidden.add(machine.key)
    await account.polls(BEGIN + 12 * DAY, 2 * HOUR)
    assert machine.key not in account.kept.state.known
    account.hidden.clear()
    store.prune_ledger(account.clock() - DAY)
    await account.polls(BEGIN + 14 * DAY, HOUR)
    days = {c.day: c.amount for c in store.costs(*EVER) if c.key == machine.key}
    spent = account.world.find(machine.id).spent
    assert spent - opening == sum(days.values()) == store.charged("main")[machine.key]
    assert {machine.price} == set(days.values())
    assert 14 == len(days)


async def test_a_total_that_dips_over_the_end_of_a_month(policy: Policy, store: Store) -> None:
    """It is back at the next poll: neither month has anything of it."""
    account = Account(policy, store, "v2")
    await account.polls(BEGIN + 2 * DAY, HOUR)
    account.clock.set(datetime(2026, 4, 30, 23, 55, tzinfo=UTC))
    await account.poll()
    machine, days = account.world.listed()[0], account.by_day("vm")
    account.world.put(replace(machine, spent=MicroUsdc(machine.spent - 100)))
    account.clock.set(account.clock() + MINUTE)
    await account.poll()
    assert 100 == days.total() - account.by_day("vm").total()
    account.world.put(machine)
    account.clock.set(account.clock() + 9 * MINUTE)
    await account.poll()
    assert days == account.by_day("vm")
    assert machine.spent == sum(
        e.amount for e in store.entries("main", machine.key) if e.kind in CHARGES
    )


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_a_vm_that_its_user_deletes(policy: Policy, store: Store, dialect: str) -> None:
    """Its reserve returns once; a list that still has it later does not make its total twice as much."""
    account = Account(policy, store, dialect)
    await account.polls(BEGIN + DAY, HOUR)
    machine = account.world.listed()[0]
    key, opening = machine.key, store.entries("main", machine.key)[0].amount
    before, days = account.world.balance, account.by_day("vm")
    account.world.delete(machine.id)
    note = Note(1, account.clock(), NoteAction.REMOVED, key)
    outcome = await fetch(account.client, policy, account.clock)
    account.kept.change(lambda state: decide(state, outcome, policy, Context([note])))
    await account.poll()
    (released,) = [e for e in store.entries("main", key) if e.kind is EntryKind.RELEASE]
    assert account.world.balance - before == released.amount
    assert (account.clock(), Certainty.SPREAD) == (released.at, released.certainty)

    account.world.machines[key] = machine
    await account.poll()
    account.connect()
    await account.polls(BEGIN + 3 * DAY, HOUR)
    spent = account.world.find(machine.id).spent
    found = store.entries("main", key)
    assert spent == sum(e.amount for e in found if e.kind in CHARGES)
    assert 1 == len([e for e in found if e.kind is EntryKind.RELEASE])
    assert opening == next(e.amount for e in found if e.kind is EntryKind.OPENING)
    assert days <= account.by_day("vm")


async def test_gpu_instances(policy: Policy, store: Store) -> None:
    """Hours of the clock, also those of an instance that ended."""
    account = Account(policy, store, "v2")
    AddGpu("trainer", GpuKind.VM, price=USDC).apply(account.world)
    await account.polls(BEGIN + 5 * HOUR, 10 * MINUTE)
    (gpu,) = account.world.gpus.values()
    key = f"gpu_vm:{gpu.id}"
    spent = sum(e.amount for e in store.entries("main", key) if e.kind in CHARGES)
    assert 6 * USDC == gpu.spent == spent
    assert "trainer" in {each.name for each in store.costs(BEGIN.date(), date(2027, 1, 1))}


async def test_entries_are_pruned_and_days_stay(policy: Policy, store: Store) -> None:
    """By the time that they are about. What was spent before stays too."""
    account = Account(policy, store, "v2")
    await account.polls(BEGIN + 3 * DAY, HOUR)
    key, days = account.world.listed()[0].id.lower(), account.by_day()
    late, opening = BEGIN + 2 * DAY, EntryKind.OPENING
    kept = [e for e in store.entries("main", key) if e.at >= late or e.kind is opening]
    assert store.prune_ledger(BEGIN + 2 * DAY)
    assert kept == store.entries("main", key)
    assert days == account.by_day()
