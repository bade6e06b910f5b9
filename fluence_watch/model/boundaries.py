"""What the latest boundaries of a prepaid VM did to its money. Pure.

Source: Fluence guide, "Managing your Virtual Machines", billing info. At each boundary an epoch is
charged from the reserve, and a little later the reserve is topped up from the account.

A poll may see a charge before the next boundary has moved, or after it, so charges and boundaries are
compared over several polls: what never fits is odd.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from fluence_watch.model.billing import Billing
from fluence_watch.model.money import MicroUsdc

_TOLERANCE = timedelta(minutes=1)
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class OddCharge:
    """What was charged, and what the price and the boundaries allow, as long as these differ.

    `since` is the poll that saw it first. `boundaries` passed meanwhile; if the price changed
    at the same time, what they cost is between `low` and `high`.
    """

    since: datetime
    boundaries: int
    low: MicroUsdc
    high: MicroUsdc
    charged: MicroUsdc

    @property
    def fits(self) -> bool:
        """Whether nothing is odd about it."""
        return self.low <= self.charged <= self.high

    def __add__(self, later: "OddCharge") -> "OddCharge":
        """Both together, since the first."""
        return OddCharge(
            self.since,
            self.boundaries + later.boundaries,
            MicroUsdc(self.low + later.low),
            MicroUsdc(self.high + later.high),
            MicroUsdc(self.charged + later.charged),
        )


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The latest boundary of a VM, and what came of it.

    `passed_at` is the boundary. Since then, `covered` is whether the reserve has ever paid an epoch,
    `refilled` whether it was topped up; `was_refilled` is the same of the boundary before.
    What nobody saw is taken for refilled. `odd` is what was charged and does not fit.
    """

    passed_at: datetime
    covered: bool
    refilled: bool = True
    was_refilled: bool = True
    odd: OddCharge | None = None

    def is_topped_up(self, now: datetime, grace: timedelta) -> bool:
        """Whether the account refills the reserve, as far as its last boundaries show.

        `grace` is how long after a boundary a top-up may come.
        """
        return self.refilled or (self.was_refilled and now - self.passed_at < grace)


class Paid(Protocol):
    """A VM, as far as its money is concerned."""

    @property
    def price(self) -> MicroUsdc | None:
        """Of an epoch."""

    @property
    def reserved(self) -> MicroUsdc | None:
        """For later epochs."""

    @property
    def spent(self) -> MicroUsdc | None:
        """In all."""

    @property
    def next_billing_at(self) -> datetime | None:
        """The next boundary."""

    @property
    def is_billed(self) -> bool:
        """Whether it costs money from now on."""


def passed(
    first: datetime | None, following: datetime | None, billing: Billing, now: datetime
) -> int:
    """How many boundaries passed, from the one that was next in an earlier poll to the one that is now.

    The API may move a boundary by seconds. One that is still to come has not passed.
    """
    if first is None:
        return 0
    period = billing.period
    tolerance = min(_TOLERANCE, period / 8)
    due = (now + tolerance - first) // period + 1
    moved = due if following is None else (following + tolerance - first) // period
    count = min(moved, due)
    return count if 0 < count <= _MOST else 0


def first_boundaries(vm: Paid, billing: Billing) -> Boundaries | None:
    """What is known of the boundaries of a VM that is seen for the first time."""
    if vm.next_billing_at is None:
        return None
    try:
        return Boundaries(vm.next_billing_at - billing.period, _covers(vm))
    except OverflowError:
        return None


def next_boundaries(
    known: Boundaries | None, before: Paid, after: Paid, billing: Billing, now: datetime
) -> Boundaries | None:
    """What is known after another poll. `before` has the last known values."""
    start = first_boundaries(after, billing)
    if known is None or start is None:
        return start
    count = passed(before.next_billing_at, after.next_billing_at, billing, now)
    topped_up, odd = _is_topped_up(before, after), _odd(known.odd, before, after, count, now)
    if count:
        return replace(start, refilled=topped_up, was_refilled=known.refilled, odd=odd)
    return replace(
        known,
        covered=known.covered or start.covered,
        refilled=known.refilled or topped_up,
        odd=odd,
    )


def _covers(vm: Paid) -> bool:
    """Whether the reserve pays an epoch, as far as that is known."""
    return vm.reserved is None or vm.price is None or vm.reserved >= vm.price


def _is_topped_up(before: Paid, after: Paid) -> bool:
    """Whether the reserve lost less than was charged."""
    if before.reserved is None or after.reserved is None:
        return False
    charged = 0 if before.spent is None or after.spent is None else after.spent - before.spent
    return after.reserved - before.reserved + charged > 0


def _odd(
    known: OddCharge | None, before: Paid, after: Paid, count: int, now: datetime
) -> OddCharge | None:
    """What does not fit: since it first did not, or at the boundary after that."""
    this = _charge(before, after, count, now)
    if this is None or not (before.is_billed and after.is_billed):
        return None
    whole = known + this if known else this
    if whole.fits:
        return None
    if known and count:
        return None if this.fits else this
    return whole


def _charge(before: Paid, after: Paid, count: int, now: datetime) -> OddCharge | None:
    """What was charged between two polls, and should have been; `None` if that is unknown."""
    if before.spent is None or after.spent is None or before.price is None or after.price is None:
        return None
    low, high = sorted((count * before.price, count * after.price))
    charged = MicroUsdc(after.spent - before.spent)
    return OddCharge(now, count, MicroUsdc(low), MicroUsdc(high), charged)
