"""Days of a metered account against the simulator's own books, and what is the same for all accounts."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest

from fluence_watch.app.decide import Policy, decide
from fluence_watch.app.poll import fetch
from fluence_watch.fluence import FluenceClient
from fluence_watch.model.account import NotReported
from fluence_watch.model.charge import Charge
from fluence_watch.model.ledger import Certainty
from fluence_watch.model.month import Rented, month_ahead
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.simulator.actions import AddDisk
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu
from fluence_watch.simulator.market_actions import Bill
from fluence_watch.store import Store
from tests.unit.app.ledger_account import BEGIN, DAY, HOUR, USDC, Account


async def test_a_metered_account(policy: Policy, store: Store) -> None:
    """Its days are estimated to the micro-USDC, and then what the API charged."""
    account = Account(policy, store, "cloud")
    await account.polls(BEGIN + 2 * DAY, HOUR)
    books = account.books
    today, first = account.clock().date(), (BEGIN + DAY).date()
    for day in (first,):
        assert books[day] == account.by_day()[day]
    settled = {e.certainty for e in store.costs(first, first)}
    assert {Certainty.EXACT} == settled
    assert {Certainty.ESTIMATED} == {e.certainty for e in store.costs(today, today)}
    assert [] == store.entries("main", "disk:x")

    AddDisk("archive", price=10 * USDC).apply(account.world)
    account.world.delete(account.world.listed()[0].id)
    account.connect()
    await account.polls(BEGIN + 3 * DAY, HOUR)
    lively = (BEGIN + 2 * DAY).date()
    assert abs(account.books[lively] - account.by_day()[lively]) < USDC // 2
    account.clock.set(account.clock() + 2 * DAY)
    await account.polls(BEGIN + 6 * DAY, HOUR)
    settled_day = account.store.load("main").state.settled_day
    assert settled_day
    assert abs(account.books[settled_day] - account.by_day()[settled_day]) <= 20


async def test_what_the_api_charged_replaces_what_was_estimated(
    policy: Policy, store: Store
) -> None:
    """A bill that names twice as much is what was paid."""
    account = Account(policy, store, "cloud")
    Bill(percent=200).apply(account.world)
    day = (BEGIN + DAY).date()
    await account.polls(BEGIN + DAY + 3 * HOUR)
    before = account.by_day()[day]
    await account.polls(BEGIN + DAY + 11 * HOUR)
    assert abs(2 * account.books[day] - account.by_day()[day]) <= 20
    assert before < account.by_day()[day]


async def test_charges_that_the_api_tells_late(policy: Policy, store: Store) -> None:
    """What is not in the first list of a day is estimated until its list is whole; then it is exact."""
    account = Account(policy, store, "cloud")
    day = (BEGIN + DAY).date()
    whole = FluenceClient.charges

    async def half(client: FluenceClient, *days: date) -> tuple[Charge, ...] | NotReported:
        found = await whole(client, *days)
        assert not isinstance(found, NotReported)
        return tuple(each for each in found if not each.key or each.key[0] in "01234567")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FluenceClient, "charges", half)
        await account.polls(BEGIN + DAY + 12 * HOUR, HOUR)
    first = {e.certainty for e in store.costs(day, day)}
    assert {Certainty.EXACT, Certainty.ESTIMATED} == first
    assert abs(account.books[day] - account.by_day()[day]) <= 20
    await account.polls(BEGIN + DAY + 14 * HOUR, HOUR)
    assert {Certainty.EXACT} == {e.certainty for e in store.costs(day, day)}
    assert account.books[day] == account.by_day()[day]


@pytest.mark.parametrize("dialect", ["v2", "v3", "cloud"])
async def test_what_was_charged_in_all(policy: Policy, store: Store, dialect: str) -> None:
    """It never falls: not over a bill of half, a gap, restarts, a VM that is gone, one that is back."""
    account = Account(policy, store, dialect)
    Bill(percent=50).apply(account.world)
    gone, hidden, *_ = account.world.listed()
    events = {
        30: lambda: account.world.delete(gone.id),
        40: account.connect,
        50: lambda: account.clock.set(account.clock() + 10 * HOUR),
        62: lambda: account.world.vanish(hidden.id),
        70: lambda: account.world.bring_back(hidden.id),
        80: account.connect,
    }
    charged = account.kept.charged()
    while (hour := (account.clock() - BEGIN) // HOUR) < 96:
        events.pop(hour, lambda: None)()
        await account.poll()
        before, charged = charged, account.kept.charged()
        assert all(charged[key] >= amount for key, amount in before.items())
        account.clock.set(account.clock() + HOUR)
    assert {} == events
    days = Counter(dict.fromkeys(charged, 0))
    for cost in store.costs(BEGIN.date(), account.clock().date()):
        days[cost.key] += cost.amount
    assert charged == store.charged("main")
    for machine in (gone, hidden):
        assert charged[machine.uuid if dialect == "cloud" else machine.id.lower()]
    assert all(charged[key] >= amount for key, amount in days.items())
    assert (dialect == "cloud") == (charged != days)


@pytest.mark.parametrize("dialect", ["v2", "v3", "cloud"])
async def test_the_forecast_of_a_month(policy: Policy, store: Store, dialect: str) -> None:
    """On its ninth day it foretells what the ledger has of it at its end, if nothing changes."""
    account = Account(policy, store, dialect)
    AddGpu("trainer", GpuKind.VM, price=USDC // 10).apply(account.world)
    await account.polls(BEGIN + 8 * DAY, 8 * HOUR)
    outcome = await fetch(account.client, policy, account.clock)
    assert isinstance(outcome, Snapshot)
    account.kept.change(lambda state: decide(state, outcome, policy))
    vms, rented, now = outcome.vms.values(), outcome.resources.values(), outcome.taken_at
    counted_at = account.kept.state.counted_at
    ahead = month_ahead(Rented(vms, rented, policy.billing_of(outcome), counted_at), now).whole
    assert ahead
    foretold = account.kept.charged_since(date(2026, 4, 1)) + ahead

    await account.polls(datetime(2026, 5, 1, 20, tzinfo=UTC), 8 * HOUR)
    april = sum(cost.amount for cost in store.costs(date(2026, 4, 1), date(2026, 4, 30)))
    assert abs(foretold - april) <= 500
    assert april > foretold - ahead


@pytest.mark.parametrize("dialect", ["v3", "cloud"])
async def test_the_balances_of_each_day(policy: Policy, store: Store, dialect: str) -> None:
    """The last of the day: of the account where the API tells it, and of each VM that has a reserve."""
    account = Account(policy, store, dialect)
    seen: dict[tuple[str | None, date], int] = {}
    for machine in account.world.listed()[:1]:
        account.world.drain(machine.id)
    while account.clock() < BEGIN + 3 * DAY:
        await account.poll()
        today = account.clock().date()
        for key, entry in account.kept.state.known.items():
            if entry.vm.reserved is not None:
                seen[key, today] = entry.vm.reserved
        if account.kept.state.balance is not None:
            seen[None, today] = account.kept.state.balance
        account.clock.set(account.clock() + HOUR)
    found = {
        (each.key, each.day): each.amount
        for each in store.balances("main", BEGIN.date(), (BEGIN + 3 * DAY).date())
    }
    assert found
    assert found.items() <= seen.items()
    assert {key for key, _ in seen} == {key for key, _ in found}
    moved = {
        key for (key, day), amount in seen.items() if seen.get((key, day - DAY), amount) != amount
    }
    assert all((key, day) in found for key, day in seen if key in moved and day == BEGIN.date())
    assert (None in moved) == (dialect == "cloud")
