"""A metered account: every resource is charged per second from the balance, and debt has deadlines.

Source: the documentation of the generation `cloud`.
When more than 5 USD are unpaid, or something is unpaid for 3 days, VMs and addresses are removed.
When 20 USD are unpaid, or something is still unpaid 10 days later, disks are removed too.

Amounts are exact: they are counted in units, of which a micro-USDC has as many as an epoch has
microseconds, so that a price for an epoch is a whole number of units a microsecond.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Protocol

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.machine import Machine, State, terminated
from fluence_watch.simulator.rental import Rental, RentalKind

VM_DEBT, DISK_DEBT = MicroUsdc(5_000_000), MicroUsdc(20_000_000)
VM_GRACE, DISK_GRACE = timedelta(days=3), timedelta(days=13)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_KINDS = {RentalKind.DISK: "STORAGE", RentalKind.ADDRESS: "PUBLIC_IP"}


class Entry(NamedTuple):
    """What a charge is for. `kind` is as the API writes it: `VM`, `STORAGE`, `PUBLIC_IP`."""

    day: date
    kind: str
    id: str


@dataclass(slots=True)
class Meter:
    """What was charged, in units, and for how many microseconds, by day (UTC), kind and id.

    `fraction` is the part of the balance that is less than a micro-USDC, in units.
    `owed_since` is when the balance went below zero.
    """

    charged: Counter[Entry] = field(default_factory=Counter)
    used: Counter[Entry] = field(default_factory=Counter)
    fraction: int = 0
    owed_since: datetime | None = None


class Account(Protocol):
    """What is metered: an account of the simulated world."""

    now: datetime
    epoch: timedelta
    balance: MicroUsdc
    machines: dict[str, Machine]
    rentals: dict[str, Rental]
    meter: Meter


def run(account: Account, until: datetime) -> None:
    """Charge everything up to that time, and remove what the debt rules remove."""
    while True:
        _enforce(account)
        if account.now >= until:
            return
        _charge(account, min([until, *_turns(account)]))


def rates(account: Account) -> dict[tuple[str, str], MicroUsdc]:
    """The price of an epoch of everything that is charged now, by kind and id."""
    machines = {("VM", m.uuid): m.price for m in account.machines.values() if m.is_billed}
    rentals = {(_KINDS[each.kind], each.uuid): each.price for each in account.rentals.values()}
    return machines | rentals


def units(account: Account) -> int:
    """The balance in units."""
    return account.balance * _per_micro(account) + account.meter.fraction


def _per_micro(account: Account) -> int:
    return account.epoch // _MICROSECOND


def _charge(account: Account, end: datetime) -> None:
    elapsed, day = (end - account.now) // _MICROSECOND, account.now.date()
    due = {Entry(day, *what): price * elapsed for what, price in rates(account).items()}
    for entry, cost in due.items():
        account.meter.charged[entry] += cost
        account.meter.used[entry] += elapsed
    left = units(account) - sum(due.values())
    balance, account.meter.fraction = divmod(left, _per_micro(account))
    account.balance = MicroUsdc(balance)
    account.now = end


def _turns(account: Account) -> Iterator[datetime]:
    """When the rates may change next, or another day begins."""
    yield datetime.combine(account.now.date() + _DAY, time(), UTC)
    if rate := sum(rates(account).values()):
        for debt, past in ((0, 1), (VM_DEBT, 1), (DISK_DEBT, 0)):
            left = units(account) + debt * _per_micro(account)
            steps = -(-left // rate) if not past else left // rate + 1
            if left >= 0 and steps > 0:
                yield account.now + steps * _MICROSECOND
    since = account.meter.owed_since
    if since:
        yield from (at for at in (since + VM_GRACE, since + DISK_GRACE) if at > account.now)


def _enforce(account: Account) -> None:
    owed = -units(account)
    if owed <= 0:
        account.meter.owed_since = None
        return
    since = account.meter.owed_since = account.meter.owed_since or account.now
    per_micro = _per_micro(account)
    if owed > VM_DEBT * per_micro or account.now >= since + VM_GRACE:
        _remove_vms(account)
    if owed >= DISK_DEBT * per_micro or account.now >= since + DISK_GRACE:
        account.rentals.clear()


def _remove_vms(account: Account) -> None:
    for key, machine in account.machines.items():
        if machine.state is not State.TERMINATED:
            account.machines[key] = terminated(machine, account.now)
    for key, rental in list(account.rentals.items()):
        if rental.kind is RentalKind.ADDRESS:
            del account.rentals[key]
