"""The client as a library, for programs without asyncio."""

import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from fluence_watch import fluence
from fluence_watch.fluence import (
    AccountBalance,
    ClientConfig,
    FluenceClient,
    Kind,
    Listing,
    RefusedError,
    UnauthorizedError,
    parse_port,
)
from fluence_watch.fluence.blocking import BlockingClient
from fluence_watch.simulator import World, build_world, create_app, running, utc_now
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu

HEAVY = ("sqlalchemy", "apprise", "alembic", "pydantic", "jinja2", "prometheus_client", "typer")


@pytest.fixture
def world() -> World:
    """A metered account with two VMs and a GPU instance."""
    made = build_world(
        seed=1, vms=2, epoch=timedelta(hours=24), now=utc_now(), api_key="k", metered=True
    )
    AddGpu("notebook", GpuKind.VM).apply(made)
    return made


@pytest.fixture
def config(world: World) -> Iterator[ClientConfig]:
    app: Any = running(create_app(world, utc_now, dialect="cloud"))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(app) as url:
        yield ClientConfig("k", url, dialect="cloud", gpu=True)


@pytest.fixture
def client(config: ClientConfig) -> Iterator[BlockingClient]:
    with BlockingClient(config) as made:
        yield made


def test_it_has_every_method() -> None:
    """With the same arguments, and the results that awaiting gives."""
    for name, method in vars(FluenceClient).items():
        if name.startswith("_") or name == "aclose" or not inspect.isfunction(method):
            continue
        awaited, blocking = map(inspect.signature, (method, getattr(BlockingClient, name)))
        if inspect.isasyncgenfunction(method):
            assert AsyncIterator[Listing] == awaited.return_annotation
            awaited = awaited.replace(return_annotation=Iterator[Listing])
        assert awaited == blocking


def test_everything_can_be_done(client: BlockingClient, world: World) -> None:
    """Each method against the simulated API."""
    first, second = client.list_vms().vms
    client.update_vm(first.id, name="front", ports=[parse_port("22/tcp")])
    renamed = client.get_vm(first.id)
    assert renamed is not None
    assert ("front", 1) == (renamed.name, len(renamed.ports or ()))
    client.delete_vm(second.id)
    assert 1 == len(world.machines)
    (idle,) = (each for each in client.list_resources(Kind.DISK).found if each.is_idle)
    client.delete_resource(Kind.DISK, idle.id)
    assert 3 == len(world.rentals)
    (gpu,) = client.list_resources(Kind.GPU_VM).found
    client.rename_gpu(Kind.GPU_VM, gpu.id, "lab")
    going = fluence.going_price(client.market(), gpu)
    assert going is not None
    assert (24 * (gpu.price or 0), "US") == (going.here, going.place)
    (key,) = client.list_ssh_keys()
    client.delete_ssh_key(key)
    assert client.add_ssh_key("again", key.public_key).is_new
    assert isinstance(client.account_balance(), AccountBalance)
    assert "storage:read" in client.permissions()  # type: ignore[operator]
    assert not client.service_status().maintenance  # type: ignore[union-attr]
    assert ("cloud", True) == (client.dialect, Kind.GPU_VM in client.kinds)


def test_pages_are_iterated_over(client: BlockingClient, world: World) -> None:
    """Each is requested when it is wanted, and one may leave before the last."""
    for _ in range(200):
        world.deploy()
    whole = client.list_vms()
    pages = list(client.vm_pages())

    assert [100, 100, 2] == [len(page.vms) for page in pages]
    assert [vm.id for vm in whole.vms] == [vm.id for page in pages for vm in page.vms]
    assert all(page.complete for page in pages)
    first = next(iter(client.vm_pages()))
    world.api_key = "another"
    assert [vm.id for vm in pages[0].vms] == [vm.id for vm in first.vms]
    with pytest.raises(UnauthorizedError):
        next(client.vm_pages())


def test_errors_are_raised(client: BlockingClient, world: World) -> None:
    with pytest.raises(RefusedError):
        client.delete_vm("nobody")
    world.api_key = "another"
    with pytest.raises(UnauthorizedError):
        client.list_vms()


async def test_it_works_where_a_loop_runs(config: ClientConfig) -> None:
    """As in a notebook. Closing twice is harmless."""
    client = BlockingClient(config)
    assert client.list_vms().complete
    client.close()
    client.close()


def test_it_prints_nothing(config: ClientConfig) -> None:
    """A program that has not set up logs has its standard output for itself, also with `auto`."""
    program = (
        "from fluence_watch.fluence import ClientConfig\n"
        "from fluence_watch.fluence.blocking import BlockingClient\n"
        f"with BlockingClient(ClientConfig('k', {config.base_url!r}, dialect='auto')) as client:\n"
        "    client.list_vms()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert ("", "") == (done.stdout, done.stderr)


def test_it_is_light() -> None:
    """What only the daemon and the commands need is not loaded."""
    program = f"import sys, fluence_watch.fluence.blocking; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "[]" == done.stdout.strip()


def test_the_names_are_there() -> None:
    """All that methods take, return and raise."""
    assert all(hasattr(fluence, name) for name in fluence.__all__)
