"""An endpoint that a key may not request, or that fails, costs what it tells and nothing else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from fluence_watch.app.decide import Policy
from fluence_watch.app.poll import fetch
from fluence_watch.fluence import ClientConfig, FluenceClient, Kind
from fluence_watch.fluence.http.answers import failure_of
from fluence_watch.model.snapshot import Outcome, PollFailure, Snapshot
from fluence_watch.rules import overpriced
from fluence_watch.rules.overpriced import OverpricedSettings
from fluence_watch.simulator import Fault, FaultKind, FaultPlan, SettableClock, World, create_app
from fluence_watch.simulator.actions import AddAddress, AddDisk
from fluence_watch.simulator.fleet import build_world
from fluence_watch.simulator.gpu import GpuKind, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu

KEY = "simulated-key"
HOUR = timedelta(hours=1)
BASES = {
    Kind.GPU_CONTAINER: "/gpu/instances/",
    Kind.GPU_VM: "/gpu/instances/vms",
    Kind.GPU_BARE_METAL: "/gpu/instances/baremetal",
}
LISTS = {Kind.DISK: "/v1/storages", Kind.PUBLIC_IP: "/v1/public_ips", **BASES}
STATUSES = (401, 403, 404, 500)
LONG = "99"  # seconds: longer than a poll, so that nothing is tried again

Expect = Callable[[Snapshot, str], Snapshot]


@dataclass
class Cut:
    """The simulated API, in which requests of the `paths` meet a fault."""

    world: World
    clock: SettableClock

    def __post_init__(self) -> None:
        self._plan = FaultPlan()
        self._app = create_app(self.world, self.clock, faults=self._plan, dialect="cloud")
        self.paths: frozenset[str] = frozenset()
        self.fault = Fault(FaultKind.STATUS)
        self.met: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; the queued fault is of this request, since nothing else runs until it is taken."""
        if scope["path"] in self.paths:
            self.met.append(scope["path"])
            self._plan.queue(self.fault)
        await self._app(scope, receive, send)


@pytest.fixture
def world(clock: SettableClock) -> World:
    """A metered account with a disk, an address, and GPU instances of each kind, one of them over."""
    made = build_world(seed=3, vms=2, epoch=HOUR, now=clock(), api_key=KEY, metered=True)
    AddDisk("archive").apply(made)
    AddAddress("spare").apply(made)
    for kind in GpuKind:
        AddGpu(f"{kind}-a", kind, price=1_000).apply(made)
        AddGpu(f"{kind}-b", kind, price=2_000).apply(made)
    SetGpu("vm-b", state=GpuState.ENDED).apply(made)
    return made


@pytest.fixture
def api(world: World, clock: SettableClock) -> Cut:
    return Cut(world, clock)


Poll = Callable[[], Awaitable[Outcome]]


@pytest.fixture
def poll(api: Cut, policy: Policy, clock: SettableClock) -> Poll:
    """The first poll of a new client."""
    return lambda: poll_once(api, policy, clock)


async def poll_once(api: Cut, policy: Policy, clock: SettableClock) -> Outcome:
    """The first poll of a new client."""
    config = ClientConfig(KEY, "http://simulator", dialect="cloud", timeout=30.0, gpu=True)
    transport = httpx.ASGITransport(api)
    async with FluenceClient(config, now=clock, transport=transport) as client:
        return await fetch(client, policy, clock)


async def whole(poll: Poll) -> Snapshot:
    """What an undisturbed poll gives: everything."""
    outcome = await poll()
    assert isinstance(outcome, Snapshot)
    assert (True, {}) == (outcome.complete, outcome.unknown)
    assert outcome.balance
    assert outcome.ssh_keys
    assert frozenset(LISTS) == outcome.kinds == {each.kind for each in outcome.resources.values()}
    assert all(vm.ports and vm.datacenter for vm in outcome.vms.values())
    return outcome


def without(kind: Kind) -> Expect:
    """The list of a kind is unknown."""

    def expect(whole: Snapshot, why: str) -> Snapshot:
        left = {key: each for key, each in whole.resources.items() if each.kind is not kind}
        return replace(whole, resources=left, unknown={kind.words: why})

    return expect


def vms_without(name: str) -> Expect:
    """A field of all VMs is unknown."""
    return lambda whole, _: replace(
        whole, vms={key: replace(vm, **{name: None}) for key, vm in whole.vms.items()}
    )


EXPECTED: Mapping[str, Expect] = {
    **{path: without(kind) for kind, path in LISTS.items()},
    "/v1/security_groups": vms_without("ports"),
    "/v1/clusters": vms_without("datacenter"),
    "/v1/datacenters": vms_without("datacenter"),
    "/v1/ssh_keys": lambda whole, why: replace(whole, ssh_keys=None, unknown={"SSH keys": why}),
    "/v2/users/balances": lambda whole, why: replace(whole, balance=None, unknown={"balance": why}),
    "/v1/users/me": lambda whole, why: replace(whole, permissions={}, unknown={"permissions": why}),
    "/v1/service/status": lambda whole, _: whole,
    "/v1/billing/charges/aggregated": lambda whole, why: replace(
        whole, charges=None, unknown={"charges": why}
    ),
}
PRICES = {
    "/v1/prices/vm": "VM prices",
    "/v1/prices/storage": "disk prices",
    "/v1/prices/cost": "disk prices",
    "/v1/prices/public-ip": "public IP prices",
    "/gpu/plans/": "GPU container prices",
    "/gpu/plans/vms": "GPU VM prices",
    "/gpu/plans/baremetal": "GPU server prices",
}
LOGGED = {
    "/v1/security_groups": "security groups",
    "/v1/clusters": "datacenters",
    "/v1/datacenters": "datacenters",
    "/v1/service/status": "service status",
}
"""What is not in `unknown`, because it is a field of each VM or of nothing, is a line in the log."""


def refusal(status: int) -> str:
    """What is said of it."""
    return str(failure_of(status, f"simulated {status}", float(LONG), ""))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("path", EXPECTED)
async def test_one_endpoint(api: Cut, poll: Poll, path: str, status: int) -> None:
    """What it tells is unknown, with the reason; everything else is as it was."""
    expected = EXPECTED[path](await whole(poll), refusal(status))
    api.paths, api.fault = frozenset({path}), Fault(FaultKind.STATUS, status, retry_after=LONG)
    with capture_logs() as lines:
        found = await poll()

    assert expected == found
    assert [path] == api.met
    assert ([(LOGGED[path], refusal(status))] if path in LOGGED else []) == [
        (line["what"], line["why"]) for line in lines
    ]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("path", PRICES)
async def test_one_price_list(
    api: Cut, policy: Policy, clock: SettableClock, path: str, status: int
) -> None:
    """The market is known but for that list, and everything else is as it was."""
    rule = OverpricedSettings(enabled=True)
    asking = replace(policy, rules={**policy.rules, overpriced.NAME: rule})
    first = await whole(lambda: poll_once(api, asking, clock))
    assert first.market
    api.paths, api.fault = frozenset({path}), Fault(FaultKind.STATUS, status, retry_after=LONG)

    found = await poll_once(api, asking, clock)

    assert isinstance(found, Snapshot)
    assert found.market
    assert {PRICES[path]: refusal(status)} == found.market.unknown
    assert {"market": f"{PRICES[path]}: {refusal(status)}"} == found.unknown
    assert replace(first, market=None) == replace(found, market=None, unknown={})
    lost = first.market.offers.keys() - found.market.offers.keys()
    assert 1 == len({kind for kind, _ in lost})


@pytest.mark.parametrize("status", STATUSES)
async def test_the_list_of_vms(
    api: Cut, poll: Poll, policy: Policy, clock: SettableClock, status: int
) -> None:
    """Without it there is no poll."""
    api.paths = frozenset({"/v2/vms"})
    api.fault = Fault(FaultKind.STATUS, status, retry_after=LONG)
    reasons = {401: "unauthorized", 403: "unauthorized", 404: "refused", 500: "server_error"}

    found = await poll()

    assert isinstance(found, PollFailure)
    assert PollFailure(policy.account, clock(), reasons[status], found.message) == found
    assert found.message.startswith(refusal(status))
    assert (status in {401, 403}) == found.unauthorized


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("kind", BASES)
async def test_one_gpu_instance(
    api: Cut, poll: Poll, world: World, kind: Kind, status: int
) -> None:
    """Its money is unknown. It is there, with what the list tells of it, and so are all others."""
    before = await whole(poll)
    one = next(each for each in before.resources.values() if each.kind is kind and each.is_billed)
    api.paths = frozenset({f"{BASES[kind].rstrip('/')}/{one.id}"})
    api.fault = Fault(FaultKind.STATUS, status, retry_after=LONG)

    found = await poll()

    assert isinstance(found, Snapshot)
    left = found.resources[one.key]
    assert (one.name, one.status_word, one.gpu, one.created_at, one.location) == (
        left.name, left.status_word, left.gpu, left.created_at, left.location,
    )  # fmt: skip
    assert (None, None, None, None) == (
        left.price, left.reserved, left.spent, left.next_billing_at,
    )  # fmt: skip
    flaw = f"{one.id}: {refusal(status)}"
    assert (
        replace(before, unknown={kind.words: flaw}, resources={**before.resources, one.key: left})
        == found
    )


@pytest.mark.parametrize("path", [each for each in EXPECTED if each != "/v1/service/status"])
async def test_paths_that_a_key_may_not_request(world: World, poll: Poll, path: str) -> None:
    """The API's own refusal is no different."""
    before = await whole(poll)
    world.forbidden = frozenset({path})
    said = str(failure_of(403, "the API key has no permission for this", None, ""))

    assert EXPECTED[path](before, said) == await poll()


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("storage:read", "/v1/storages"),
        ("public_ip:read", "/v1/public_ips"),
        ("security_groups:read", "/v1/security_groups"),
        ("ssh_key:list", "/v1/ssh_keys"),
        ("clusters:read", "/v1/clusters"),
    ],
)
async def test_scopes_that_a_key_lacks(world: World, poll: Poll, scope: str, path: str) -> None:
    """The same, and the key's permissions tell it."""
    before = await whole(poll)
    world.withheld = frozenset({scope})

    found = await poll()

    assert isinstance(found, Snapshot)
    expected = EXPECTED[path](before, next(iter(found.unknown.values()), ""))
    held = {each: each != scope for each in before.permissions}
    assert replace(expected, permissions=held) == found
    assert ("the API key has no permission for this" in str(found.unknown)) == bool(found.unknown)
    named = scope if path in {LISTS[Kind.DISK], LISTS[Kind.PUBLIC_IP]} else ""
    assert named in str(found.unknown)


async def test_everything_but_the_vms(api: Cut, poll: Poll) -> None:
    """All of it at once adds up: the VMs are watched by what their list tells."""
    expected = await whole(poll)
    api.paths = frozenset(EXPECTED)
    api.fault = Fault(FaultKind.STATUS, 403)
    for expect in EXPECTED.values():
        now = expect(expected, refusal(403))
        expected = replace(now, unknown={**expected.unknown, **now.unknown})

    assert expected == await poll()


@pytest.mark.parametrize("path", EXPECTED)
async def test_bodies_that_end_early(api: Cut, poll: Poll, path: str) -> None:
    """A body that cannot be read is no different from none."""
    before = await whole(poll)
    api.paths, api.fault = frozenset({path}), Fault(FaultKind.TRUNCATED_JSON)
    found = await poll()

    assert isinstance(found, Snapshot)
    why = next(iter(found.unknown.values()), "")
    assert EXPECTED[path](before, why) == found
    assert (path in LOGGED) == (not why)
    assert why.isprintable()
