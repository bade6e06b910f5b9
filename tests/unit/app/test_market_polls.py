"""Polls of an account while the market of the simulated API moves."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import httpx
import pytest

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Decision, Policy, decide
from fluence_watch.app.poll import fetch
from fluence_watch.app.wiring import prepare
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.rules.overpriced import Overpriced
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock, World, create_app
from fluence_watch.simulator.market_actions import Market

KEY = "simulated-key"
OFFERS = "/marketplace/offers"


@dataclass
class Polls:
    """An account that is polled, each time by a client that keeps nothing from before."""

    world: World
    clock: SettableClock
    policy: Policy
    stack: AsyncExitStack
    state: AccountState = field(default_factory=AccountState)

    async def poll(self, percent: int | None = None) -> Decision:
        """What a poll leads to, after the market has moved."""
        if percent:
            Market(percent).apply(self.world)
        transport = httpx.ASGITransport(create_app(self.world, self.clock, dialect="v3"))
        config = ClientConfig(KEY, "http://simulator", dialect="v3", timeout=5.0)
        client = FluenceClient(config, now=self.clock, transport=transport)
        await self.stack.enter_async_context(client)
        outcome = await fetch(client, self.policy, self.clock)
        assert isinstance(outcome, Snapshot)
        decision = decide(self.state, outcome, self.policy)
        self.state = decision.after
        return decision


@pytest.fixture
async def polls(
    world: World, clock: SettableClock, settings: Callable[..., WatchSettings]
) -> AsyncIterator[Polls]:
    """The market asks at first what the three VMs cost, whatever their place."""
    rules = {"overpriced": {"enabled": True, "min_usdc": 0}}
    policy = prepare(settings(rules=rules)).policies["main"]
    for machine in world.listed():
        world.set_price(machine.id, machine.configuration.price * machine.datacenter.percent // 100)
    async with AsyncExitStack() as stack:
        yield Polls(world, clock, policy, stack)


def found(decision: Decision) -> dict[Fingerprint, Overpriced]:
    """What is dearer than the market."""
    return {
        fingerprint: each.facts
        for fingerprint, each in decision.verdict.findings.items()
        if isinstance(each.facts, Overpriced)
    }


def alerts(decision: Decision) -> dict[Fingerprint, Alert]:
    """The alerts about that after the poll."""
    return {
        fingerprint: alert
        for fingerprint, alert in decision.after.alerts.items()
        if fingerprint.rule == "overpriced"
    }


async def test_a_market_that_moves(polls: Polls) -> None:
    """VMs are dear when it asks less, and no longer when it asks what they cost."""
    assert {} == found(await polls.poll())
    lower = await polls.poll(80)
    subjects = {machine.id.lower() for machine in polls.world.listed()}
    assert subjects == {each.subject for each in found(lower)}
    assert found(lower).keys() == alerts(lower).keys()
    for fingerprint, facts in found(lower).items():
        machine = polls.world.find(fingerprint.subject)
        assert facts.place
        assert machine.datacenter.city in facts.place
        assert machine.price == facts.per_day
        assert facts.asked == pytest.approx(machine.price * 0.8, abs=1)
    again = await polls.poll(100)
    assert {} == found(again)
    assert {} == alerts(again)


async def test_a_market_that_cannot_be_read(polls: Polls) -> None:
    """What was dear stays so, and nothing is said of it twice."""
    dear = found(await polls.poll(80))
    polls.world.forbidden = frozenset({OFFERS})
    unknown = await polls.poll(100)
    assert {} == found(unknown)
    assert dear.keys() == alerts(unknown).keys()
    polls.world.forbidden = frozenset()
    back = await polls.poll(80)
    assert dear == found(back)
    assert alerts(unknown) == alerts(back)


async def test_a_vm_that_is_missing_once(polls: Polls) -> None:
    """Its alert waits for it."""
    dear = found(await polls.poll(80))
    machine = polls.world.listed()[0]
    polls.world.vanish(machine.id)
    assert dear.keys() == alerts(await polls.poll()).keys()
    polls.world.bring_back(machine.id)
    assert dear == found(await polls.poll())
