"""The accounts of the month, and what happens in them: by seed, and at any second."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator import Fault, FaultKind, FaultPlan, Profile, World, build_world
from fluence_watch.simulator.actions import AddAddress, AddDisk
from fluence_watch.simulator.catalog import CONFIGURATIONS
from fluence_watch.simulator.gpu import GpuInstance, GpuKind, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu
from fluence_watch.simulator.machine import Machine

VMS = 10
DIALECTS = ("v2", "v3", "cloud")
DAY = timedelta(days=1)
_DELETED = 0.4
FLAKY = Profile(
    "month",
    {
        FaultKind.STATUS: 0.02,
        FaultKind.DROP: 0.01,
        FaultKind.TRUNCATED_JSON: 0.015,
        FaultKind.TRUNCATED_BODY: 0.005,
    },
)
"""Five percent of the requests fail."""
DOWN = Profile("down", {FaultKind.TRUNCATED_JSON: 1.0})
"""No request succeeds, and none is tried again."""


class Faults(FaultPlan):
    """A plan that counts."""

    requests = failed = 0

    def next_fault(self) -> Fault | None:
        """The fault of the next request."""
        fault = super().next_fault()
        self.requests += 1
        self.failed += fault is not None
        return fault


@dataclass
class Account:
    """A simulated account. `removed` is called with the key of a VM that `vm rm` is about to delete."""

    name: str
    world: World
    faults: Faults
    random: Random
    removed: Callable[[str], None] = lambda _: None
    names: "count[int]" = field(default_factory=count)

    @property
    def metered(self) -> bool:
        """Whether it is charged per second."""
        return self.world.metered

    def key(self, machine: Machine) -> str:
        """What the VM is called in the ledger."""
        return machine.uuid if self.metered else machine.key

    def happen(self) -> None:
        """Let something happen now."""
        self.random.choice(_METERED if self.metered else _PREPAID)(self)

    def running(self) -> Machine | None:
        """One of the VMs that run."""
        found = [each for each in self.world.listed() if each.is_billed]
        return self.random.choice(found) if found else None

    def name_of(self, what: str) -> str:
        """A name that nothing had before."""
        return f"{what}-{next(self.names)}"


def accounts(seed: int, begin: datetime) -> list[Account]:
    """The three accounts at the beginning."""
    return [_account(dialect, seed * 10 + number, begin) for number, dialect in enumerate(DIALECTS)]


def _account(dialect: str, seed: int, begin: datetime) -> Account:
    metered = dialect == "cloud"
    world = build_world(
        seed=seed, vms=VMS, epoch=DAY, now=begin, api_key="k", metered=metered,
        balance=MicroUsdc(10**11),
    )  # fmt: skip
    account = Account(dialect, world, Faults(FLAKY, seed), Random(seed))
    if metered:
        for _ in range(4):
            add_disk(account)
            add_gpu(account)
    return account


# What the user does, what the provider does, and what goes wrong


def deploy(account: Account) -> None:
    """A VM begins."""
    if len([each for each in account.world.listed() if each.is_billed]) < 2 * VMS:
        kind = account.random.choice(CONFIGURATIONS[:3])
        account.world.deploy(account.name_of("fresh"), kind)


def remove(account: Account) -> None:
    """The user deletes a VM with `vm rm`, which leaves a note before the request."""
    if machine := account.running():
        account.removed(account.key(machine))
        account.world.delete(machine.id)


def delete(account: Account) -> None:
    """The user deletes a VM elsewhere, one that has ended if there is one."""
    ended = [each for each in account.world.listed() if not each.is_billed]
    if machine := account.random.choice(ended) if ended else account.running():
        account.world.delete(machine.id)


def drain(account: Account) -> None:
    """The top-ups of a VM begin to fail: it dies at its second boundary, unless they are mended."""
    if machine := account.running():
        account.world.drain(machine.id)


def mend(account: Account) -> None:
    """All top-ups work again."""
    account.world.mend()


def terminate(account: Account) -> None:
    """The provider ends a VM."""
    if machine := account.running():
        account.world.terminate(machine.id)


def set_price(account: Account) -> None:
    """The price of a VM changes."""
    if machine := account.running():
        price = machine.price * account.random.randint(80, 125) // 100
        account.world.set_price(machine.id, MicroUsdc(price))


def add_disk(account: Account) -> None:
    """A disk begins."""
    price = account.random.randint(10_000, 300_000)
    AddDisk(account.name_of("disk"), price=price).apply(account.world)


def add_address(account: Account) -> None:
    """A public address begins."""
    AddAddress(account.name_of("ip")).apply(account.world)


def delete_rentals(account: Account) -> None:
    """Some of the disks and addresses that serve no VM end."""
    rentals = account.world.rentals
    for key in [key for key, each in rentals.items() if each.attached_to == ""]:
        if account.random.random() < _DELETED:
            del rentals[key]


def add_gpu(account: Account) -> None:
    """A GPU instance begins."""
    kind, price = account.random.choice([*GpuKind]), account.random.randint(10_000, 900_000)
    AddGpu(account.name_of("gpu"), kind, price=price).apply(account.world)


def drain_gpu(account: Account) -> None:
    """The top-ups of a GPU instance fail from now on: it ends in two hours."""
    if gpu := _gpu(account):
        SetGpu(gpu.id, drained=True).apply(account.world)


def end_gpu(account: Account) -> None:
    """A GPU instance ends."""
    if gpu := _gpu(account):
        SetGpu(gpu.id, state=GpuState.ENDED).apply(account.world)


def _gpu(account: Account) -> GpuInstance | None:
    found = [each for each in account.world.gpus.values() if each.state is GpuState.ACTIVE]
    return account.random.choice(found) if found else None


_PREPAID = (
    *[deploy] * 5, remove, delete, drain, mend, mend, terminate, set_price, set_price,
)  # fmt: skip
_METERED = (
    deploy, deploy, remove, delete, terminate, set_price, add_disk, add_address, delete_rentals,
    add_gpu, add_gpu, drain_gpu, end_gpu,
)  # fmt: skip
