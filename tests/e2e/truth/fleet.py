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
from fluence_watch.simulator.rental import Rental, RentalKind
from tests.e2e.truth.bending import Bend

DAY = timedelta(days=1)
METERED_VMS = 8
KEYS, VMS = ("/ssh_keys", "/v1/ssh_keys"), ("/vms", "/v1/vms", "/v2/vms", "/v3/vms")
DISKS, ADDRESSES = ("/v1/storages",), ("/v1/public_ips",)
BILL, BALANCE = ("/v1/billing/charges",), ("/v2/users/balances",)
"""What is listed, by the begin of its path."""
_KINDS = (KEYS, VMS, DISKS, ADDRESSES, BILL, BALANCE)
_FLAKY = (
    (0.020, Fault(FaultKind.STATUS, 503)),
    (0.005, Fault(FaultKind.STATUS, 429)),
    (0.010, Fault(FaultKind.DROP)),
    (0.012, Fault(FaultKind.TRUNCATED_JSON)),
    (0.003, Fault(FaultKind.TRUNCATED_BODY)),
    (0.0003, Fault(FaultKind.STATUS, 401)),
)
"""Five percent of the requests fail."""
_MENDED = (
    (0.025, Fault(FaultKind.STATUS, 503)),
    (0.010, Fault(FaultKind.STATUS, 429)),
    (0.015, Fault(FaultKind.DROP)),
    (0.010, Fault(FaultKind.TRUNCATED_BODY)),
)
"""The same where many lists make a poll: what fails is what a client tries again."""
DOWN = Fault(FaultKind.TRUNCATED_JSON)
REFUSED = Fault(FaultKind.STATUS, 401)
_RENTED = {RentalKind.DISK: DISKS, RentalKind.ADDRESS: ADDRESSES}
_asked: ContextVar[str] = ContextVar("path")


class Wire(FaultPlan):
    """What fails, and how each kind of list was last answered. While `broken` is set, all does.

    `dead` are the kinds of lists that fail alone. If it `mends`, what failed at random succeeds when it is
    tried again.
    """

    def __init__(self, seed: int, *, mends: bool) -> None:
        super().__init__()
        self._rates = _MENDED if mends else _FLAKY
        self._mends = mends
        self._tried: set[str] = set()
        self._random = Random(seed)
        self.requests = self.failed = 0
        self.broken: Fault | None = None
        self.dead: set[tuple[str, ...]] = set()
        self.calm = False
        self.last: dict[tuple[str, ...], Fault | None] = {}

    def next_fault(self) -> Fault | None:
        """The fault of this request."""
        kind = next((each for each in _KINDS if _asked.get().startswith(each)), ())
        fault = self.broken or (DOWN if kind in self.dead else self._drawn())
        self.requests += 1
        self.failed += fault is not None
        self.last[kind] = fault
        return fault

    def _drawn(self) -> Fault | None:
        roll, path = self._random.random(), _asked.get()
        again = path in self._tried
        self._tried.discard(path)
        for rate, fault in () if self.calm or again else self._rates:
            roll -= rate
            if roll < 0:
                self._tried |= {path} if self._mends else set()
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

    `unread` are VMs that are listed and cannot be read: they are not among `vms`. Of those that are
    `bent` otherwise, `vms` says more than the poll could see.
    Of a metered account, `balance` is in micro-USDC, and `burn` what all that it rents costs a day.
    `bill` is what the API says that it charged, in percent of what everything cost, and `unlisted`
    the kinds of what is rented that were not listed. `failure` is why the poll failed, in the words of the
    manual: `refused`, `unreadable`, or another.
    """

    account: str
    at: datetime
    vms: Mapping[str, Machine] | None
    keys: frozenset[str] | None = None
    unread: frozenset[str] = frozenset()
    bent: Mapping[str, Bend] = field(default_factory=dict)
    failure: str = ""
    metered: bool = False
    unlisted: frozenset[RentalKind] = frozenset()
    bill: int | None = None
    balance: int | None = None
    burn: float = 0
    rentals: Mapping[str, Rental] = field(default_factory=dict)
    gpus: Mapping[str, GpuInstance] = field(default_factory=dict)


@dataclass
class Account:
    """A simulated account. `touched` is when something last happened to a thing, by its key.

    `bent` are the VMs that the list tells wrongly of, `bill` what the API said last of its charges: it is
    asked for them rarely.
    """

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
    bent: dict[str, Bend] = field(default_factory=dict)
    bill: int | None = None

    @property
    def lists_ended(self) -> bool:
        """Whether VMs that have ended are still listed."""
        return self.dialect != "v2"

    def sight(self, at: datetime) -> Sight:
        """What a poll at this moment sees, as the wire answered it."""
        if BILL in self.wire.last:
            self.bill = None if self.wire.last[BILL] else self.world.bill_percent
        fault = self.wire.last.get(VMS)
        if fault is not None:
            return Sight(self.name, at, None, failure=_words(fault))
        keys = None if self.wire.last.get(KEYS) else frozenset(self.world.ssh_keys)
        vms = {self.key(m): m for m in self.world.listed() if self._lists(m)}
        unread = frozenset(key for key in vms if self.bent.get(key) is Bend.UNREADABLE)
        bent = {key: how for key, how in self.bent.items() if key in vms}
        vms = {key: each for key, each in vms.items() if key not in unread}
        if not self.world.metered:
            return Sight(self.name, at, vms, keys, unread, bent)
        rented, gpus = self.world.rentals, dict(self.world.gpus)
        unlisted = frozenset(kind for kind, path in _RENTED.items() if self.wire.last.get(path))
        rentals = {key: each for key, each in rented.items() if each.kind not in unlisted}
        balance = None if self.wire.last.get(BALANCE) else self.world.balance
        return Sight(
            self.name, at, vms, keys, metered=True, unlisted=unlisted, bill=self.bill,
            balance=balance, burn=self.burn, rentals=rentals, gpus=gpus,
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
        wire = Wire(own, mends=metered)
        made.append(Account(name, dialect, world, wire, Random(own)))
        if metered:
            for kind in GpuKind:
                AddGpu(f"gpu-{kind}", kind, price=20_000).apply(world)
    return made
