"""The simulated marketplace: one account, its VMs, its money. No I/O, no clock, no dialect.

    balance ──top-up──> reserve of a VM ──charge at its boundary──> spent
       ^                      │
       └──────── delete ──────┘

`advance` moves the time and processes due charges and top-ups in order; everything else happens at
the world's current time. Only deposits add money, and no money is lost: balance, reserves and
total spent always add up to the total deposited.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import TypeVar

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, Port
from fluence_watch.simulator import gpu, metering
from fluence_watch.simulator import machine as machines
from fluence_watch.simulator.access import AcceptedAuth
from fluence_watch.simulator.catalog import CONFIGURATIONS, Configuration
from fluence_watch.simulator.errors import RefusedError, UnknownError
from fluence_watch.simulator.gpu import GpuInstance
from fluence_watch.simulator.groups import Group
from fluence_watch.simulator.journal import Paid
from fluence_watch.simulator.machine import Machine, Rule, State, checked_ports, key_of
from fluence_watch.simulator.metering import Meter
from fluence_watch.simulator.provision import provision
from fluence_watch.simulator.rental import Rental, boot_disk, public_address
from fluence_watch.simulator.ssh import SshKey, parse_public_key

_T = TypeVar("_T")
_NOTHING = MicroUsdc(0)


@dataclass(slots=True)
class World:
    """An account and its VMs. Amounts are micro-USDC; `machines` is keyed by lower-case id.

    `top_up_delay` is the time from a charge to the top-up of the reserve.
    `top_ups_fail` breaks the top-ups of every VM.
    `provisioned` counts all VMs that ever existed.
    `deleted` are the VMs that the user deleted, `groups` the security groups that no VM uses.
    In paginated lists, `first_page` is the number of the first page.
    A `metered` account pays every second for each VM, disk and address, and reserves nothing.
    `rentals` are its disks and addresses. The key has all permissions but the `withheld` ones.
    `gpus` are the instances of the GPU cloud.
    `market_percent` is what the market asks now, of the prices of the catalog.
    `bill_percent` is what the bill names of the costs of a metered account.
    `journal` has every charge at a boundary.
    """

    now: datetime
    epoch: timedelta
    balance: MicroUsdc
    top_up_delay: timedelta
    api_key: str = "simulator"
    accepted_auth: AcceptedAuth = AcceptedAuth.BOTH
    machines: dict[str, Machine] = field(default_factory=dict)
    ssh_keys: dict[str, SshKey] = field(default_factory=dict)
    deleted: dict[str, Machine] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    top_ups_fail: bool = False
    maintenance: bool = False
    forbidden: frozenset[str] = frozenset()  # paths that the key may not request
    first_page: int = 1
    metered: bool = False
    rentals: dict[str, Rental] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    withheld: frozenset[str] = frozenset()
    gpus: dict[str, GpuInstance] = field(default_factory=dict)
    market_percent: int = 100
    bill_percent: int = 100
    deposited: MicroUsdc = field(init=False)
    spent_on_deleted: MicroUsdc = _NOTHING
    provisioned: int = 0
    journal: list[Paid] = field(default_factory=list)
    rng: Random = field(default_factory=lambda: Random(0), compare=False)
    _due: list[tuple[datetime, str]] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.deposited = self.balance

    def advance(self, now: datetime) -> None:
        """Advance to `now`; an earlier time changes nothing."""
        while self._due and self._due[0][0] <= now:
            due, key = heappop(self._due)
            machine = self.machines.get(key)
            # an entry is stale if the VM was changed or deleted after the push
            if machine is not None and machines.next_due(machine) == due:
                self.put(self._paid(machine, due))
        if self.metered:
            metering.run(self, now)
        gpu.run(self, now)
        self.now = max(self.now, now)

    @property
    def accounted(self) -> MicroUsdc:
        """Balance, reserves and all spending; equals `deposited`."""
        held = sum(machine.reserved + machine.spent for machine in self.machines.values())
        return MicroUsdc(self.balance + self.spent_on_deleted + held + gpu.held(self.gpus))

    def listed(self) -> list[Machine]:
        """The VMs that the account holder can see, ended ones included."""
        return [machine for machine in self.machines.values() if not machine.vanished]

    def find(self, reference: str) -> Machine:
        """The VM with that id (in any case), UUID or name, vanished or not.

        Raises:
            UnknownError: there is none.
        """
        machine = self.machines.get(key_of(reference))
        named = (m for m in self.machines.values() if reference in {m.name, m.uuid})
        return machine or _known(next(named, None), f"VM {reference!r:.60}")

    def owned(self, vm_id: str) -> Machine:
        """The VM with that id, if the account holder may address it.

        Raises:
            UnknownError: there is none, or it has vanished.
        """
        machine = self.machines.get(key_of(vm_id))
        seen = None if machine is None or machine.vanished else machine
        return _known(seen, f"VM {vm_id!r:.60}")

    # What the account holder does

    def adopt(self, machine: Machine) -> None:
        """Add a VM that is already paid: its money counts as deposited."""
        self.provisioned += 1
        if self.metered:
            self._rent(replace(machine, reserved=_NOTHING, spent=_NOTHING))
            return
        self.deposited = MicroUsdc(self.deposited + machine.reserved + machine.spent)
        self.put(machine)

    def deploy(
        self,
        name: str | None = None,
        configuration: Configuration = CONFIGURATIONS[0],
        ports: Iterable[Port] = (SSH,),
    ) -> Machine:
        """A new VM. Two epochs are deducted: one is charged at once, one is the reserve.

        Raises:
            RefusedError: the balance is too low, or a port is reserved.
        """
        price = configuration.price
        opened = checked_ports(ports)
        if self.balance < 2 * price:
            raise RefusedError(f"{2 * price} micro-USDC are needed, {self.balance} are there")
        fresh = provision(
            self.rng, self.provisioned, configuration, self.now, self.now + self.epoch
        )
        machine = replace(fresh, name=name or fresh.name, ports=opened)
        self.provisioned += 1
        if self.metered:
            return self._rent(replace(machine, reserved=_NOTHING, spent=_NOTHING))
        self.balance = MicroUsdc(self.balance - 2 * price)
        self.journal.append(Paid(self.now, machine.key, price))
        self.put(machine)
        return machine

    def rent(self, rental: Rental, vm: str | None = None) -> None:
        """Add a disk or an address, attached to a VM if one is named.

        Raises:
            UnknownError: there is no such VM.
            RefusedError: the account is not metered: what a VM needs is in its price.
        """
        if not self.metered:
            raise RefusedError("in this world, disks and addresses belong to their VMs")
        key = "" if vm is None else self.find(vm).key
        self.rentals[rental.uuid] = replace(rental, attached_to=key)

    def _rent(self, machine: Machine) -> Machine:
        """Add a VM of a metered account, with a disk and an address of its own."""
        self.put(machine)
        for rental in (boot_disk(machine, metered=True), public_address(machine, metered=True)):
            self.rentals[rental.uuid] = rental
        return machine

    def delete(self, vm_id: str) -> None:
        """Remove a VM; its reserve returns to the balance, the running epoch stays charged.

        In a metered account, its disks and addresses stay, and go on costing money.

        Raises:
            UnknownError: there is no such VM.
        """
        machine = self.owned(vm_id)
        del self.machines[machine.key]
        for key, rental in self.rentals.items():
            if rental.attached_to == machine.key:
                self.rentals[key] = replace(rental, attached_to="")
        self.deleted[machine.key] = machines.terminated(machine, self.now)
        self.balance = MicroUsdc(self.balance + machine.reserved)
        self.spent_on_deleted = MicroUsdc(self.spent_on_deleted + machine.spent)

    def update(
        self,
        vm_id: str,
        *,
        name: str | None = None,
        ports: Iterable[Port] | None = None,
        narrow_rules: Sequence[Rule] | None = None,
    ) -> None:
        """Rename a VM, or replace its open ports and narrow rules, also for VMs that share them.

        Raises:
            UnknownError: there is no such VM.
            RefusedError: a port is reserved, the name is blank, or the VM has ended.
        """
        machine = self.owned(vm_id)
        if machine.state is State.TERMINATED:
            raise RefusedError("the VM has been terminated")
        if name is not None and not name.strip():
            raise RefusedError("vmName must not be blank")
        opened = machine.ports if ports is None else checked_ports(ports)
        narrow = machine.narrow_rules if narrow_rules is None else tuple(narrow_rules)
        self.put(replace(machine, name=machine.name if name is None else name))
        if (opened, narrow) != (machine.ports, machine.narrow_rules):
            for each in self._sharing(machine):
                self.put(replace(each, ports=opened, narrow_rules=narrow))

    def open_port(self, vm_id: str, port: Port) -> None:
        """Open one more port. Raises as `update` does."""
        self.update(vm_id, ports=(*self.owned(vm_id).ports, port))

    def close_port(self, vm_id: str, port: Port) -> None:
        """Close one port, whether it is open or not. Raises as `update` does."""
        self.update(vm_id, ports=[kept for kept in self.owned(vm_id).ports if kept != port])

    def refill(self, amount: MicroUsdc) -> None:
        """Deposit money; failed top-ups are retried.

        Raises:
            RefusedError: the amount is not positive.
        """
        if amount <= 0:
            raise RefusedError("the amount must be positive")
        self.balance = MicroUsdc(self.balance + amount)
        self.deposited = MicroUsdc(self.deposited + amount)
        self._retry_top_ups(self.machines.values())

    def rename_gpu(self, instance: GpuInstance, name: str) -> None:
        """Rename a GPU instance; its id stays."""
        self.gpus[instance.id] = replace(instance, name=name)

    def add_ssh_key(self, name: str, line: str) -> tuple[SshKey, bool]:
        """Add a key. Returns it, and whether it is new to the account.

        Raises:
            RefusedError: the line is not a public key.
        """
        key = parse_public_key(name, line, self.now)
        known = self.ssh_keys.setdefault(key.fingerprint, key)
        return known, known is key

    def remove_ssh_key(self, fingerprint: str) -> None:
        """Remove a key.

        Raises:
            UnknownError: there is none with that fingerprint.
        """
        _known(self.ssh_keys.pop(fingerprint, None), f"SSH key {fingerprint!r:.80}")

    # What happens to a VM; `vm` is an id or a name, and each raises UnknownError if there is none

    def vanish(self, vm: str) -> None:
        """Hide the VM without a trace: it is in no list and pays nothing."""
        self.put(replace(self.find(vm), vanished=True, top_up_at=None))

    def bring_back(self, vm: str) -> None:
        """Show a vanished VM again. Epochs that began meanwhile are not charged."""
        machine = self.find(vm)
        if machine.vanished:
            self.put(machines.returned(machine, self.now, self.epoch))
            self._retry_top_ups([self.find(vm)])

    def terminate(self, vm: str) -> None:
        """End the VM as its provider; its reserve stays locked until it is deleted."""
        self.put(machines.terminated(self.find(vm), self.now))

    def drain(self, vm: str | None = None) -> None:
        """Make top-ups of the VM fail from now on; those of every VM if none is named."""
        if vm is None:
            self.top_ups_fail = True
        else:
            self.put(replace(self.find(vm), top_ups_fail=True))

    def mend(self, vm: str | None = None) -> None:
        """Make top-ups work again, for one VM or all; missing amounts are topped up soon."""
        if vm is None:
            self.top_ups_fail = False
        mended = list(self.machines.values()) if vm is None else [self.find(vm)]
        for machine in mended:
            if machine.top_ups_fail:
                self.put(replace(machine, top_ups_fail=False))
        self._retry_top_ups([self.machines[machine.key] for machine in mended])

    def set_price(self, vm: str, price: MicroUsdc) -> None:
        """Change the price of an epoch, from the next boundary on.

        Raises:
            RefusedError: the price is negative.
        """
        if price < 0:
            raise RefusedError("a price cannot be negative")
        self.put(replace(self.find(vm), price=price))

    def set_boundary(self, vm: str, at: datetime) -> None:
        """Move the VM's next charge.

        Raises:
            RefusedError: the time is in the past.
        """
        if at <= self.now:
            raise RefusedError("the boundary must be in the future")
        self.put(replace(self.find(vm), next_billing_at=at))

    def _sharing(self, machine: Machine) -> list[Machine]:
        return [each for each in self.machines.values() if each.group == machine.group]

    def put(self, machine: Machine) -> None:
        """Replace the VM with its new state."""
        before = self.machines.get(machine.key)
        self.machines[machine.key] = machine
        due = None if self.metered else machines.next_due(machine)
        if due is not None and (before is None or machines.next_due(before) != due):
            heappush(self._due, (due, machine.key))

    def _paid(self, machine: Machine, due: datetime) -> Machine:
        if machine.next_billing_at == due:
            paid = machines.charge(machine, self.epoch, self.top_up_delay)
            if paid.is_billed:
                self.journal.append(Paid(due, machine.key, machine.price))
            return paid
        wanted = machine.shortfall
        fails = self.top_ups_fail or machine.top_ups_fail or wanted > self.balance
        amount = _NOTHING if fails else wanted
        self.balance = MicroUsdc(self.balance - amount)
        return machines.topped_up(machine, amount)

    def _retry_top_ups(self, candidates: Iterable[Machine]) -> None:
        at = self.now + self.top_up_delay
        for machine in list(candidates):
            if machine.is_billed and machine.shortfall and machine.top_up_at is None:
                self.put(replace(machine, top_up_at=at))


def _known(found: _T | None, what: str) -> _T:
    if found is None:
        raise UnknownError(f"no {what}")
    return found
