"""Days of prepaid accounts through the client: which charges are unexpected, and which VMs new."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fluence_watch.alerting import lifecycle
from fluence_watch.app.decide import Policy, decide
from fluence_watch.app.poll import fetch
from fluence_watch.model.finding import Fingerprint
from fluence_watch.rules.unexpected_charge import UnexpectedCharge
from fluence_watch.simulator.actions import (
    Action,
    BringBack,
    Drain,
    Mend,
    SetBoundary,
    SetPrice,
    SetState,
    Vanish,
)
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.market_actions import Overcharge
from fluence_watch.store import Store
from tests.integration.days.test_ledger_days import BEGIN, DAY, HOUR, MINUTE, Account

WATCHED = {"unexpected_charge", "vm_appeared", "locked_funds"}


class Judged(Account):
    """An account whose findings and alerts by the rules on charges are kept."""

    def __init__(self, policy: Policy, store: Store, dialect: str) -> None:
        super().__init__(policy, store, dialect)
        self.found: set[Fingerprint] = set()
        self.fired: dict[Fingerprint, object] = {}

    async def poll(self) -> None:
        """Poll once, and keep what is found."""
        outcome = await fetch(self.client, self.policy, self.clock)
        decision = self.kept.change(lambda state: decide(state, outcome, self.policy))
        self.found |= {each for each in decision.verdict.findings if each.rule in WATCHED}
        for key, alert in decision.after.alerts.items():
            if key.rule in WATCHED and alert.state is lifecycle.State.FIRING:
                self.fired[key] = alert.facts

    def now(self) -> None:
        """Let the world catch up with the clock."""
        self.world.advance(self.clock())

    async def to_boundary(self, machine: Machine) -> None:
        """Poll until just before the VM's next boundary, and let it pass."""
        due = self.world.find(machine.id).next_billing_at
        self.clock.set(max(self.clock(), due - MINUTE))
        await self.poll()
        self.clock.set(due + MINUTE / 2)
        self.now()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


EVENTS: dict[int, tuple[Action, ...]] = {  # of a month, by day
    3: (SetPrice("web-1", 250_000), SetPrice("db-2", 1)),
    7: (SetPrice("web-1", 410_000), Mend()),
    9: (Vanish("db-2"),),
    12: (BringBack("db-2"), SetPrice("web-1", 0)),
    15: (SetState("ci-3", State.STOPPED), SetPrice("web-1", 300_000), Mend()),
    18: (SetState("ci-3", State.ACTIVE), SetPrice("db-2", 500_000), Mend()),
    20: (SetBoundary("web-1", 5 * 3600), SetBoundary("ci-3", 23 * 3600)),
    22: (Drain("api-4"), SetBoundary("db-2", 40 * 3600)),
    26: (SetPrice("web-1", 600_000), Mend()),
}


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_a_healthy_month(policy: Policy, store: Store, dialect: str) -> None:
    """Whatever happens to prices, VMs and polls, over gaps and kills: nothing is charged wrongly."""
    account = Judged(policy, store, dialect)
    gaps = {2: 2 * DAY, 16: 3 * DAY, 23: DAY}
    for day in range(30):
        if day % 5 == 1:
            account.connect()
        account.clock.set(account.clock() + gaps.get(day, timedelta(0)))
        account.now()
        for action in EVENTS.get(day, ()):
            action.apply(account.world)
        account.world.advance(account.clock() + MINUTE)
        await account.polls(BEGIN + (day + 1) * DAY, 2 * HOUR)
    states = Counter(machine.state for machine in account.world.listed())
    assert {State.ACTIVE: 3, State.TERMINATED: 1} == states
    assert {"locked_funds"} >= {each.rule for each in account.found}


@pytest.mark.parametrize(("dialect", "times"), [("v2", 2), ("v2", 0), ("v3", 5), ("v3", 0)])
async def test_an_odd_charge(policy: Policy, store: Store, dialect: str, times: int) -> None:
    """A boundary that charges several times or not at all is notified once, over a kill and days."""
    account = Judged(policy, store, dialect)
    await account.polls(BEGIN + DAY + HOUR, 2 * HOUR)
    machine = account.world.listed()[2]
    await account.to_boundary(machine)
    Overcharge(machine.id, (times - 1) * machine.price).apply(account.world)
    await account.polls(account.clock() + HOUR, 5 * MINUTE)
    ((fingerprint, facts),) = account.fired.items()
    assert machine.key == fingerprint.subject
    assert isinstance(facts, UnexpectedCharge)
    assert (1, times) == (facts.boundaries, facts.times)
    assert (times - 1) * machine.price == facts.difference

    account.connect()
    await account.polls(account.clock() + 3 * DAY, 3 * HOUR)
    assert {fingerprint} == account.fired.keys()
    assert fingerprint not in account.kept.state.alerts


async def test_a_charge_without_a_boundary_and_its_refund(policy: Policy, store: Store) -> None:
    """It is notified once; what is given back in time is not."""
    account = Judged(policy, store, "v2")
    await account.polls(BEGIN + 2 * HOUR)
    one, two = sorted(account.world.listed(), key=lambda each: each.next_billing_at)[-2:]
    for machine in (one, two):
        account.now()
        Overcharge(machine.id, machine.price).apply(account.world)
    await account.polls(account.clock() + 10 * MINUTE, 5 * MINUTE)
    Overcharge(two.id, -two.price).apply(account.world)
    await account.polls(account.clock() + HOUR, 5 * MINUTE)
    ((fingerprint, facts),) = account.fired.items()
    assert one.key == fingerprint.subject
    assert isinstance(facts, UnexpectedCharge)
    assert (0, 0, one.price) == (facts.boundaries, facts.high, facts.charged)


@pytest.mark.parametrize("dialect", ["v2", "v3", "cloud"])
async def test_new_vms_and_ended_ones(policy: Policy, store: Store, dialect: str) -> None:
    """A new VM is found once, in the poll that sees it first; an ended one after a day, if it is listed."""
    account = Judged(policy, store, dialect)
    await account.polls(BEGIN + HOUR)
    assert {} == account.fired
    account.now()
    fresh = account.world.deploy("fresh")
    await account.polls(account.clock() + DAY, 2 * HOUR)
    assert ["vm_appeared"] == [each.rule for each in account.fired]
    account.world.terminate(fresh.id)
    ended_at = account.clock()
    await account.polls(ended_at + DAY - HOUR, 2 * HOUR)
    assert ["vm_appeared"] == [each.rule for each in account.fired]
    await account.polls(ended_at + DAY + 4 * HOUR, 2 * HOUR)
    rules = ["vm_appeared", "locked_funds"] if dialect == "v3" else ["vm_appeared"]
    assert rules == [each.rule for each in account.fired]
