"""Every event of a world, as data; control and scenario use the same actions.

Each action is a JSON object (`{"vm": "web-1", "port": "8080/tcp"}`) and applies itself to a world.
`vm` is an id or a name, amounts are micro-USDC.
Applying one raises `UnknownError` or `RefusedError`, as the world does.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from msgspec import Struct

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port, parse_port
from fluence_watch.simulator.catalog import CONFIGURATIONS, DATACENTERS, configuration
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.gpu_actions import AddGpu, SetGpu
from fluence_watch.simulator.machine import State, in_state, sharing_ports
from fluence_watch.simulator.market_actions import Bill, Market, Overcharge
from fluence_watch.simulator.rental import ADDRESS_PRICE, Rental, RentalKind, disk_price
from fluence_watch.simulator.world import World


class Action(Protocol):
    """An event in a world."""

    def apply(self, world: World) -> None:
        """Apply it at the world's current time."""


class Deploy(Struct, frozen=True, forbid_unknown_fields=True):
    """A new VM, `{"name": …, "config": "cpu-2-ram-4gb-storage-25gb", "ports": ["22/tcp"]}`."""

    name: str | None = None
    config: str = CONFIGURATIONS[0].slug
    ports: tuple[str, ...] = ("22/tcp",)

    def apply(self, world: World) -> None:
        """Deploy it."""
        world.deploy(self.name, configuration(self.config), map(_port, self.ports))


class Delete(Struct, frozen=True, forbid_unknown_fields=True):
    """The user deletes a VM, or every VM without `vm`."""

    vm: str | None = None

    def apply(self, world: World) -> None:
        """Delete it."""
        every = world.listed() if self.vm is None else [world.find(self.vm)]
        for machine in every:
            world.delete(machine.id)


class Rename(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM gets a new name."""

    vm: str
    name: str

    def apply(self, world: World) -> None:
        """Rename it."""
        world.update(world.find(self.vm).id, name=self.name)


class OpenPort(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM opens one more port, `"8080/tcp"`."""

    vm: str
    port: str

    def apply(self, world: World) -> None:
        """Open it."""
        world.open_port(world.find(self.vm).id, _port(self.port))


class ClosePort(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM closes one port."""

    vm: str
    port: str

    def apply(self, world: World) -> None:
        """Close it."""
        world.close_port(world.find(self.vm).id, _port(self.port))


class SetPorts(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM's whole set of open ports is replaced."""

    vm: str
    ports: tuple[str, ...]

    def apply(self, world: World) -> None:
        """Replace the set."""
        world.update(world.find(self.vm).id, ports=map(_port, self.ports))


class SharePorts(Struct, frozen=True, forbid_unknown_fields=True):
    """`vm` shares the open ports of `other` from now on, like members of one security group."""

    vm: str
    other: str

    def apply(self, world: World) -> None:
        """Share them."""
        world.put(sharing_ports(world.find(self.vm), world.find(self.other)))


class SetState(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM becomes `new`, `launching`, `active`, `stopped` or `terminated`."""

    vm: str
    state: State

    def apply(self, world: World) -> None:
        """Set the state."""
        world.put(in_state(world.find(self.vm), self.state, world.now))


class Maintenance(Struct, frozen=True, forbid_unknown_fields=True):
    """Maintenance of the service begins or ends."""

    on: bool

    def apply(self, world: World) -> None:
        """Begin or end it."""
        world.maintenance = self.on


class Vanish(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM disappears from the list without a trace."""

    vm: str

    def apply(self, world: World) -> None:
        """Hide it."""
        world.vanish(self.vm)


class BringBack(Struct, frozen=True, forbid_unknown_fields=True):
    """A vanished VM appears in the list again."""

    vm: str

    def apply(self, world: World) -> None:
        """Show it."""
        world.bring_back(self.vm)


class Terminate(Struct, frozen=True, forbid_unknown_fields=True):
    """The provider ends a VM."""

    vm: str

    def apply(self, world: World) -> None:
        """End it."""
        world.terminate(self.vm)


class Drain(Struct, frozen=True, forbid_unknown_fields=True):
    """Top-ups fail from now on, for one VM, or for every VM without `vm`."""

    vm: str | None = None

    def apply(self, world: World) -> None:
        """Break the top-ups."""
        world.drain(self.vm)


class Mend(Struct, frozen=True, forbid_unknown_fields=True):
    """Top-ups work again, for one VM, or for every VM without `vm`."""

    vm: str | None = None

    def apply(self, world: World) -> None:
        """Repair the top-ups."""
        world.mend(self.vm)


class Refill(Struct, frozen=True, forbid_unknown_fields=True):
    """The user deposits `amount`."""

    amount: int

    def apply(self, world: World) -> None:
        """Deposit it."""
        world.refill(MicroUsdc(self.amount))


class SetPrice(Struct, frozen=True, forbid_unknown_fields=True):
    """The price of a VM's epoch changes."""

    vm: str
    price: int

    def apply(self, world: World) -> None:
        """Change it."""
        world.set_price(self.vm, MicroUsdc(self.price))


class SetAddress(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM gets another public address."""

    vm: str
    address: str

    def apply(self, world: World) -> None:
        """Change it."""
        world.put(replace(world.find(self.vm), public_ip=self.address))


class SetBoundary(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM's next charge is due in `seconds`; that of every VM without `vm`."""

    vm: str | None = None
    seconds: float = 60.0

    def apply(self, world: World) -> None:
        """Move it."""
        every = world.listed() if self.vm is None else [world.find(self.vm)]
        for machine in every:
            world.set_boundary(machine.id, world.now + timedelta(seconds=self.seconds))


class AddDisk(Struct, frozen=True, forbid_unknown_fields=True):
    """A disk, attached to `vm` or to nothing; `price` is of an epoch, by default by the GB."""

    name: str
    gb: int = 100
    vm: str | None = None
    price: int | None = None

    def apply(self, world: World) -> None:
        """Rent it."""
        price = disk_price(self.gb) if self.price is None else MicroUsdc(self.price)
        disk = Rental(
            RentalKind.DISK, self.name, self.name, price, world.now, DATACENTERS[0], size_gb=self.gb
        )
        world.rent(disk, self.vm)


class AddAddress(Struct, frozen=True, forbid_unknown_fields=True):
    """A public address, attached to `vm` or to nothing; `price` is of an epoch."""

    name: str
    address: str = "203.0.113.250"
    vm: str | None = None
    price: int = ADDRESS_PRICE

    def apply(self, world: World) -> None:
        """Rent it."""
        price, where = MicroUsdc(self.price), DATACENTERS[0]
        world.rent(
            Rental(
                RentalKind.ADDRESS,
                self.name,
                self.name,
                price,
                world.now,
                where,
                address=self.address,
            ),
            self.vm,
        )


class Withhold(Struct, frozen=True, forbid_unknown_fields=True):
    """The key has all permissions but these, such as `storage:read`."""

    scopes: tuple[str, ...]

    def apply(self, world: World) -> None:
        """Withhold them."""
        world.withheld = frozenset(self.scopes)


class SetBalance(Struct, frozen=True, forbid_unknown_fields=True):
    """The balance becomes `amount`, as if more or less had been deposited. It may be negative."""

    amount: int

    def apply(self, world: World) -> None:
        """Set it."""
        world.deposited = MicroUsdc(world.deposited + self.amount - world.balance)
        world.balance = MicroUsdc(self.amount)


ACTIONS: dict[str, type[Action]] = {
    "deploy": Deploy,
    "delete": Delete,
    "rename": Rename,
    "open-port": OpenPort,
    "close-port": ClosePort,
    "set-ports": SetPorts,
    "share-ports": SharePorts,
    "set-state": SetState,
    "maintenance": Maintenance,
    "vanish": Vanish,
    "bring-back": BringBack,
    "terminate": Terminate,
    "drain": Drain,
    "mend": Mend,
    "refill": Refill,
    "set-price": SetPrice,
    "set-address": SetAddress,
    "set-boundary": SetBoundary,
    "add-disk": AddDisk,
    "add-address": AddAddress,
    "withhold": Withhold,
    "set-balance": SetBalance,
    "add-gpu": AddGpu,
    "set-gpu": SetGpu,
    "market": Market,
    "bill": Bill,
    "overcharge": Overcharge,
}


def _port(text: str) -> Port:
    try:
        return parse_port(text)
    except ValueError as error:
        raise RefusedError(str(error)) from None
