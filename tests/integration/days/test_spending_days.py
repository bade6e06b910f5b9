"""Sixty days of simulated accounts in each way of billing: a healthy one is never odd, a doubled one once."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from fluence_watch.alerting.matching import Route
from fluence_watch.app.decide import Context, Policy, decide
from fluence_watch.app.kept import Kept
from fluence_watch.app.poll import Watch
from fluence_watch.app.polled import Polled
from fluence_watch.errors import StoreError
from fluence_watch.fluence import FluenceClient
from fluence_watch.model.billing import EPOCHS, HOURS, METERED, Billing
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Snapshot, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules import spend_anomaly
from fluence_watch.rules.spend_anomaly import SpendAnomaly
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.unit.app.hearing import Listeners

BEGIN = datetime(2026, 2, 1, 7, 20, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USDC = 1_000_000
STEP = 3 * HOUR
ROUTE = Route("ops", rules=(spend_anomaly.NAME,))

Say = list[tuple[int, bool]]
"""The days on which something was said, and whether it fires."""


@dataclass
class Rented:
    """A VM as the API bills it: prepaid at its boundaries, or per second."""

    name: str
    price: int
    since: datetime
    spent: int = 0
    paid_until: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.paid_until = self.since

    def pay(self, now: datetime, period: timedelta) -> None:
        """Charge what came due."""
        while self.paid_until <= now:
            self.spent += self.price
            self.paid_until += period

    def seen(self, billing: Billing) -> Vm:
        """As a poll lists it."""
        return Vm(
            id=self.name, name=self.name, status=Status.ACTIVE, status_word="ACTIVE",
            price=MicroUsdc(self.price), created_at=self.since,
            reserved=MicroUsdc(2 * self.price) if billing.prepaid else None,
            spent=MicroUsdc(self.spent) if billing.prepaid else None,
            next_billing_at=self.paid_until if billing.prepaid else None,
        )  # fmt: skip


class Fleet:
    """An account with twenty VMs, and a GPU instance, that is polled into a store."""

    def __init__(self, policy: Policy, store: Store, billing: Billing) -> None:
        rules = {
            name: settings.model_copy(update={"enabled": name == spend_anomaly.NAME})
            for name, settings in policy.rules.items()
        }
        self.policy = replace(policy, rules=rules)
        self.kept = Kept(store, "main", store.load("main"))
        self.store, self.billing = store, billing
        self.random, self.listeners = Random(7), Listeners()
        self.now, self.said = BEGIN, Say()
        self.price = USDC if billing.prepaid else USDC // 24
        self.rented = [self.make(f"vm-{n}", BEGIN - n * HOUR - 2 * DAY) for n in range(20)]
        self.gpu = Rented("gpu", USDC // 10, BEGIN.replace(minute=0))

    def make(self, name: str, since: datetime) -> Rented:
        """A VM whose price is about that of the others."""
        return Rented(name, self.price * self.random.randint(80, 120) // 100, since)

    def deploy(self, number: int) -> None:
        """New VMs, at some minute since the last poll."""
        for _ in range(number):
            minutes = timedelta(minutes=self.random.randint(1, 170))
            name = f"vm-{self.random.getrandbits(40):x}"
            self.rented.append(self.make(name, self.now - minutes))

    def delete(self, number: int) -> None:
        """Delete the oldest ones."""
        del self.rented[:number]

    def spending(self, now: datetime) -> object:
        """What a poll reads of the ledger."""
        settings = self.policy.rules[spend_anomaly.NAME]
        assert isinstance(settings, spend_anomaly.SpendAnomalySettings)
        return self.kept.spending(now, lambda found: spend_anomaly.is_odd(found, settings))

    def poll(self) -> None:
        """Poll now, and note what is said."""
        outcome = self.snapshot()
        spending = self.spending(outcome.taken_at)
        decision = self.kept.change(
            lambda state: decide(state, outcome, self.policy, Context(spending=spending))  # type: ignore[arg-type] # see above
        )
        for message in self.listeners.follow(decision, [ROUTE]):
            self.said += [((self.now - BEGIN).days, item.firing) for item in message.items]

    def snapshot(self) -> Snapshot:
        """What is there now, with what was charged."""
        for each in self.rented if self.billing.prepaid else ():
            each.pay(self.now, self.billing.period)
        self.gpu.pay(self.now, HOURS.period)
        gpu = Resource(
            Kind.GPU_VM, "g", "gpu", "active", MicroUsdc(self.gpu.price), spent=MicroUsdc(self.gpu.spent),
            reserved=MicroUsdc(self.gpu.price), next_billing_at=self.gpu.paid_until,
        )  # fmt: skip
        vms = [each.seen(self.billing) for each in self.rented]
        return build_snapshot(
            "main", self.now, vms, dialect="v2", billing=self.billing, resources=[gpu],
            kinds=frozenset(Kind),
        )  # fmt: skip

    def live(self, days: int, happens: Callable[[int], None] = lambda _: None) -> None:
        """Poll every few hours until that day; `happens` is called once a day, at some hour."""
        while (self.now - BEGIN).days < days:
            day = (self.now - BEGIN).days
            self.now += STEP + timedelta(minutes=self.random.randint(0, 20))
            if (self.now - BEGIN).days > day:
                happens(day + 1)
            self.poll()

    def changes(self, day: int) -> None:
        """What happens to a healthy fleet: a few come and go, prices move, polls are missed."""
        if day % 3 == 0:
            self.deploy(self.random.randint(0, 3))
        if day % 4 == 0:
            self.delete(self.random.randint(0, 3))
        if day % 10 == 0:
            percent = self.random.choice([95, 103, 106])
            for each in self.rented:
                each.price = each.price * percent // 100
        if day % 7 == 0:
            self.now += self.random.randint(5, 40) * HOUR


@pytest.fixture(params=[EPOCHS, METERED], ids=["prepaid", "metered"])
def fleet(request: pytest.FixtureRequest, policy: Policy, store: Store) -> Fleet:
    return Fleet(policy, store, request.param)


def test_a_healthy_fleet_is_never_odd(fleet: Fleet) -> None:
    """Over sixty days, with what happens to one."""
    fleet.live(60, fleet.changes)

    assert [] == fleet.said
    assert 10 < len(fleet.rented) < 60


def test_a_fleet_that_doubles_is_told_once(fleet: Fleet) -> None:
    """And is over when the median has followed, two weeks later."""

    def doubles(day: int) -> None:
        if day == 20:
            fleet.deploy(20)

    fleet.live(30, doubles)
    assert [(20, True)] == [(min(day, 20), firing) for day, firing in fleet.said]
    facts = next(iter(fleet.kept.state.alerts.values())).facts
    assert isinstance(facts, SpendAnomaly)
    assert 3 == len(facts.things)

    fleet.live(60)
    assert [True, False] == [firing for _, firing in fleet.said]
    assert 33 <= fleet.said[1][0] <= 37


def test_a_fleet_that_doubles_and_shrinks(fleet: Fleet) -> None:
    """It is over when a whole day was usual again."""

    def doubles(day: int) -> None:
        if day == 20:
            fleet.deploy(20)
        if day == 24:
            fleet.delete(20)

    fleet.live(45, doubles)
    assert [True, False] == [firing for _, firing in fleet.said]
    assert 24 <= fleet.said[1][0] <= 25


def test_the_things_that_make_the_difference(fleet: Fleet) -> None:
    """Those that cost most more than before: the new ones, and a dear one above all."""
    fleet.live(20)
    dear = fleet.make("dear", fleet.now + HOUR)
    dear.price *= 30
    fleet.rented.append(dear)
    fleet.live(22)
    facts = next(iter(fleet.kept.state.alerts.values())).facts

    assert isinstance(facts, SpendAnomaly)
    assert ("dear", dear.since.date()) == (facts.things[0].name, facts.things[0].new_since)
    assert facts.spent - facts.usual >= facts.things[0].spent * 8 // 10
    assert 19 <= facts.days <= 20


def test_it_is_read_once_an_hour(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart reads anew."""
    read, real = [], fleet.store.spending
    monkeypatch.setattr(fleet.store, "spending", lambda *a: (read.append(a[1]), real(*a))[1])
    for minutes in range(0, 130, 10):
        fleet.now = BEGIN + timedelta(minutes=minutes)
        fleet.poll()

    assert [7, 8, 9] == [hour.hours for hour in read]


async def test_a_ledger_that_cannot_be_read(
    client: FluenceClient, policy: Policy, store: Store, clock: SettableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Then it is unknown what is spent; the poll is as any other."""

    def broken(*_: object) -> None:
        raise StoreError("the disk is gone")

    seen: list[Polled] = []
    monkeypatch.setattr(store, "spending", broken)
    watch = Watch(
        policy, client, store, store.load("main"), clock=clock, publish=seen.append,
        crashed=lambda *_: None, committed=lambda *_: None,
    )  # fmt: skip
    await watch.poll()

    assert [None] == [polled.store_error for polled in seen]
    assert {"main"} == set(store.accounts())
