"""One VM of the simulated world, and its payments: pure functions from a VM to its next state.

Source: Fluence guide, "Managing your Virtual Machines", billing info. A whole epoch is charged at
its start, from the reserve. A little later the reserve is topped up to the price of one epoch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import ALL_PORTS, SSH, Port
from fluence_watch.simulator.catalog import ROME, Configuration, Datacenter, Hardware
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.ids import uuid_of

Rule = Mapping[str, object]
"""A firewall rule as it was given, which opens ports to some addresses but not to everybody."""

RESERVED_PORT = 10_250
_PROTOCOLS = frozenset({"tcp", "udp", "sctp", "any"})
_WITHOUT_NUMBERS = Port(*ALL_PORTS, "icmp")


class State(StrEnum):
    """The state of a VM; all but the first and the last are billed."""

    DRAFT = "draft"
    NEW = "new"
    LAUNCHING = "launching"
    ACTIVE = "active"
    STOPPED = "stopped"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM as its provider knows it; frozen, so that an unchanged VM is the same object.

    `price`, `reserved` and `spent` are micro-USDC.
    `top_up_at` is when the reserve is filled again, `top_ups_fail` whether that will fail.
    A vanished VM is in no list and pays nothing.
    `state_changed_at` is unknown for a VM that never changed its state.
    VMs of one `group` share one set of ports; a single VM is its own group.
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
    state_changed_at: datetime | None = None
    shares_ports_with: str = ""
    narrow_rules: tuple[Rule, ...] = ()

    @property
    def key(self) -> str:
        """The id in lower case."""
        return key_of(self.id)

    @property
    def uuid(self) -> str:
        """The id for dialects that use UUIDs."""
        return uuid_of("vm", self.key)

    @property
    def group(self) -> str:
        """The key of the VM whose set of ports this VM uses."""
        return self.shares_ports_with or self.key

    @property
    def is_billed(self) -> bool:
        """Whether it will be charged again."""
        return self.state not in {State.DRAFT, State.TERMINATED} and not self.vanished

    @property
    def is_short(self) -> bool:
        """Whether the reserve cannot pay the next epoch and no top-up is pending."""
        return self.is_billed and self.top_up_at is None and self.shortfall > 0

    @property
    def shortfall(self) -> MicroUsdc:
        """The amount that the reserve lacks for one epoch."""
        return MicroUsdc(max(0, self.price - self.reserved))


def key_of(vm_id: str) -> str:
    """The identity of a VM: its id in lower case."""
    return vm_id.lower()


def next_due(machine: Machine) -> datetime | None:
    """The time of the next charge or top-up; `None` if there is none."""
    if not machine.is_billed:
        return None
    if machine.top_up_at is None:
        return machine.next_billing_at
    return min(machine.next_billing_at, machine.top_up_at)


def charge(machine: Machine, epoch: timedelta, top_up_delay: timedelta) -> Machine:
    """The VM after its boundary; terminated if the reserve cannot pay."""
    if machine.shortfall:
        return terminated(machine, machine.next_billing_at)
    return replace(
        machine,
        reserved=MicroUsdc(machine.reserved - machine.price),
        spent=MicroUsdc(machine.spent + machine.price),
        next_billing_at=machine.next_billing_at + epoch,
        top_up_at=machine.next_billing_at + top_up_delay,
    )


def topped_up(machine: Machine, amount: MicroUsdc) -> Machine:
    """The VM after a top-up; an amount of 0 is a failed or unneeded one."""
    return replace(machine, reserved=MicroUsdc(machine.reserved + amount), top_up_at=None)


def terminated(machine: Machine, at: datetime) -> Machine:
    """The VM after its end; the reserve stays locked. An ended VM is returned unchanged."""
    if machine.state is State.TERMINATED:
        return machine
    return replace(machine, state=State.TERMINATED, state_changed_at=at, top_up_at=None)


def in_state(machine: Machine, state: State, at: datetime) -> Machine:
    """The VM in another state.

    Raises:
        RefusedError: it has ended.
    """
    if machine.state is State.TERMINATED:
        raise RefusedError("the VM has been terminated")
    if state is State.TERMINATED:
        return terminated(machine, at)
    return replace(machine, state=state, state_changed_at=at)


def sharing_ports(machine: Machine, other: Machine) -> Machine:
    """The VM with the open ports of the other one. Later changes to either apply to both."""
    return replace(
        machine,
        shares_ports_with=other.group,
        ports=other.ports,
        narrow_rules=other.narrow_rules,
    )


def last_charge(machine: Machine, epoch: timedelta) -> datetime:
    """The start of the running epoch; of the last epoch, for an ended VM."""
    return max(machine.created_at, machine.next_billing_at - epoch)


def returned(machine: Machine, now: datetime, epoch: timedelta) -> Machine:
    """A vanished VM that is back. Epochs that began meanwhile are not charged."""
    missed = max(0, -((machine.next_billing_at - now) // epoch))
    return replace(
        machine, vanished=False, next_billing_at=machine.next_billing_at + missed * epoch
    )


def checked_ports(ports: Iterable[Port]) -> tuple[Port, ...]:
    """The set of ports as the service stores it: sorted, without repeats.

    Raises:
        RefusedError: one is reserved (all ports at once are not), or its protocol is unknown.
    """
    wanted = frozenset(ports)
    for port in wanted:
        if port.first <= RESERVED_PORT <= port.last and port[:2] != ALL_PORTS:
            raise RefusedError(f"port {RESERVED_PORT} is reserved")
        if port.protocol not in _PROTOCOLS and port != _WITHOUT_NUMBERS:
            raise RefusedError(f"unknown protocol {port.protocol!r:.40}")
    return tuple(sorted(wanted))
