"""One VM of the simulated world, and how it pays: pure functions from a VM to the next one.

Source: Fluence guide, "Managing your Virtual Machines", billing info. An epoch is charged whole at
its start, from the reserve; a little later the reserve is topped up to the price of one epoch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.vm import SSH, Port
from fluence_watch.simulator.catalog import ROME, Configuration, Datacenter, Hardware
from fluence_watch.simulator.errors import RefusedError

RESERVED_PORT = 10_250
_PROTOCOLS = frozenset({"tcp", "udp"})


class State(StrEnum):
    """Whether a VM still runs."""

    ACTIVE = "active"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM as its provider knows it; frozen, so that an unchanged VM is the same object.

    `price`, `reserved` and `spent` are micro-USDC. `top_up_at` is when the reserve is filled
    again, `top_ups_fail` whether that will fail. A vanished VM is in no list and pays nothing.
    """

    id: str
    name: str
    configuration: Configuration
    datacenter: Datacenter
    price: MicroUsdc
    reserved: MicroUsdc
    spent: MicroUsdc
    created_at: datetime
    next_billing_at: datetime
    public_ip: str
    os_image: str
    hardware: Hardware = ROME
    ports: tuple[Port, ...] = (SSH,)
    state: State = State.ACTIVE
    top_up_at: datetime | None = None
    top_ups_fail: bool = False
    vanished: bool = False

    @property
    def key(self) -> str:
        """The id without case."""
        return key_of(self.id)

    @property
    def is_billed(self) -> bool:
        """Whether it will be charged again."""
        return self.state is State.ACTIVE and not self.vanished

    @property
    def shortfall(self) -> MicroUsdc:
        """What the reserve lacks for one epoch."""
        return MicroUsdc(max(0, self.price - self.reserved))


def key_of(vm_id: str) -> str:
    """What identifies a VM: its id without case."""
    return vm_id.lower()


def next_due(machine: Machine) -> datetime | None:
    """When money moves next: a charge or a top-up; `None` when never."""
    if not machine.is_billed:
        return None
    if machine.top_up_at is None:
        return machine.next_billing_at
    return min(machine.next_billing_at, machine.top_up_at)


def charge(machine: Machine, epoch: timedelta, top_up_delay: timedelta) -> Machine:
    """The VM after its boundary; terminated when the reserve cannot pay."""
    if machine.shortfall:
        return terminated(machine)
    return replace(
        machine,
        reserved=MicroUsdc(machine.reserved - machine.price),
        spent=MicroUsdc(machine.spent + machine.price),
        next_billing_at=machine.next_billing_at + epoch,
        top_up_at=machine.next_billing_at + top_up_delay,
    )


def topped_up(machine: Machine, amount: MicroUsdc) -> Machine:
    """The VM after a top-up; an amount of 0 is one that failed or was not needed."""
    return replace(machine, reserved=MicroUsdc(machine.reserved + amount), top_up_at=None)


def terminated(machine: Machine) -> Machine:
    """The VM after its provider ended it; the reserve stays locked in it."""
    return replace(machine, state=State.TERMINATED, top_up_at=None)


def returned(machine: Machine, now: datetime, epoch: timedelta) -> Machine:
    """A vanished VM back again. The epochs that began meanwhile are not charged."""
    missed = max(0, -((machine.next_billing_at - now) // epoch))
    return replace(
        machine, vanished=False, next_billing_at=machine.next_billing_at + missed * epoch
    )


def checked_ports(ports: Iterable[Port]) -> tuple[Port, ...]:
    """The set of ports as the service keeps it: sorted, each once.

    Raises:
        RefusedError: one is reserved, or its protocol is neither tcp nor udp.
    """
    wanted = frozenset(ports)
    for port in wanted:
        if port.first <= RESERVED_PORT <= port.last:
            raise RefusedError(f"port {RESERVED_PORT} is reserved")
        if port.protocol not in _PROTOCOLS:
            raise RefusedError(f"unknown protocol {port.protocol!r:.40}")
    return tuple(sorted(wanted))
