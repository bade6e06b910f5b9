"""What would be if something were removed or added: one snapshot becomes another. Pure.

Source: Fluence guide, "Managing your Virtual Machines". A deployment deducts two epochs from the
account: one is charged at once, the other is the reserve of the VM. A deletion returns the reserve.
"""

import re
import shlex
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count, islice

from fluence_watch.model.billing import Billing
from fluence_watch.model.money import MicroUsdc, micro_from_decimal
from fluence_watch.model.resource import Resource
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.vm import Status, Vm

FORMS = "write 'rm VM', 'rm disk DISK', 'rm ip IP', 'rm gpu GPU' or 'add N at PRICE'"
GROUPS = ("vm", "disk", "ip", "gpu")
MOST = 10_000
"""How many VMs one step adds at most."""

EPOCHS_AT_ONCE = 2
_DAY = timedelta(days=1)
_NEW = re.compile(r"new-(\d{1,9})", re.ASCII)  # an id of the API may have any number of digits
_COUNT = re.compile(r"\d{1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove what the reference means in a group: `vm`, `disk`, `ip` or `gpu`."""

    group: str
    reference: str


@dataclass(frozen=True, slots=True)
class Add:
    """Add so many VMs, each at a price in micro-USDC: of an epoch, or of a day if it is metered."""

    count: int
    price: MicroUsdc


Step = Remove | Add


def parse_step(text: str) -> Step:
    """Read `rm ci-*`, `rm disk archive` or `add 3 at 0.30`. Names with blanks are quoted.

    Raises:
        ValueError: the text is none of these forms. The error shows them.
    """
    try:
        words = shlex.split(text)
    except ValueError:  # a quotation mark without its twin
        words = []
    match words:
        case ["rm", reference] if reference:
            return Remove("vm", reference)
        case ["rm", group, reference] if group in GROUPS and reference:
            return Remove(group, reference)
        case ["add", count, "at", price]:
            return Add(_count(count), _price(price))
    raise ValueError(f"{text!r:.60} cannot be read: {FORMS}")


def _count(text: str) -> int:
    number = int(text) if _COUNT.fullmatch(text) else 0
    if not 1 <= number <= MOST:
        raise ValueError(f"{text!r:.60} is not a number of VMs from 1 to {MOST}: {FORMS}")
    return number


def _price(text: str) -> MicroUsdc:
    try:
        price = micro_from_decimal(text)
    except ValueError as error:
        raise ValueError(f"{error}: {FORMS}") from None
    if price < 0:
        raise ValueError(f"{text!r:.60} is less than nothing: {FORMS}")
    return price


def without(snapshot: Snapshot, keys: Collection[str], billing: Billing) -> Snapshot:
    """The snapshot if the VMs and resources with these keys were deleted now.

    Their reserves return to the balance, which is unknown if one of them is.
    """
    vms = [vm for key, vm in snapshot.vms.items() if key in keys]
    rented = [each for key, each in snapshot.resources.items() if key in keys]
    left = replace(
        snapshot,
        vms={key: vm for key, vm in snapshot.vms.items() if key not in keys},
        resources={key: each for key, each in snapshot.resources.items() if key not in keys},
    )
    return _with_balance(left, returned(vms, rented, billing))


def with_added(snapshot: Snapshot, step: Add, billing: Billing) -> Snapshot:
    """The snapshot if VMs were deployed now. They are called `new-1` and so on.

    The two epochs of a prepaid one are its reserve, and its first boundary is now: so one of them is
    charged at once. A later step that removes it returns both: then it is never deployed.
    """
    price = price_of(step, billing)
    taken = MicroUsdc(price * EPOCHS_AT_ONCE) if billing.prepaid else None
    due = snapshot.taken_at if billing.prepaid else None
    names = islice(_free_names(snapshot.vms), step.count)
    more = {name: _new(name, price, taken, due) for name in names}
    added = replace(snapshot, vms={**snapshot.vms, **more})
    return _with_balance(added, MicroUsdc(-step.count * (taken or 0)))


def price_of(step: Add, billing: Billing) -> MicroUsdc:
    """The price of an added VM for `billing.price_is_for`, to the nearest micro-USDC."""
    periods = _DAY // billing.price_is_for if not billing.prepaid else 1
    return MicroUsdc((2 * step.price + periods) // (2 * periods))


def returned(
    vms: Iterable[Vm], resources: Iterable[Resource], billing: Billing
) -> MicroUsdc | None:
    """What deleting them returns to the balance. `None` if that is unknown. Nothing is reserved for what is metered."""
    reserves = [vm.reserved for vm in vms if billing.prepaid]
    reserves += [each.reserved for each in resources if each.billing.prepaid]
    known = [each for each in reserves if each is not None]
    return MicroUsdc(sum(known)) if len(known) == len(reserves) else None


def _with_balance(snapshot: Snapshot, change: MicroUsdc | None) -> Snapshot:
    if not change and change is not None:
        return snapshot
    if snapshot.balance is None or change is None:
        return replace(snapshot, balance=None)
    balance = MicroUsdc(snapshot.balance.balance + change)
    return replace(snapshot, balance=replace(snapshot.balance, balance=balance, days_left=None))


def _free_names(keys: Collection[str]) -> Iterator[str]:
    """The names after those of the VMs that earlier steps added."""
    numbers = [int(found[1]) for key in keys if (found := _NEW.fullmatch(key))]
    names = (f"new-{number}" for number in count(max(numbers, default=0) + 1))
    return (name for name in names if name not in keys)


def _new(name: str, price: MicroUsdc, reserved: MicroUsdc | None, due: datetime | None) -> Vm:
    status = Status.LAUNCHING
    return Vm(name, name, status, status.value, price, reserved, next_billing_at=due)
