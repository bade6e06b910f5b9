"""Every method of the client in every dialect, against the simulator on a real socket."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from starlette.types import ASGIApp, Receive, Scope, Send

from fluence_watch.errors import ApiError, RefusedError
from fluence_watch.fluence import (
    AccountBalance,
    ClientConfig,
    FluenceClient,
    NotReported,
    RequestRecord,
    ServiceStatus,
    going_price,
)
from fluence_watch.fluence.dialects import DIALECTS
from fluence_watch.model.billing import METERED
from fluence_watch.model.ports import SSH, parse_port
from fluence_watch.model.resource import GPUS, Kind
from fluence_watch.model.vm import Status, Vm
from fluence_watch.simulator import World, build_world, create_app, running
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu

pytestmark = pytest.mark.asyncio(loop_scope="module")

Simulated = Callable[..., Awaitable[tuple[World, FluenceClient]]]
Check = Callable[[FluenceClient, World], Awaitable[None]]

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKgJIjnDg1DjqOOxINs78oU3f7PJXIyq9uiNocNVhXNx me@here"
UNKNOWN_VM = "00000000-0000-4000-8000-000000000000"
NOW = datetime(2025, 4, 16, 18, tzinfo=UTC)


@dataclass
class Stage:
    """One server for all tests of this file, for starting one takes long; each sets its app."""

    url: str = ""
    app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    served = Stage()
    async with running(served) as served.url:
        yield served


@pytest_asyncio.fixture(loop_scope="module")
async def simulated(stage: Stage, records: list[RequestRecord]) -> AsyncIterator[Simulated]:
    """A world of its own for each test, and a client of it."""
    async with AsyncExitStack() as stack:

        async def build(
            dialect: str, vms: int = 4, *, metered: bool = False, **config: object
        ) -> tuple[World, FluenceClient]:
            world = build_world(
                seed=7, vms=vms, epoch=timedelta(hours=24), now=NOW, metered=metered
            )
            stage.app = create_app(world, lambda: NOW, dialect="all")
            settings = {"api_key": world.api_key, "base_url": stage.url, "dialect": dialect}
            settings |= {"gpu": True}
            client = FluenceClient(ClientConfig(**settings | config), on_request=records.append)
            return world, await stack.enter_async_context(client)

        yield build


async def _one(client: FluenceClient, name: str) -> Vm:
    return next(vm for vm in (await client.list_vms()).vms if vm.name == name)


async def _list_vms(client: FluenceClient, world: World) -> None:
    listing = await client.list_vms()

    assert listing.complete
    assert {machine.name for machine in world.listed()} == {vm.name for vm in listing.vms}
    for vm in listing.vms:
        machine = next(each for each in world.listed() if each.name == vm.name)
        assert (Status.ACTIVE, machine.public_ip, tuple(sorted(machine.ports))) == (
            vm.status,
            vm.public_ip,
            vm.ports,
        )
        assert (machine.datacenter.city, machine.configuration.vcpus) == (
            vm.datacenter and vm.datacenter.city,
            vm.vcpus,
        )
        assert client.billing
        epochs = timedelta(hours=24) / client.billing.price_is_for
        assert vm.price == pytest.approx(machine.price / epochs, abs=1)
        assert machine.next_billing_at.replace(microsecond=0) == (
            vm.next_billing_at and vm.next_billing_at.replace(microsecond=0)
        )


async def _get_vm(client: FluenceClient, world: World) -> None:
    first = (await client.list_vms()).vms[0]
    assert first == await client.get_vm(first.id.upper().replace("0X", "0x"))
    assert await client.get_vm(UNKNOWN_VM) is None


async def _update_vm(client: FluenceClient, world: World) -> None:
    first = (await client.list_vms()).vms[0]

    await client.update_vm(first.id, name="renamed")
    renamed = await _one(client, "renamed")
    assert first.ports == renamed.ports

    await client.update_vm(first.id.upper().replace("0X", "0x"), ports=[parse_port("443"), SSH])
    assert (SSH, parse_port("443")) == (await _one(client, "renamed")).ports

    await client.update_vm(first.id, name="both", ports=[])
    assert () == (await _one(client, "both")).ports

    await client.update_vm(first.id)  # nothing to change
    with pytest.raises(RefusedError):
        await client.update_vm(UNKNOWN_VM, name="nobody")


async def _delete_vm(client: FluenceClient, world: World) -> None:
    first, *others = (await client.list_vms()).vms

    await client.delete_vm(first.id)

    assert len(others) == len(world.listed())
    left = [vm for vm in (await client.list_vms()).vms if vm.status is Status.ACTIVE]
    assert {vm.key for vm in others} == {vm.key for vm in left}
    with pytest.raises(RefusedError):
        await client.delete_vm(first.id)


async def _list_ssh_keys(client: FluenceClient, world: World) -> None:
    (key,) = await client.list_ssh_keys()

    (own,) = world.ssh_keys.values()
    assert (own.name, own.fingerprint, own.public_key, own.algorithm) == (
        key.name,
        key.fingerprint,
        key.public_key,
        key.algorithm,
    )


async def _add_ssh_key(client: FluenceClient, world: World) -> None:
    added = await client.add_ssh_key("mine", KEY)
    again = await client.add_ssh_key("other", KEY.replace("me@here", "me@there"))

    assert (True, "mine", KEY) == (added.is_new, added.key.name, added.key.public_key)
    assert (False, "mine") == (again.is_new, again.key.name)
    assert 2 == len(world.ssh_keys)
    with pytest.raises(ApiError):
        await client.add_ssh_key("bad", "no key at all")


async def _delete_ssh_key(client: FluenceClient, world: World) -> None:
    added = await client.add_ssh_key("mine", KEY)
    (first, _) = await client.list_ssh_keys()

    await client.delete_ssh_key(added.key)
    assert (first,) == await client.list_ssh_keys()

    await client.delete_ssh_key(first.fingerprint)
    assert () == await client.list_ssh_keys()
    with pytest.raises(RefusedError):
        await client.delete_ssh_key(first.fingerprint)


async def _account_balance(client: FluenceClient, world: World) -> None:
    balance = await client.account_balance()

    if client.dialect == "cloud":
        assert AccountBalance(world.balance, days_left=1000, overage=0) == balance
    else:
        assert NotReported(
            f"dialect {client.dialect} does not report the balance of an account"
        ) == (balance)


async def _service_status(client: FluenceClient, world: World) -> None:
    status = await client.service_status()

    if client.dialect == "cloud":
        assert ServiceStatus(maintenance=False, version="0.10.0") == status
    else:
        assert isinstance(status, NotReported)


async def _vm_pages(client: FluenceClient, world: World) -> None:
    whole = await client.list_vms()
    assert whole.vms
    assert [whole] == [page async for page in client.vm_pages()]


async def _list_resources(client: FluenceClient, world: World) -> None:
    if client.dialect != "cloud":
        with pytest.raises(RefusedError, match="has no disks"):
            await client.list_resources(Kind.DISK)
        assert GPUS == client.kinds
        return
    own = (Kind.DISK, Kind.PUBLIC_IP)
    assert (*own, *GPUS) == client.kinds
    disks, addresses = [await client.list_resources(kind) for kind in own]
    assert (4, 4, ()) == (len(disks.found), len(addresses.found), disks.flaws)
    vms = {(machine.uuid,) for machine in world.listed()}
    assert vms == {disk.attached_to for disk in disks.found}
    assert vms == {address.attached_to for address in addresses.found}


async def _delete_resource(client: FluenceClient, world: World) -> None:
    if client.dialect != "cloud":
        with pytest.raises(RefusedError, match="has no public IPs"):
            await client.delete_resource(Kind.PUBLIC_IP, UNKNOWN_VM)
        return
    disk = (await client.list_resources(Kind.DISK)).found[0]
    with pytest.raises(RefusedError, match="attached to a VM"):
        await client.delete_resource(Kind.DISK, disk.id)
    with pytest.raises(RefusedError):
        await client.delete_resource(Kind.PUBLIC_IP, UNKNOWN_VM)


async def _rename_gpu(client: FluenceClient, world: World) -> None:
    for kind in (GpuKind.VM, GpuKind.CONTAINER):
        AddGpu("old", kind, price=1_000).apply(world)
    (gpu,) = (await client.list_resources(Kind.GPU_VM)).found
    await client.rename_gpu(Kind.GPU_VM, gpu.id, "new")
    assert ["new"] == [each.name for each in (await client.list_resources(Kind.GPU_VM)).found]
    (container,) = (await client.list_resources(Kind.GPU_CONTAINER)).found
    with pytest.raises(RefusedError, match="cannot rename a GPU container"):
        await client.rename_gpu(Kind.GPU_CONTAINER, container.id, "new")
    with pytest.raises(RefusedError):
        await client.rename_gpu(Kind.GPU_VM, UNKNOWN_VM, "new")
    with pytest.raises(RefusedError, match="must not be blank"):
        await client.rename_gpu(Kind.GPU_VM, gpu.id, " ")


async def _permissions(client: FluenceClient, world: World) -> None:
    world.withheld = frozenset({"storage:read"})
    found = await client.permissions()

    if client.dialect == "cloud":
        assert "public_ip:read" in found
        assert "storage:read" not in found
    else:
        assert isinstance(found, NotReported)


async def _charges(client: FluenceClient, world: World) -> None:
    day = world.now.date()
    found = await client.charges(day - timedelta(days=30), day)

    if client.dialect == "cloud":
        assert {"vm"} == {each.kind for each in found}
        assert {m.uuid for m in world.listed()} >= {each.resource_id for each in found}
    else:
        assert isinstance(found, NotReported)


async def _market(client: FluenceClient, world: World) -> None:
    for kind in GpuKind:
        AddGpu(f"a-{kind}", kind).apply(world)
    market = await client.market()
    things = [*(await client.list_vms()).vms]
    for kind in GPUS:
        things += (await client.list_resources(kind)).found

    assert {} == market.unknown
    for thing in things:
        going = going_price(market, thing, client.billing or METERED)
        assert going
        assert going.here


CHECKS: Mapping[str, Check] = {
    "list_vms": _list_vms,
    "get_vm": _get_vm,
    "update_vm": _update_vm,
    "delete_vm": _delete_vm,
    "list_ssh_keys": _list_ssh_keys,
    "add_ssh_key": _add_ssh_key,
    "delete_ssh_key": _delete_ssh_key,
    "account_balance": _account_balance,
    "service_status": _service_status,
    "vm_pages": _vm_pages,
    "list_resources": _list_resources,
    "delete_resource": _delete_resource,
    "rename_gpu": _rename_gpu,
    "permissions": _permissions,
    "charges": _charges,
    "market": _market,
}


async def test_no_method_is_forgotten() -> None:
    """A method of the client without a check here is a method that no dialect was tried with."""
    methods = {
        name
        for name, member in vars(FluenceClient).items()
        if (inspect.iscoroutinefunction(member) or inspect.isasyncgenfunction(member))
        and not name.startswith("_")
    }

    assert {"aclose", *CHECKS} == methods


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("method", CHECKS)
async def test_method(
    simulated: Simulated, records: list[RequestRecord], method: str, dialect: str
) -> None:
    """Each method does in each dialect what it says."""
    world, client = await simulated(dialect)

    await CHECKS[method](client, world)

    assert dialect == client.dialect


WITHOUT_A_REQUEST = {
    "account_balance", "service_status", "list_resources", "delete_resource", "permissions",
    "charges",
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("method", CHECKS)
async def test_method_without_an_api(simulated: Simulated, method: str, dialect: str) -> None:
    """When nobody answers, each method that asks anything raises an `ApiError`, and no other."""
    world, client = await simulated(dialect, base_url="http://127.0.0.1:1", timeout=0.05)

    if method == "market":
        unknown = (await client.market()).unknown
        assert ({"VM prices"} | {f"{kind.word} prices" for kind in GPUS}) <= unknown.keys()
        assert all(why.startswith("no answer") for why in unknown.values())
    elif dialect != "cloud" and method in WITHOUT_A_REQUEST:
        await CHECKS[method](client, world)
    else:
        with pytest.raises(ApiError):
            await CHECKS[method](client, world)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_ports_that_cannot_be_written(simulated: Simulated, dialect: str) -> None:
    """What a dialect has no way to say is refused, and nothing is changed."""
    _, client = await simulated(dialect, vms=1)
    (before,) = (await client.list_vms()).vms
    odd = {"cloud": "80/any", "v2": "1-2000/tcp", "v3": "all/icmp"}[dialect]

    with pytest.raises(RefusedError, match="ports"):
        await client.update_vm(before.id, name="new", ports=[parse_port(odd)])

    assert (before,) == (await client.list_vms()).vms


async def test_a_range_is_opened_port_by_port(simulated: Simulated) -> None:
    """Where there are no ranges the ports of one are opened singly."""
    _, client = await simulated("v2", vms=1)
    (vm,) = (await client.list_vms()).vms

    await client.update_vm(vm.id, ports=[parse_port("8000-8002/udp")])

    (after,) = (await client.list_vms()).vms
    assert ["8000/udp", "8001/udp", "8002/udp"] == [str(port) for port in after.ports or ()]


@pytest.mark.parametrize("vm_id", ["", "..", "a/b", "x?y", "é", "0x1/../../v1/ssh_keys"])
@pytest.mark.parametrize("method", ["update_vm", "delete_vm"])
async def test_id_that_leads_elsewhere(
    simulated: Simulated, records: list[RequestRecord], method: str, vm_id: str
) -> None:
    """In `cloud`, where the id is a part of the path, what is no id is never asked for."""
    _, client = await simulated("cloud")
    rest = {"name": "x"} if method == "update_vm" else {}

    with pytest.raises(RefusedError, match="not an id of this dialect"):
        await getattr(client, method)(vm_id, **rest)

    assert [] == records


async def test_auth_of_a_read_only_key(simulated: Simulated) -> None:
    """A refused change says that the key may be one that only reads."""
    _, client = await simulated("v2", api_key="another")

    with pytest.raises(ApiError, match="must be a full-access key to change anything"):
        await client.update_vm("0x1", name="x")


async def test_what_a_metered_account_rents(simulated: Simulated) -> None:
    """Disks and addresses have prices of their own, and outlive their VM until they are deleted."""
    world, client = await simulated("cloud", 1, metered=True)
    (machine,) = world.listed()
    (disk,) = (await client.list_resources(Kind.DISK)).found
    (address,) = (await client.list_resources(Kind.PUBLIC_IP)).found
    assert (25 * 10**9, 1_000) == (disk.size_bytes, disk.price)
    assert (machine.public_ip, 4_000, METERED) == (address.address, address.price, address.billing)
    assert (False, False) == (disk.is_idle, address.is_idle)

    await client.delete_vm(machine.uuid)
    (disk,) = (await client.list_resources(Kind.DISK)).found
    assert disk.is_idle
    await client.delete_resource(Kind.DISK, disk.id)
    assert () == (await client.list_resources(Kind.DISK)).found
    assert ["web-1-ip"] == [rental.name for rental in world.rentals.values()]
