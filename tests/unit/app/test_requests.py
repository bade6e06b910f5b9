"""How often a poll of a metered account with GPU instances requests what: the table of the manual."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.app.decide import Policy
from fluence_watch.app.poll import fetch
from fluence_watch.app.wiring import prepare
from fluence_watch.fluence import ClientConfig, FluenceClient
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock, World, build_world, create_app
from fluence_watch.simulator.gpu import GpuKind, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu

KEY = "simulated-key"
HOUR, DAY = 3600.0, 86_400.0
VMS = 120  # two pages of VMs, groups, disks and addresses

EACH_POLL = Counter(
    {
        "/v2/vms": 2,
        "/v1/security_groups": 2,
        "/v1/storages": 2,
        "/v1/public_ips": 2,
        "/v1/service/status": 1,
        "/v2/users/balances": 1,
        "/gpu/instances/": 1,
        "/gpu/instances/vms": 1,
        "/gpu/instances/baremetal": 1,
    }
)
CHARGES = "/v1/billing/charges/aggregated"
EACH_HOUR = Counter(["/v1/clusters", "/v1/datacenters", CHARGES])
EACH_DAY = Counter(["/v1/users/me"])
KEYS = Counter(["/v1/ssh_keys"])
PRICES = Counter(
    [
        "/v1/prices/vm",
        "/v1/prices/storage",
        "/v1/prices/cost",
        "/v1/prices/public-ip",
        "/gpu/plans/",
        "/gpu/plans/vms",
        "/gpu/plans/baremetal",
    ]
)


@pytest.fixture
def world(clock: SettableClock) -> World:
    """Two active GPU instances of each kind, and one that is over."""
    hour = timedelta(hours=1)
    made = build_world(seed=3, vms=VMS, epoch=hour, now=clock(), api_key=KEY, metered=True)
    for kind in GpuKind:
        for name in ("a", "b"):
            AddGpu(f"{kind}-{name}", kind, price=1_000).apply(made)
    AddGpu("over", GpuKind.CONTAINER, price=1_000).apply(made)
    SetGpu("over", state=GpuState.ENDED).apply(made)
    return made


@dataclass
class Counted:
    """Counts the paths that are requested."""

    app: ASGIApp
    paths: Counter[str] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        self.paths[scope["path"]] += 1
        await self.app(scope, receive, send)


@dataclass
class Account:
    """An account that is polled."""

    api: Counted
    client: FluenceClient
    policy: Policy
    clock: SettableClock

    async def poll(self, *, known: bool = True) -> Counter[str]:
        """What one poll requests; everything is `known` after it, or not."""
        self.api.paths.clear()
        outcome = await fetch(self.client, self.policy, self.clock)
        assert isinstance(outcome, Snapshot)
        assert known == (not outcome.unknown)
        return self.api.paths.copy()


@pytest.fixture
async def account(
    world: World, clock: SettableClock, settings: Callable[..., WatchSettings]
) -> AsyncIterator[Account]:
    api = Counted(create_app(world, clock, dialect="cloud"))
    config = ClientConfig(KEY, "http://simulator", dialect="cloud", timeout=3_600.0, gpu=True)
    off = settings(rules={"ssh_key_drift": {"enabled": False}})
    async with FluenceClient(config, now=clock, transport=httpx.ASGITransport(api)) as client:
        yield Account(api, client, prepare(off).policies["main"], clock)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let so many seconds pass for the client."""

    def pass_by(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time
        monkeypatch.setattr(loop, "time", lambda: before() + seconds)

    return pass_by


def instances(world: World, states: Iterable[GpuState]) -> Counter[str]:
    """A request of each instance in one of the states."""
    folders = {GpuKind.VM: "vms/", GpuKind.BARE_METAL: "baremetal/", GpuKind.CONTAINER: ""}
    return Counter(
        f"/gpu/instances/{folders[each.kind]}{each.id}"
        for each in world.gpus.values()
        if each.state in states
    )


async def test_what_is_requested_how_often(
    account: Account, world: World, later: Callable[[float], None]
) -> None:
    """At first everything, then what may have changed, and nothing twice."""
    active = EACH_POLL + instances(world, {GpuState.ACTIVE})

    assert (
        active + instances(world, {GpuState.ENDED}) + EACH_HOUR + EACH_DAY == await account.poll()
    )
    assert active == await account.poll()
    later(HOUR - 60)
    assert active == await account.poll()
    later(60)
    assert active + EACH_HOUR == await account.poll()
    assert active == await account.poll()
    later(DAY)
    assert active + EACH_HOUR + EACH_DAY == await account.poll()
    assert active == await account.poll()


async def test_what_is_kept_is_requested_until_it_is_known(account: Account, world: World) -> None:
    """A refusal is no answer: it may have been mended by the next poll."""
    world.forbidden = frozenset({"/v1/clusters", "/v1/users/me"})
    refused = Counter(["/v1/clusters", "/v1/users/me"])
    first, second = [await account.poll(known=False) for _ in range(2)]
    assert refused == Counter({path: second[path] for path in refused})
    assert 0 == first["/v1/datacenters"] + second["/v1/datacenters"]


async def test_keys_when_a_rule_judges_them(account: Account, policy: Policy) -> None:
    """`ssh_key_drift` does, unless it is disabled."""
    await account.poll()
    without = await account.poll()
    account.policy = policy

    assert without + KEYS == await account.poll()


@pytest.fixture
def comparing(settings: Callable[..., WatchSettings]) -> Policy:
    """A policy that compares prices with the market's."""
    rules = {"ssh_key_drift": {"enabled": False}, "overpriced": {"enabled": True}}
    return prepare(settings(rules=rules)).policies["main"]


async def test_prices_when_a_rule_compares_them(
    account: Account, comparing: Policy, later: Callable[[float], None]
) -> None:
    """`overpriced` does, if it is enabled: every six hours. The places are requested once for all."""
    account.policy = comparing
    assert EACH_HOUR + PRICES == (await account.poll()) & (EACH_HOUR + EACH_HOUR + PRICES)
    ordinary = await account.poll()
    assert EACH_POLL == ordinary & EACH_POLL
    assert not ordinary & PRICES
    later(6 * HOUR - 60)
    assert not (await account.poll()) & PRICES
    later(60)
    assert ordinary + PRICES == await account.poll()
    assert ordinary == await account.poll()


async def test_prices_that_are_refused(
    account: Account, world: World, comparing: Policy, later: Callable[[float], None]
) -> None:
    """The reason is said, and the key is tried again after six hours; all else is as it was."""
    account.policy = comparing
    world.withheld = frozenset({"prices:read"})
    await account.poll(known=False)
    assert not (await account.poll(known=False)) & PRICES
    outcome = await fetch(account.client, comparing, account.clock)
    assert isinstance(outcome, Snapshot)
    assert {"market"} == outcome.unknown.keys()
    assert outcome.unknown["market"].startswith("VM prices: the API key was refused (403)")
    assert outcome.market
    assert {"VM prices", "disk prices", "public IP prices"} == outcome.market.unknown.keys()

    world.withheld = frozenset()
    assert not (await account.poll(known=False)) & PRICES
    later(6 * HOUR)
    await account.poll()


async def test_an_instance_that_ends_is_requested_once_more(account: Account, world: World) -> None:
    """For what it cost in the end."""
    await account.poll()
    SetGpu("vm-a", state=GpuState.ENDED).apply(world)
    (ended,) = (each.id for each in world.gpus.values() if each.name == "vm-a")

    assert 1 == (await account.poll())[f"/gpu/instances/vms/{ended}"]
    assert 0 == (await account.poll())[f"/gpu/instances/vms/{ended}"]


@pytest.mark.parametrize(
    ("dialect", "spoken", "first", "ordinary"),
    [
        ("v2", "v2", {"/vms/v2": 1, "/ssh_keys": 1}, {"/vms/v2": 1, "/ssh_keys": 1}),
        ("v3", "v3", {"/vms/v3": 1, "/ssh_keys": 1}, {"/vms/v3": 1, "/ssh_keys": 1}),
        (
            "auto",
            "v2",
            {"/v2/vms": 1, "/vms/v3": 1, "/vms/v2": 3, "/ssh_keys": 1},
            {"/vms/v2": 1, "/ssh_keys": 1},
        ),
    ],
)
async def test_other_dialects(
    world: World,
    clock: SettableClock,
    policy: Policy,
    dialect: str,
    spoken: str,
    first: dict[str, int],
    ordinary: dict[str, int],
) -> None:
    """The list of VMs and the keys; before that, what finds the dialect."""
    api = Counted(create_app(world, clock, dialect=spoken))
    config = ClientConfig(KEY, "http://simulator", dialect=dialect, timeout=3_600.0)
    async with FluenceClient(config, now=clock, transport=httpx.ASGITransport(api)) as client:
        account = Account(api, client, policy, clock)
        assert first == await account.poll()
        assert ordinary == await account.poll()
