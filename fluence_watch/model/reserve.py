"""What polls show of the reserve of a prepaid VM. Pure.

Unknown amounts show nothing.
"""

from datetime import datetime
from typing import Protocol

from fluence_watch.model.money import MicroUsdc


class Reserved(Protocol):
    """What is paid from a reserve, at boundaries."""

    @property
    def price(self) -> MicroUsdc | None:
        """Of a period."""

    @property
    def reserved(self) -> MicroUsdc | None:
        """For later periods."""

    @property
    def spent(self) -> MicroUsdc | None:
        """In all."""

    @property
    def next_billing_at(self) -> datetime | None:
        """The next boundary."""


def covers(vm: Reserved) -> bool:
    """Whether the reserve pays an epoch, as far as that is known."""
    return vm.reserved is None or vm.price is None or vm.reserved >= vm.price


def pays(vm: Reserved) -> int | None:
    """How many epochs the reserve pays; `None` if that is unknown or has no end."""
    return vm.reserved // vm.price if vm.price and vm.reserved is not None else None


def pays_still(vm: Reserved, paid: int | None) -> bool:
    """Whether the reserve pays as many epochs as when it was full: it needs no top-up."""
    return bool(paid and (pays(vm) or 0) >= paid)


def paid_now(paid: int | None, before: Reserved, after: Reserved) -> int | None:
    """How many epochs it pays after a top-up. A price that fell meanwhile does not count for more."""
    if before.price and after.price and before.price > after.price:
        now = None if after.reserved is None else after.reserved // before.price
    else:
        now = pays(after)
    rose = before.reserved is None or (after.reserved or 0) > before.reserved
    return now if rose or now is None or paid is None else min(now, paid)


def fell(before: Reserved, after: Reserved) -> bool:
    """Whether the reserve is lower than it was."""
    if before.reserved is None or after.reserved is None:
        return False
    return after.reserved < before.reserved


def is_topped_up(before: Reserved, after: Reserved, epochs: int) -> bool:
    """Whether the reserve rose, or lost less than was charged for so many epochs.

    What was charged beyond them, such as for earlier epochs, is no sign of a top-up.
    """
    if before.reserved is None or after.reserved is None:
        return False
    most = epochs * max(before.price or 0, after.price or 0)
    charged = 0 if before.spent is None or after.spent is None else after.spent - before.spent
    return after.reserved - before.reserved + max(0, min(charged, most)) > 0
