"""Days of a metered account: the bill of the simulated API against what polls saw."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Decision, Policy, decide
from fluence_watch.app.poll import fetch
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.bill import Span, bill_of
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.money import MicroUsdc
from fluence_watch.rules.bill_mismatch import BillMismatch
from fluence_watch.simulator import SettableClock, World, build_world, create_app
from fluence_watch.simulator.actions import AddAddress, AddDisk
from fluence_watch.simulator.faults import FaultPlan
from fluence_watch.simulator.market_actions import Bill

BEGIN = datetime(2026, 4, 1, 20, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
USDC = 1_000_000
FOUND = Fingerprint("main", "bill_mismatch")


class Days:
    """A metered world, polled every 30 minutes."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.clock = SettableClock(BEGIN)
        self.faults = FaultPlan()
        self.world: World = build_world(
            seed=5, vms=3, now=BEGIN, epoch=DAY, api_key="k", balance=MicroUsdc(9_000 * USDC),
            metered=True,
        )  # fmt: skip
        for machine in self.world.listed():
            self.world.set_price(machine.id, MicroUsdc(4_800_000))
        app = create_app(self.world, self.clock, dialect="cloud", faults=self.faults)
        transport = httpx.ASGITransport(app)
        config = ClientConfig("k", "http://simulator", dialect="cloud", timeout=30.0)
        self.client = FluenceClient(config, now=self.clock, transport=transport)
        self.state = AccountState()

    async def poll(self) -> Decision:
        """What one poll leads to."""
        decision = decide(
            self.state, await fetch(self.client, self.policy, self.clock), self.policy
        )
        self.state = decision.after
        return decision

    def expected(self, day: datetime) -> Span:
        """What a day that was watched in full should cost."""
        bill = bill_of(day.date(), self.state.costs, ())
        assert bill.is_known
        return bill.total

    async def until(self, at: datetime) -> Decision:
        """Poll until then; the decision of the last poll."""
        while True:
            decision = await self.poll()
            if self.clock() >= at:
                return decision
            self.clock.set(self.clock() + HOUR / 2)


@pytest.fixture
def days(policy: Policy) -> Days:
    return Days(policy)


def charged(world: World, day: datetime) -> int:
    """What the books of the world have of a day, in micro-USDC."""
    units = sum(cost for entry, cost in world.meter.charged.items() if entry.day == day.date())
    return int(units // (world.epoch // timedelta(microseconds=1)))


async def test_what_a_day_costs_is_what_is_charged(days: Days) -> None:
    """To the micro-USDC while nothing changes, and between the bounds on a day of changes."""
    first, second = BEGIN + DAY, BEGIN + 2 * DAY
    await days.until(second.replace(hour=0, minute=30))
    low, high = days.expected(first)
    assert low - 3 <= charged(days.world, first) <= low + 3
    assert high - low <= 3

    machines = days.world.listed()
    AddDisk("archive", price=10 * USDC).apply(days.world)
    AddAddress("spare", price=USDC).apply(days.world)
    days.world.set_price(machines[0].id, MicroUsdc(20 * USDC))
    days.clock.set(days.clock() + HOUR / 3)
    days.world.advance(days.clock())
    days.world.delete(machines[1].id)
    await days.until(second + 6 * HOUR)
    low, high = days.expected(second)
    assert low < charged(days.world, second) < high
    assert high - low < USDC


async def test_a_bill_that_is_wrong_for_two_days(days: Days) -> None:
    """It is found when the second whole day is settled, and is over when a day is right."""
    Bill(percent=103).apply(days.world)
    third = (BEGIN + 3 * DAY).replace(hour=0)
    before = await days.until(third + 5.5 * HOUR)
    assert FOUND not in before.verdict.findings
    found = await days.until(third + 6 * HOUR)
    facts = found.verdict.findings[FOUND].facts
    assert isinstance(facts, BillMismatch)
    assert (third - DAY).date() == facts.day
    right = charged(days.world, third - DAY)
    assert abs(facts.miss - right * 3 // 100) <= 20
    assert {"vm", "disk", "public_ip"} == {each.kind for each in facts.kinds}
    assert all(each.at_price and each.charged > each.at_price for each in facts.odd)
    assert FOUND in found.after.alerts

    Bill(percent=100).apply(days.world)
    days.clock.set(days.clock() + HOUR)
    days.client = FluenceClient(
        ClientConfig("k", "http://simulator", dialect="cloud", timeout=30.0),
        now=days.clock,
        transport=httpx.ASGITransport(create_app(days.world, days.clock, dialect="cloud")),
    )
    assert FOUND not in (await days.poll()).after.alerts


@pytest.mark.parametrize("missed", [HOUR, 3 * HOUR])
async def test_a_day_with_a_gap_is_not_compared(days: Days, missed: timedelta) -> None:
    """An hour may be missed; what came and went in a longer one is not known."""
    Bill(percent=200).apply(days.world)
    third = (BEGIN + 3 * DAY).replace(hour=0)
    await days.until(third - 6 * HOUR)
    days.clock.set(days.clock() + missed)
    decision = await days.until(third + 6 * HOUR)
    assert (missed == HOUR) is (FOUND in decision.verdict.findings)
    if missed > HOUR:
        assert ("bill_mismatch", "") in decision.verdict.unknown


async def test_a_list_that_fails_now_and_then(days: Days) -> None:
    """The day is watched all the same: the next whole poll is near."""
    Bill(percent=200).apply(days.world)
    third = (BEGIN + 3 * DAY).replace(hour=0)
    polls = 0
    while days.clock() < third + 6 * HOUR:
        polls += 1
        days.world.forbidden = frozenset({"/v1/storages"} if polls % 3 == 0 else ())
        await days.poll()
        days.clock.set(days.clock() + HOUR / 3)
    days.world.forbidden = frozenset()
    assert FOUND in (await days.poll()).verdict.findings


async def test_a_key_that_may_not_read_charges(days: Days) -> None:
    """The reason is said, the permission is missing, and all the rest is as it was."""
    days.world.withheld = frozenset({"billing:get_spending_history"})
    outcome = await fetch(days.client, days.policy, days.clock)
    why = outcome.unknown["charges"]
    assert why.startswith("the key has no permission billing:get_spending_history")
    assert {"charges"} == outcome.unknown.keys()
    assert outcome.permissions["billing:get_spending_history"] is False
    assert outcome.charges is None
