"""What happens in an account that pays by the second: its balance, disks and GPU instances."""

from fluence_watch.simulator.actions import AddDisk, SetBalance
from fluence_watch.simulator.gpu import GpuInstance, GpuKind, GpuState
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu
from fluence_watch.simulator.market_actions import Bill
from tests.e2e.truth.fleet import ADDRESSES, BALANCE, BILL, DISKS, KEYS, Account
from tests.e2e.truth.growing import GROWING, burst
from tests.e2e.truth.happenings import (
    PREPAID,
    Happening,
    Scene,
    Steps,
    lasts,
    outage,
    refused,
    touch,
)
from tests.e2e.truth.plan import DAY, HOUR, MINUTE
from tests.e2e.truth.unreadable import UNREADABLE


def poor(_: Scene, account: Account) -> Steps:
    """The balance runs low, and lower; the account owes; then it is topped up."""
    if "balance" in account.busy:
        return
    account.busy.add("balance")
    burn, world = account.burn, account.world
    for days in (5, 2.2, 0.6, -1_000_000 / burn):
        touch(account, "", "the balance runs low" if days > 0 else "a debt")
        SetBalance(int(days * burn)).apply(world)
        yield lasts(account, 50 * MINUTE, 3 * HOUR)
    touch(account, "")
    SetBalance(10**11).apply(world)
    account.busy.discard("balance")


def idle(_: Scene, account: Account) -> Steps:
    """A disk that no VM uses, until somebody deletes it."""
    touch(account, "", "an idle disk")
    name = f"disk-{next(account.names)}"
    AddDisk(name).apply(account.world)
    yield lasts(account, 20 * HOUR, 40 * HOUR)
    key = next(key for key, each in account.world.rentals.items() if each.name == name)
    touch(account, f"disk:{key}", "a disk is deleted")
    del account.world.rentals[key]


def wrong_bill(_: Scene, account: Account) -> Steps:
    """The bill names other amounts than the balance lost, for days."""
    if "bill" in account.busy:
        return
    account.busy.add("bill")
    touch(account, "", "the bill is wrong")
    Bill(account.random.choice((60, 72, 135, 150))).apply(account.world)
    yield lasts(account, 2.5 * DAY, 5 * DAY)
    touch(account, "")
    Bill(100).apply(account.world)
    account.busy.discard("bill")


def list_fails(_: Scene, account: Account) -> Steps:
    """One list fails alone for a while."""
    which = account.random.choice((KEYS, DISKS, ADDRESSES, BILL, BALANCE))
    if which not in account.wire.dead:
        touch(account, "", "a list fails alone")
        account.wire.dead.add(which)
        yield lasts(account, 5 * MINUTE, 3 * HOUR)
        account.wire.dead.discard(which)


def gpu_drained(_: Scene, account: Account) -> Steps:
    """The top-ups of a GPU instance fail; somebody mends them, or it ends."""
    gpu = _gpu(account)
    if gpu:
        touch(account, f"gpu_{gpu.kind}:{gpu.id}", "top-ups of a GPU instance fail")
        SetGpu(gpu.id, drained=True).apply(account.world)
        yield lasts(account, 30 * MINUTE, 4 * HOUR)
        SetGpu(gpu.id, drained=False).apply(account.world)
        yield 2 * HOUR
        account.busy.discard(gpu.id)


def gpu_stopped(_: Scene, account: Account) -> Steps:
    """A container does not run, but costs money."""
    gpu = _gpu(account, GpuKind.CONTAINER)
    if gpu:
        touch(account, f"gpu_{gpu.kind}:{gpu.id}", "a container stops")
        SetGpu(gpu.id, started=False).apply(account.world)
        yield lasts(account, 5 * MINUTE, 4 * HOUR)
        SetGpu(gpu.id, started=True).apply(account.world)
        yield HOUR
        account.busy.discard(gpu.id)


def gpu_added(_: Scene, account: Account) -> Steps:
    """Somebody rents a GPU instance; now and then one ends."""
    kind = account.random.choice([*GpuKind])
    AddGpu(f"gpu-{next(account.names)}", kind, price=20_000).apply(account.world)
    yield lasts(account, HOUR, 5 * HOUR)
    gpu = _gpu(account)
    if gpu:
        touch(account, f"gpu_{gpu.kind}:{gpu.id}", "a GPU instance ends")
        SetGpu(gpu.id, state=GpuState.ENDED).apply(account.world)


def _gpu(account: Account, kind: GpuKind | None = None) -> GpuInstance | None:
    found = [
        each
        for each in account.world.gpus.values()
        if each.state is GpuState.ACTIVE and each.id not in account.busy
        if kind in {None, each.kind} and each.started and not each.drained
    ]
    chosen = account.random.choice(found) if found else None
    if chosen:
        account.busy.add(chosen.id)
    return chosen


METERED: dict[Happening, float] = {
    poor: 0.5, idle: 0.8, gpu_drained: 1, gpu_stopped: 1.2, gpu_added: 1, outage: 0.35, refused: 0.2,
    wrong_bill: 0.12, list_fails: 1.5,
}  # fmt: skip
"""The same of an account that pays by the second."""


def daily(account: Account) -> dict[Happening, float]:
    """What may happen in the account, and how often a day."""
    return METERED if account.world.metered else PREPAID | UNREADABLE | GROWING


def first(what: Happening) -> tuple[float, float]:
    """From when to when of a run it begins for the first time.

    What leaves a gap comes early, for a bill is judged by whole days; a burst after days to compare with.
    """
    if what in {outage, refused, list_fails}:
        return 0.03, 0.2
    return (0.75, 0.9) if what is burst else (0.03, 0.6)
