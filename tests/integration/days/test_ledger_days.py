"""Days of an account against the simulator's own books: what the ledger in the store has of them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from fluence_watch.app.decide import Policy, decide
from fluence_watch.app.kept import Kept
from fluence_watch.app.poll import fetch
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.account import NotReported
from fluence_watch.model.charge import Charge
from fluence_watch.model.ledger import Certainty, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import Rented, month_ahead
from fluence_watch.model.note import Note, NoteAction
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.simulator import SettableClock, World, build_world, create_app
from fluence_watch.simulator.actions import AddDisk
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu
from fluence_watch.simulator.market_actions import Bill
from fluence_watch.store import Store

BEGIN = datetime(2026, 4, 1, 20, 10, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
USDC = 1_000_000
EVER = date(2026, 1, 1), date(2027, 1, 1)
CHARGES = {EntryKind.CHARGE, EntryKind.OPENING, EntryKind.ADJUSTMENT}


class Account:
    """An account of a simulated world that is polled into a store; time passes as told."""

    def __init__(self, policy: Policy, store: Store, dialect: str) -> None:
        self.policy, self.store, self.dialect = policy, store, dialect
        self.clock = SettableClock(BEGIN)
        self.hidden: set[str] = set()  # in no list, and charged all the same
        self.world: World = build_world(
            seed=5, vms=4, now=BEGIN, epoch=DAY, api_key="k", balance=MicroUsdc(9_000 * USDC),
            metered=dialect == "cloud",
        )  # fmt: skip
        for machine in self.world.listed() if dialect == "cloud" else ():
            self.world.set_price(machine.id, MicroUsdc(4_800_000))
        self.connect()

    def connect(self) -> None:
        """Start anew, as after a kill: what is known is what is stored."""
        app = create_app(self.world, self.clock, dialect=self.dialect)
        config = ClientConfig("k", "http://simulator", dialect=self.dialect, timeout=5.0, gpu=True)
        transport = httpx.ASGITransport(app)
        self.client = FluenceClient(config, now=self.clock, transport=transport)
        self.kept = Kept(self.store, "main", self.store.load("main"))

    async def poll(self) -> None:
        """Poll once."""
        outcome = await fetch(self.client, self.policy, self.clock)
        assert isinstance(outcome, Snapshot)
        listed = {key: vm for key, vm in outcome.vms.items() if key not in self.hidden}
        seen = replace(outcome, vms=listed)
        self.kept.change(lambda state: decide(state, seen, self.policy))

    async def polls(self, until: datetime, step: timedelta = HOUR / 2) -> None:
        """Poll until then."""
        while self.clock() < until:
            await self.poll()
            self.clock.set(self.clock() + step)

    def by_day(self, kind: str | None = None) -> Counter[date]:
        """What the store has of each day."""
        costs: Counter[date] = Counter()
        for each in self.store.costs(*EVER):
            if kind in {None, each.kind}:
                costs[each.day] += each.amount
        return costs


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


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
    account.kept.change(lambda state: decide(state, outcome, policy, [note]))
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


async def test_a_metered_account(policy: Policy, store: Store) -> None:
    """Its days are estimated to the micro-USDC, and then what the API charged."""
    account = Account(policy, store, "cloud")
    await account.polls(BEGIN + 2 * DAY, HOUR)
    books = _books(account)
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
    assert abs(_books(account)[lively] - account.by_day()[lively]) < USDC // 2
    account.clock.set(account.clock() + 2 * DAY)
    await account.polls(BEGIN + 6 * DAY, HOUR)
    settled_day = account.store.load("main").state.settled_day
    assert settled_day
    assert abs(_books(account)[settled_day] - account.by_day()[settled_day]) <= 20


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
    assert abs(2 * _books(account)[day] - account.by_day()[day]) <= 20
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
    assert abs(_books(account)[day] - account.by_day()[day]) <= 20
    await account.polls(BEGIN + DAY + 14 * HOUR, HOUR)
    assert {Certainty.EXACT} == {e.certainty for e in store.costs(day, day)}
    assert _books(account)[day] == account.by_day()[day]


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


def _books(account: Account) -> Counter[date]:
    """What the world charged by day, in micro-USDC."""
    ticks = account.world.epoch // timedelta(microseconds=1)
    units: Counter[date] = Counter()
    for entry, cost in account.world.meter.charged.items():
        units[entry.day] += cost
    return Counter({day: cost // ticks for day, cost in units.items()})
