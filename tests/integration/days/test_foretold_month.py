"""A month in each way of billing: what was foretold is compared with the simulator's own books.

The client speaks to the simulated API, and an account is polled every six hours.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import pytest

from fluence_watch.app.decide import Policy
from fluence_watch.app.poll import fetch
from fluence_watch.fluence import ClientConfig, FluenceClient, Kind
from fluence_watch.model.billing import HOURS
from fluence_watch.model.debt import Removal, removal_in
from fluence_watch.model.forecast import account_forecast
from fluence_watch.model.funding import (
    account_funded_until,
    cost_until,
    funded_until,
    resources_burn,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import month_end
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.simulator import SettableClock, World, build_world, create_app
from fluence_watch.simulator.actions import AddAddress, AddDisk
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu
from fluence_watch.simulator.machine import State
from fluence_watch.simulator.rental import RentalKind

KEY = "k"
BEGIN = datetime(2026, 4, 1, 0, 0, tzinfo=UTC)  # April has 30 days
DAY, POLL = timedelta(days=1), timedelta(hours=6)
POLLS = 30 * DAY // POLL
USDC = 1_000_000


class Month:
    """A world with a client, polled over a month."""

    def __init__(self, policy: Policy, dialect: str, **world: object) -> None:
        self.policy = policy
        self.clock = SettableClock(BEGIN)
        self.world: World = build_world(seed=5, now=BEGIN, epoch=DAY, api_key=KEY, **world)
        transport = httpx.ASGITransport(create_app(self.world, self.clock, dialect=dialect))
        config = ClientConfig(KEY, "http://simulator", dialect=dialect, timeout=30.0, gpu=True)
        self.client = FluenceClient(config, now=self.clock, transport=transport)

    async def poll(self) -> Snapshot:
        """What is seen now."""
        outcome = await fetch(self.client, self.policy, self.clock)
        assert isinstance(outcome, Snapshot)
        assert outcome.complete
        return outcome

    async def polls(self, happens: Callable[[int], None] = lambda _: None) -> list[Snapshot]:
        """A poll every six hours; `happens` may change the world after the poll of that number."""
        seen = []
        async with self.client:
            for number in range(POLLS + 1):
                self.clock.set(BEGIN + number * POLL)
                seen.append(await self.poll())
                happens(number)
        return seen


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_epochs(policy: Policy, dialect: str) -> None:
    """Each VM is charged its price at each boundary, and dies at the one that was foretold."""
    month = Month(policy, dialect, vms=4)
    doomed, *others = (machine.id for machine in month.world.listed())
    for vm_id in (doomed, others[0]):
        month.world.drain(vm_id)
    month.world.set_price(others[0], MicroUsdc(1))  # its reserve lasts longer than the month
    first, *_ = seen = await month.polls()

    spent = {key: vm.spent for key, vm in first.vms.items()}
    for vm_id in others[1:]:
        machine = month.world.find(vm_id)
        last = seen[-1].vms[vm_id.lower()]
        assert last.spent is not None
        assert machine.spent == last.spent
        assert 30 * machine.price == last.spent - (spent[last.key] or 0)
    listed = [each for each in seen if _is_alive(each, doomed)]
    foretold = {funded_until(each.vms[doomed.lower()]) for each in listed}
    ended_at = month.world.find(doomed).state_changed_at
    assert {ended_at.replace(microsecond=0)} == {at.replace(microsecond=0) for at in foretold if at}
    assert POLL >= ended_at - listed[-1].taken_at > timedelta(0)
    assert _is_alive(seen[-1], others[0])


def _is_alive(snapshot: Snapshot, vm_id: str) -> bool:
    vm = snapshot.vms.get(vm_id.lower())
    return vm is not None and vm.is_billed


@pytest.fixture
def metered(policy: Policy) -> Month:
    """Two VMs that pay every second; a disk that no VM uses, and an address."""
    month = Month(policy, "cloud", vms=2, balance=MicroUsdc(12 * USDC), metered=True)
    for machine in month.world.listed():
        month.world.set_price(machine.id, MicroUsdc(240_000))
    AddDisk("archive", price=120_000).apply(month.world)
    AddAddress("spare", price=48_000).apply(month.world)
    return month


async def test_what_a_metered_month_costs(metered: Month) -> None:
    """The burn of each poll is what the balance loses until the next."""
    metered.world.refill(MicroUsdc(1_000 * USDC))
    seen = await metered.polls()

    for before, after in pairwise(seen):
        assert before.balance
        assert after.balance
        burn = account_forecast(
            before.vms.values(), before.taken_at, metered.policy.billing_of(before),
            before.resources.values(),
        ).burn_per_day  # fmt: skip
        lost = before.balance.balance - after.balance.balance
        assert abs(lost - burn * (POLL / DAY)) <= 1
    first = seen[0]
    ahead = account_forecast(
        first.vms.values(), BEGIN, metered.policy.billing_of(first), first.resources.values()
    )
    assert first.balance
    assert seen[-1].balance
    assert abs(first.balance.balance - seen[-1].balance.balance - ahead.to_month_end) <= 1


async def test_a_metered_account_that_is_not_topped_up(metered: Month) -> None:
    """When the balance ends, VMs and addresses go, and disks go: all foretold within one poll."""
    ends: dict[str, datetime] = {}
    world = metered.world

    def look(number: int) -> None:
        now = BEGIN + number * POLL
        kinds = {rental.kind for rental in world.rentals.values()}
        alive = any(machine.state is State.ACTIVE for machine in world.listed())
        for name, over in (
            ("balance", world.balance <= 0),
            ("vms", not alive),
            ("addresses", RentalKind.ADDRESS not in kinds),
            ("disks", RentalKind.DISK not in kinds),
        ):
            if over:
                ends.setdefault(name, now)

    seen = await metered.polls(look)
    owed_since: datetime | None = None
    for snapshot in seen:
        assert snapshot.balance
        removal = removal_in(snapshot, metered.policy.billing_of(snapshot), owed_since)
        assert removal
        if snapshot.balance.balance < 0:
            owed_since = owed_since or snapshot.taken_at
        else:
            until = account_funded_until(
                snapshot.balance.balance, snapshot.vms.values(), snapshot.taken_at,
                metered.policy.billing_of(snapshot), snapshot.resources.values(),
            )  # fmt: skip
            assert until
            assert timedelta(0) <= ends["balance"] - until <= POLL
        _assert_foretold(removal, snapshot, ends)


def _assert_foretold(removal: Removal, snapshot: Snapshot, ends: dict[str, datetime]) -> None:
    """What still is there ends when it was said, at most a poll earlier: a debt is seen late."""
    kinds = {each.kind for each in snapshot.resources.values()}
    for name, said, there in (
        ("vms", removal.vms_at, bool(snapshot.vms)),
        ("addresses", removal.of(Kind.PUBLIC_IP), Kind.PUBLIC_IP in kinds),
        ("disks", removal.of(Kind.DISK), Kind.DISK in kinds),
    ):
        if there:
            assert abs(ends[name] - said) <= POLL, (name, snapshot.taken_at)


async def test_hours(policy: Policy) -> None:
    """GPU instances are charged each hour of the clock, and one dies when it was foretold."""
    month = Month(policy, "v2", vms=0, balance=MicroUsdc(10_000 * USDC))
    for name in ("kept", "doomed"):
        AddGpu(name, price=1_220_000).apply(month.world)

    def happens(number: int) -> None:
        if number == POLLS // 2:
            SetGpu("doomed", drained=True).apply(month.world)

    seen = await month.polls(happens)
    kept, doomed = (
        next(g for g in month.world.gpus.values() if g.name == n) for n in ("kept", "doomed")
    )
    of_kept = [each.resources[f"gpu_container:{kept.id}"] for each in seen]
    for before, after in pairwise(of_kept):
        assert before.spent is not None
        assert resources_burn([before]) * POLL // DAY == (after.spent or 0) - before.spent
    ahead = cost_until(of_kept[0], BEGIN, month_end(BEGIN), HOURS)
    # the month ends at a boundary, which is charged in the next one
    assert ahead == (of_kept[-1].spent or 0) - (of_kept[0].spent or 0) - kept.price
    listed = [each.resources[f"gpu_container:{doomed.id}"] for each in seen]
    alive = [each for each in listed if each.is_billed]
    until = funded_until(alive[-1], HOURS)
    assert until == doomed.changed_at
    assert POLLS // 2 + 1 == len(alive)
    assert listed[-1].spent == doomed.spent
    assert not listed[-1].reserved
