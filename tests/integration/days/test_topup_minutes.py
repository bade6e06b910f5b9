"""A VM whose top-ups fail, polled each minute until the simulator ends it: what is told, and when."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from fluence_watch.alerting.lifecycle import State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Decision, Policy, decide
from fluence_watch.app.poll import fetch
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.money import MicroUsdc
from fluence_watch.rules.topup_failed import TopupFailed
from fluence_watch.simulator import SettableClock, World, build_world, create_app
from tests.unit.app.hearing import hear

BEGIN = datetime(2026, 4, 1, 20, 10, 3, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
WAITED = {"v2": 15 * MINUTE, "v3": timedelta(0)}
"""How long after the missing top-up it is known: v3 says so itself."""


class Watched:
    """An account of a simulated world that is polled; time passes as told."""

    def __init__(self, policy: Policy, dialect: str) -> None:
        self.policy = policy
        self.clock = SettableClock(BEGIN)
        self.world: World = build_world(seed=5, vms=3, now=BEGIN, epoch=DAY, api_key="k")
        transport = httpx.ASGITransport(create_app(self.world, self.clock, dialect=dialect))
        config = ClientConfig("k", "http://simulator", dialect=dialect, timeout=5.0)
        self.client = FluenceClient(config, now=self.clock, transport=transport)
        self.state, self.decisions = AccountState(), list[Decision]()

    async def polls(self, until: datetime, step: timedelta = MINUTE) -> None:
        """Poll until then."""
        while self.clock() < until:
            outcome = await fetch(self.client, self.policy, self.clock)
            self.decisions.append(decide(self.state, outcome, self.policy))
            self.state = self.decisions[-1].after
            self.clock.set(self.clock() + step)

    def told(self) -> list[tuple[str, str, bool]]:
        """What a receiver hears of money, in order: the rule, why, and whether it fires."""
        return [
            (item.fingerprint.rule, item.reason, item.firing)
            for messages in hear(self.decisions, (Route("ops"),))
            for message in messages
            for item in message.items
            if item.fingerprint.rule != "billing_due"
        ]


@pytest.fixture
def watched(policy: Policy) -> Callable[[str], Watched]:
    return lambda dialect: Watched(policy, dialect)


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_a_vm_that_is_drained(watched: Callable[[str], Watched], dialect: str) -> None:
    """It fires within two polls of the missing top-up, and names the second of the end."""
    account = watched(dialect)
    vm = account.world.listed()[0]
    account.world.drain(vm.id)
    boundary, alert = vm.next_billing_at, Fingerprint("main", "topup_failed", vm.key)
    await account.polls(boundary - MINUTE, 29 * MINUTE)
    account.clock.set(boundary - MINUTE)
    await account.polls(boundary + 20 * MINUTE)

    fires = next(d for d in account.decisions if _fires(d, alert))
    missed_at = boundary + max(WAITED[dialect], account.world.top_up_delay)
    assert fires.after.last_poll_at
    assert timedelta(0) <= fires.after.last_poll_at - missed_at <= 2 * MINUTE
    facts = fires.after.alerts[alert].facts
    assert isinstance(facts, TopupFailed)
    assert facts.boundary == boundary.replace(microsecond=facts.boundary.microsecond)

    await account.polls(boundary + DAY - 10 * MINUTE, 30 * MINUTE)
    await account.polls(boundary + DAY + 3 * MINUTE)
    ended_at = account.world.find(vm.id).state_changed_at
    assert ended_at
    assert facts.ends_at
    assert ended_at.replace(microsecond=0) == facts.ends_at.replace(microsecond=0)
    lost = "vm_vanished" if dialect == "v2" else "vm_status"
    worse = [("topup_failed", "worse", True)] * 2
    assert [("topup_failed", "first", True), *worse, (lost, "first", True)] == account.told()


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_a_vm_that_is_topped_up_late(watched: Callable[[str], Watched], dialect: str) -> None:
    """Its end is told too, and `low_balance` says nothing."""
    account = watched(dialect)
    vm = account.world.listed()[0]
    account.world.drain(vm.id)
    await account.polls(vm.next_billing_at - MINUTE, 29 * MINUTE)
    await account.polls(vm.next_billing_at + 40 * MINUTE)
    account.world.mend(vm.id)
    await account.polls(vm.next_billing_at + 50 * MINUTE)
    rule = "topup_failed"
    assert [(rule, "first", True), (rule, "resolved", False)] == account.told()


@pytest.mark.parametrize("dialect", ["v2", "v3"])
async def test_healthy_boundaries(watched: Callable[[str], Watched], dialect: str) -> None:
    """The reserves dip, and nothing is told. A reserve that a new price makes low was topped up."""
    account = watched(dialect)
    await account.polls(BEGIN + DAY, 5 * MINUTE)
    assert [] == account.told()
    vm = account.world.listed()[0]
    account.world.set_price(vm.id, MicroUsdc(2 * vm.price))
    await account.polls(BEGIN + DAY + timedelta(hours=1), 5 * MINUTE)
    assert {"price_changed", "low_balance"} == {rule for rule, _, _ in account.told()}


def _fires(decision: Decision, alert: Fingerprint) -> bool:
    found = decision.after.alerts.get(alert)
    return found is not None and found.state is State.FIRING
