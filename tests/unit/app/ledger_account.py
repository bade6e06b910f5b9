"""An account of a simulated world, polled into a store, and the world's own books beside it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx

from fluence_watch.app.decide import Policy, decide
from fluence_watch.app.kept import Kept
from fluence_watch.app.poll import fetch
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.ledger import EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.simulator import SettableClock, World, build_world, create_app
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

    @property
    def books(self) -> Counter[date]:
        """What the world charged by day, in micro-USDC."""
        ticks = self.world.epoch // timedelta(microseconds=1)
        units: Counter[date] = Counter()
        for entry, cost in self.world.meter.charged.items():
            units[entry.day] += cost
        return Counter({day: cost // ticks for day, cost in units.items()})
