"""The accounts, what fails on the wire, and what a poll could see of them."""

from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import Fault, FaultKind, FaultPlan, World, build_world
from fluence_watch.simulator.gpu import GpuInstance, GpuKind, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu
from fluence_watch.simulator.machine import Machine
from fluence_watch.simulator.rental import Rental

DAY = timedelta(days=1)
METERED_VMS = 8
KEYS, VMS = ("/ssh_keys", "/v1/ssh_keys"), ("/vms", "/v1/vms", "/v2/vms", "/v3/vms")
"""What is listed, by the begin of its path."""
_FLAKY = (
    (0.020, Fault(FaultKind.STATUS, 503)),
    (0.005, Fault(FaultKind.STATUS, 429)),
    (0.010, Fault(FaultKind.DROP)),
    (0.012, Fault(FaultKind.TRUNCATED_JSON)),
    (0.003, Fault(FaultKind.TRUNCATED_BODY)),
    (0.0003, Fault(FaultKind.STATUS, 401)),
)
"""Five percent of the requests fail."""
DOWN = Fault(FaultKind.TRUNCATED_JSON)
REFUSED = Fault(FaultKind.STATUS, 401)
_asked: ContextVar[str] = ContextVar("path")


class Wire(FaultPlan):
    """What fails, and how each kind of list was last answered. While `broken` is set, all does."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = Random(seed)
        self.requests = self.failed = 0
        self.broken: Fault | None = None
        self.calm = False
        self.last: dict[tuple[str, ...], Fault | None] = {}

    def next_fault(self) -> Fault | None:
        """The fault of this request."""
        fault = self.broken or self._drawn()
        self.requests += 1
        self.failed += fault is not None
        kinds = (each for each in (KEYS, VMS) if _asked.get().startswith(each))
        self.last[next(kinds, ())] = fault
        return fault

    def _drawn(self) -> Fault | None:
        roll = self._random.random()
        for rate, fault in () if self.calm else _FLAKY:
            roll -= rate
            if roll < 0:
                return fault
        return None


def noting(app: ASGIApp) -> ASGIApp:
    """The app, and each request knows what it is for."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        _asked.set(scope["path"])
        await app(scope, receive, send)

    return noted


@dataclass(frozen=True, slots=True)
class Sight:
    """What one poll of an account could see. What it could not see is `None`.

    Of a metered account, `balance` is in micro-USDC, and `burn` what all that it rents costs a day.
    `failure` is why the poll failed, in the words of the manual: `refused`, `unreadable`, or another.
    """

    account: str
    at: datetime
    vms: Mapping[str, Machine] | None
    keys: frozenset[str] | None = None
    failure: str = ""
    metered: bool = False
    balance: int | None = None
    burn: float = 0
    rentals: Mapping[str, Rental] = field(default_factory=dict)
    gpus: Mapping[str, GpuInstance] = field(default_factory=dict)


@dataclass
class Account:
    """A simulated account. `touched` is when something last happened to a thing, by its key."""

    name: str
    dialect: str
    world: World
    wire: Wire
    random: Random
    busy: set[str] = field(default_factory=set)
    touched: dict[str, datetime] = field(default_factory=dict)
    names: "count[int]" = field(default_factory=lambda: count(1000))
    happened: Counter[str] = field(default_factory=Counter)
    removed: set[str] = field(default_factory=set)

    @property
    def lists_ended(self) -> bool:
        """Whether VMs that have ended are still listed."""
        return self.dialect != "v2"

    def sight(self, at: datetime) -> Sight:
        """What a poll at this moment sees, as the wire answered it."""
        fault = self.wire.last.get(VMS)
        if fault is not None:
            return Sight(self.name, at, None, failure=_words(fault))
        keys = None if self.wire.last.get(KEYS) else frozenset(self.world.ssh_keys)
        vms = {self.key(m): m for m in self.world.listed() if self._lists(m)}
        if not self.world.metered:
            return Sight(self.name, at, vms, keys)
        rentals, gpus = dict(self.world.rentals), dict(self.world.gpus)
        return Sight(
            self.name, at, vms, keys, metered=True, balance=self.world.balance, burn=self.burn,
            rentals=rentals, gpus=gpus,
        )  # fmt: skip

    @property
    def burn(self) -> float:
        """What all that a metered account rents costs a day."""
        world = self.world
        hourly = sum(g.price for g in world.gpus.values() if g.state is GpuState.ACTIVE)
        return sum(each.price for each in (*world.listed(), *world.rentals.values())) + 24 * hourly

    def key(self, machine: Machine) -> str:
        """What the VM is called in an alert."""
        return machine.uuid if self.world.metered else machine.key

    def free(self) -> Machine | None:
        """A VM that runs and to which nothing happens."""
        found = [
            each
            for each in self.world.listed()
            if each.is_billed and each.key not in self.busy and each.shortfall == 0
        ]
        return self.random.choice(found) if found else None

    def _lists(self, machine: Machine) -> bool:
        return self.lists_ended or machine.is_billed


def _words(fault: Fault) -> str:
    if fault.kind is FaultKind.STATUS and fault.status in {401, 403}:
        return "refused"
    return "unreadable" if fault.kind is FaultKind.TRUNCATED_JSON else "unreachable"


def accounts(seed: int, begin: datetime, dialects: Mapping[str, str], vms: int) -> list[Account]:
    """The accounts at the beginning, with so many VMs each."""
    made = []
    for number, (name, dialect) in enumerate(dialects.items()):
        own = seed * 10 + number
        metered = dialect == "cloud"
        world = build_world(
            seed=own, vms=METERED_VMS if metered else vms, epoch=DAY, now=begin, api_key="k",
            balance=MicroUsdc(10**11), metered=metered,
        )  # fmt: skip
        made.append(Account(name, dialect, world, Wire(own), Random(own)))
        if metered:
            made[-1].wire.calm = True
            for kind in GpuKind:
                AddGpu(f"gpu-{kind}", kind, price=200_000).apply(world)
    return made
