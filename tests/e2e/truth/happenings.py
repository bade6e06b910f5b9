"""What happens in an account, by seed: each kind of event begins with a VM that nothing else happens to.

A happening says what it does now and what it does later, so that its end is part of it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, parse_port
from fluence_watch.simulator.actions import SetAddress, SetState
from fluence_watch.simulator.catalog import CONFIGURATIONS
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.machine import Machine, State
from fluence_watch.simulator.market_actions import Overcharge
from fluence_watch.simulator.ssh import ed25519_line
from tests.e2e.truth.fleet import DOWN, REFUSED, Account
from tests.e2e.truth.plan import DAY, HOUR, MINUTE

Steps = Iterator[timedelta]
"""What happens, and how long until it goes on."""
Happening = Callable[["Scene", Account], Steps]
_PORTS = ("8080/tcp", "6379/tcp", "9200/tcp", "161/udp")
_REMOVED_FOR = HOUR


@dataclass
class Scene:
    """What goes on in all accounts. `removed` is called when the user deletes a VM by `vm rm`."""

    accounts: list[Account]
    removed: Callable[[Account, str], None]
    _due: list[tuple[datetime, int, Account, Steps]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def begin(self, at: datetime, account: Account, what: Happening) -> None:
        """Let it begin then."""
        heappush(self._due, (at, next(self._numbers), account, what(self, account)))

    def play(self, until: datetime) -> None:
        """All that happens until then."""
        while self._due and self._due[0][0] <= until:
            at, _, account, steps = heappop(self._due)
            account.world.advance(at)
            wait = None
            with suppress(RefusedError, UnknownError):  # impossible by now, as without money
                wait = next(steps, None)
            if wait is not None:
                heappush(self._due, (at + wait, next(self._numbers), account, steps))
        for account in self.accounts:
            account.world.advance(until)


def lasts(account: Account, least: timedelta, most: timedelta) -> timedelta:
    return least + (most - least) * account.random.random()


def _one(account: Account, what: str) -> Machine | None:
    """A VM to which this happens, and nothing else until it is freed."""
    machine = account.free()
    if machine:
        account.busy.add(machine.key)
        touch(account, machine.key, what)
    return machine


def touch(account: Account, key: str, what: str = "") -> None:
    """Something happens to this."""
    account.touched[key] = account.world.now
    account.happened[what] += bool(what)


# Ports, addresses, prices


def port(_: Scene, account: Account) -> Steps:
    """Somebody opens a port, and closes it."""
    if machine := _one(account, "a port opens"):
        opened = parse_port(account.random.choice(_PORTS))
        account.world.open_port(machine.id, opened)
        yield lasts(account, 2 * MINUTE, 9 * HOUR)
        account.world.close_port(machine.id, opened)
        yield _rest(account, machine)
        account.busy.discard(machine.key)


def lockout(_: Scene, account: Account) -> Steps:
    """An update leaves port 22 out."""
    if machine := _one(account, "port 22 closes"):
        account.world.close_port(machine.id, SSH)
        yield lasts(account, 10 * MINUTE, 3 * HOUR)
        account.world.open_port(machine.id, SSH)
        yield _rest(account, machine)
        account.busy.discard(machine.key)


def address(_: Scene, account: Account) -> Steps:
    """A VM gets another address."""
    if machine := _one(account, "an address changes"):
        fresh = f"198.19.{account.random.randrange(256)}.{account.random.randrange(1, 255)}"
        SetAddress(machine.id, fresh).apply(account.world)
        yield _rest(account, machine)
        account.busy.discard(machine.key)


def cheaper(_: Scene, account: Account) -> Steps:
    """A price falls: below half, the reserve pays two epochs, and no top-up follows its charge."""
    percent = account.random.randint(40, 97)
    if machine := _one(account, "a price falls"):
        account.world.set_price(machine.id, MicroUsdc(machine.price * percent // 100))
        yield _rest(account, machine)
        account.busy.discard(machine.key)


def dearer(_: Scene, account: Account) -> Steps:
    """A price rises above the reserve, and the user sees to it."""
    machine = account.free()
    if machine and machine.next_billing_at - account.world.now > 8 * HOUR:
        account.busy.add(machine.key)
        touch(account, machine.key, "a price rises")
        price = machine.price * account.random.randint(103, 180) // 100
        account.world.set_price(machine.id, MicroUsdc(price))
        yield lasts(account, 5 * MINUTE, 6 * HOUR)
        account.world.mend(machine.id)
        yield _rest(account, machine)
        account.busy.discard(machine.key)


def overcharge(_: Scene, account: Account) -> Steps:
    """A VM is charged beside its boundary."""
    machine = account.free()
    if machine and 2 * HOUR < machine.next_billing_at - account.world.now < 22 * HOUR:
        account.busy.add(machine.key)
        touch(account, machine.key, "an odd charge")
        Overcharge(machine.id, machine.price // 3).apply(account.world)
        yield machine.next_billing_at - account.world.now + HOUR
        account.busy.discard(machine.key)


# Money


def drained(_: Scene, account: Account) -> Steps:
    """Top-ups of a VM fail: it is mended in time, or ends a day after its boundary."""
    if machine := _one(account, "top-ups fail"):
        account.world.drain(machine.id)
        to_boundary = machine.next_billing_at - account.world.now
        yield to_boundary + timedelta(seconds=1)
        touch(account, machine.key)
        if account.random.random() < 0.75:
            yield lasts(account, 5 * MINUTE, 23 * HOUR)
            account.world.mend(machine.id)
            yield _rest(account, machine)
            account.busy.discard(machine.key)
        else:
            yield DAY
            touch(account, machine.key, "a VM runs dry")
            yield from _cleaned_up(account, machine)


# The life of a VM


def deploy(_: Scene, account: Account) -> Steps:
    """Somebody makes a VM."""
    if len([each for each in account.world.listed() if each.is_billed]) < 105:
        role = account.random.choice(("web", "db", "ci", "api"))
        kind = account.random.choice(CONFIGURATIONS[:3])
        made = account.world.deploy(f"{role}-{next(account.names)}", kind)
        account.busy.add(made.key)
        touch(account, made.key, "a VM is made")
        yield 2 * HOUR
        account.busy.discard(made.key)


def remove(scene: Scene, account: Account) -> Steps:
    """The user deletes a VM by `vm rm`, which leaves a note."""
    if machine := _one(account, "vm rm"):
        scene.removed(account, machine.key)
        account.world.delete(machine.id)
        yield MINUTE


def delete(_: Scene, account: Account) -> Steps:
    """Somebody deletes a VM elsewhere."""
    if machine := _one(account, "a VM is deleted"):
        account.world.delete(machine.id)
        yield MINUTE


def vanish(_: Scene, account: Account) -> Steps:
    """A VM leaves the list, and comes back."""
    if machine := _one(account, "a VM vanishes"):
        account.world.vanish(machine.id)
        yield lasts(account, 2 * MINUTE, 5 * HOUR)
        account.world.bring_back(machine.id)
        yield _rest(account, machine)
        account.busy.discard(machine.key)


def terminate(_: Scene, account: Account) -> Steps:
    """The provider ends a VM; where it stays in the list, the user deletes it later."""
    if machine := _one(account, "the provider ends a VM"):
        account.world.terminate(machine.id)
        yield from _cleaned_up(account, machine)


def _cleaned_up(account: Account, machine: Machine) -> Steps:
    yield lasts(account, 3 * HOUR, 40 * HOUR)
    account.world.delete(machine.id)


def stopped(_: Scene, account: Account) -> Steps:
    """A VM is stopped, and started; now and then a port opens meanwhile."""
    if machine := _one(account, "a VM stops"):
        SetState(machine.id, State.STOPPED).apply(account.world)
        yield lasts(account, 2 * MINUTE, 2 * HOUR)
        opened = parse_port(account.random.choice(_PORTS))
        with_port = account.random.random() < 0.5
        if with_port:
            account.world.open_port(machine.id, opened)
            yield lasts(account, 2 * MINUTE, 2 * HOUR)
        SetState(machine.id, State.ACTIVE).apply(account.world)
        yield lasts(account, 2 * MINUTE, HOUR)
        if with_port:
            account.world.close_port(machine.id, opened)
        yield _rest(account, machine)
        account.busy.discard(machine.key)


# The account


def key(_: Scene, account: Account) -> Steps:
    """Somebody adds an SSH key, and removes it."""
    line = ed25519_line(account.random.randbytes(32), "eve@example.com")
    made, _ = account.world.add_ssh_key("eve", line)
    touch(account, made.fingerprint, "an SSH key")
    yield lasts(account, 20 * MINUTE, 20 * HOUR)
    touch(account, made.fingerprint)
    account.world.remove_ssh_key(made.fingerprint)


def fleet(_: Scene, account: Account) -> Steps:
    """Most of the fleet leaves the list at once, and comes back."""
    found = [m for m in account.world.listed() if m.is_billed and m.key not in account.busy]
    chosen = account.random.sample(found, int(0.8 * len(found)))
    touch(account, "fleet", "most of a fleet vanishes")
    for machine in chosen:
        account.busy.add(machine.key)
        account.world.vanish(machine.id)
    yield lasts(account, 20 * MINUTE, 3 * HOUR)
    for machine in chosen:
        account.world.bring_back(machine.id)
    yield HOUR
    account.busy -= {each.key for each in chosen}


def outage(_: Scene, account: Account) -> Steps:
    """The API fails for a while."""
    touch(account, "", "the API fails")
    account.wire.broken = DOWN
    yield lasts(account, 12 * MINUTE, 2 * HOUR)
    account.wire.broken = None


def refused(_: Scene, account: Account) -> Steps:
    """The API key is refused for a while."""
    touch(account, "", "the key is refused")
    account.wire.broken = REFUSED
    yield lasts(account, 6 * MINUTE, HOUR)
    account.wire.broken = None


def _rest(account: Account, machine: Machine) -> timedelta:
    """Until the next thing may happen to it."""
    touch(account, machine.key)
    return HOUR


PREPAID: dict[Happening, float] = {
    port: 5, lockout: 2, address: 1.5, cheaper: 2, dearer: 2, overcharge: 1, drained: 2.5,
    deploy: 2.5, remove: 0.5, delete: 0.6, vanish: 3, terminate: 0.8, stopped: 3, key: 0.8,
    outage: 0.35, refused: 0.2, fleet: 0.12,
}  # fmt: skip
"""How often each begins in an account, a day."""
