"""What the latest boundaries of a prepaid VM did to its money. Pure.

Source: Fluence guide, "Managing your Virtual Machines", billing info. At each boundary an epoch is
charged from the reserve, and a little later the reserve is topped up from the account.

A poll may see a charge before the next boundary has moved, or after it, so charges and boundaries are
compared over several polls: what never fits is odd. Who is charged nothing for good reasons, such as a
VM that is suspended, is not odd, and neither is a charge that comes late.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from fluence_watch.model.billing import Billing
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.odd_charge import OddCharge
from fluence_watch.model.vm import OUT_OF_FUNDS, Status

GRACE = timedelta(minutes=15)
"""How long after a boundary the top-up may come."""

MOST_BOUNDARIES = 10_000
"""More boundaries than this cannot have passed between two polls."""

_TOLERANCE = timedelta(minutes=1)
_LATE = timedelta(minutes=15)  # a total may show a charge so much later
_SURELY_CHARGED = frozenset({Status.ACTIVE, Status.UPDATING, Status.RESTARTING})


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The latest boundary of a VM, and what came of it.

    `passed_at` is the boundary. Since its charge, `covered` is whether the reserve has ever paid an epoch,
    `refilled` whether it was topped up or needs no top-up; `was_refilled` is the same of the boundary before.
    What nobody saw is taken for refilled. `paid` is how many epochs the reserve paid when it was topped
    up last, or seen first: while it pays as many, as after a fall of the price, it needs none. `odd` is what was charged and does not fit.
    `charged` is whether all that is due is in the total. If not, an epoch more may come late.
    `after_gap` is whether the VM is back from a gap, and its money was not told since.
    """

    passed_at: datetime
    covered: bool
    refilled: bool = True
    was_refilled: bool = True
    odd: OddCharge | None = None
    charged: bool = True
    paid: int | None = None
    after_gap: bool = False

    def is_overdue(self, now: datetime, grace: timedelta, status: Status) -> bool:
        """Whether the top-up has failed, if the reserve does not pay an epoch now.

        The API itself may report low funds, which is not waited for.
        """
        late = status in OUT_OF_FUNDS or now - self.passed_at >= grace
        return late and not self.covered

    def is_topped_up(self, now: datetime, grace: timedelta) -> bool:
        """Whether the account refills the reserve, as far as its last boundaries show.

        `grace` is how long after a boundary a top-up may come. Before its charge, none can be due.
        """
        waits = now - self.passed_at < grace or _is_missing(self.odd)
        return self.refilled or (self.was_refilled and waits)


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


class Paid(Reserved, Protocol):
    """A VM, as far as its money is concerned."""

    @property
    def status(self) -> Status:
        """Whether it runs."""

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
    period, tolerance = billing.period, _tolerance(billing)
    due = (now + tolerance - first) // period + 1
    moved = due if following is None else (following + tolerance - first) // period
    count = min(moved, due)
    return count if 0 < count <= MOST_BOUNDARIES else 0


def first_boundaries(vm: Paid, billing: Billing, now: datetime) -> Boundaries | None:
    """What is known of the boundaries of a VM that is seen for the first time.

    One that is next and not to come any more has passed: the API is late.
    """
    start = _begin(vm, billing, now)
    if start is None or vm.next_billing_at is None or vm.next_billing_at > now:
        return start
    late = now - vm.next_billing_at > _LATE
    return replace(start, passed_at=vm.next_billing_at, charged=vm.spent != 0 and late)


def boundaries_again(
    known: Boundaries | None, before: Paid, after: Paid, billing: Billing, now: datetime
) -> Boundaries | None:
    """What is known of the boundaries of a VM that was missing at one of them.

    What happened then is unknown, but not how many epochs its reserve paid when it was full.
    """
    again = first_boundaries(after, billing, now)
    if again is None or known is None:
        return again
    return replace(again, paid=_paid_now(known.paid, before, after))


def _begin(vm: Paid, billing: Billing, now: datetime) -> Boundaries | None:
    if vm.next_billing_at is None:
        return None
    try:
        passed_at = vm.next_billing_at - billing.period
    except OverflowError:
        return None
    charged = vm.spent != 0 and now - passed_at > _LATE
    return Boundaries(passed_at, _covers(vm), charged=charged, paid=_pays(vm))


def next_boundaries(
    known: Boundaries | None,
    before: Paid,
    after: Paid,
    billing: Billing,
    now: datetime,
    *,
    is_told: bool = True,
) -> Boundaries | None:
    """What is known after another poll. `before` and `after` have the last known values.

    `is_told` is whether the API tells what the VM has spent. If not, all that passes counts later.
    A VM that is billed again, as a launched draft, begins anew.
    """
    start = _begin(after, billing, now)
    if known is None or start is None or (after.is_billed and not before.is_billed):
        return first_boundaries(after, billing, now)
    first = _uncounted(known, before.next_billing_at, billing)
    count = passed(first, after.next_billing_at, billing, now)
    most = max(count, _moved(first, after.next_billing_at, billing))
    topped_up, this = _is_topped_up(before, after), _charge(before, after, (count, most), now)
    odd, charged = _settled(known, this, after.price, is_told=is_told)
    covered = start.covered and not _is_missing(odd)
    paid = _pays(before) if known.paid is None else known.paid
    refilled = topped_up or (covered and _pays_still(after, paid))
    paid = _paid_now(paid, before, after) if topped_up else paid
    start = replace(start, covered=covered, odd=odd, charged=charged, paid=paid)
    if count:
        was_refilled = known.refilled or (known.was_refilled and _is_missing(known.odd))
        return replace(start, refilled=refilled, was_refilled=was_refilled)
    return replace(
        start,
        passed_at=known.passed_at,
        covered=known.covered or covered,
        refilled=known.refilled or refilled,
        was_refilled=known.was_refilled,
    )


def _covers(vm: Paid) -> bool:
    """Whether the reserve pays an epoch, as far as that is known."""
    return vm.reserved is None or vm.price is None or vm.reserved >= vm.price


def _pays(vm: Paid) -> int | None:
    """How many epochs the reserve pays; `None` if that is unknown or has no end."""
    return vm.reserved // vm.price if vm.price and vm.reserved is not None else None


def _paid_now(paid: int | None, before: Paid, after: Paid) -> int | None:
    """How many epochs it pays after a top-up. A price that fell meanwhile does not count for more."""
    if before.price and after.price and before.price > after.price:
        pays = None if after.reserved is None else after.reserved // before.price
    else:
        pays = _pays(after)
    rose = before.reserved is None or (after.reserved or 0) > before.reserved
    return pays if rose or pays is None or paid is None else min(pays, paid)


def _pays_still(vm: Paid, paid: int | None) -> bool:
    """Whether the reserve pays as many epochs as when it was full: it needs no top-up."""
    return bool(paid and (_pays(vm) or 0) >= paid)


def _is_missing(odd: OddCharge | None) -> bool:
    """Whether a charge is not in the total yet, and the reserve is what it was before it."""
    return odd is not None and odd.charged < odd.low


def _is_topped_up(before: Paid, after: Paid) -> bool:
    """Whether the reserve lost less than was charged."""
    if before.reserved is None or after.reserved is None:
        return False
    charged = 0 if before.spent is None or after.spent is None else after.spent - before.spent
    return after.reserved - before.reserved + charged > 0


def _settled(
    known: Boundaries, this: OddCharge | None, price: MicroUsdc | None, *, is_told: bool
) -> tuple[OddCharge | None, bool]:
    """What is odd now, and whether all that is due is charged.

    The next boundary begins anew. What was missing until then may still come.
    """
    if this is None or price is None:
        return None, known.charged
    if not known.charged:
        this = replace(this, high=MicroUsdc(this.high + price))
    whole = known.odd.perhaps_at(price) + this if known.odd else this
    if whole.fits:
        return None, bool(whole.charged) or (known.charged and not whole.high)
    if known.odd and this.boundaries and is_told:
        return (None, known.odd.charged >= known.odd.low) if this.fits else (this, True)
    return whole, True


def _uncounted(known: Boundaries, first: datetime | None, billing: Billing) -> datetime | None:
    """The boundary that is next to be counted. The API may show one again that has passed."""
    if first is None or first > known.passed_at + _tolerance(billing):
        return first
    return known.passed_at + billing.period


def _charge(before: Paid, after: Paid, counts: tuple[int, int], now: datetime) -> OddCharge | None:
    """What was charged between two polls, and should have been; `None` if that is unknown.

    `counts` are how many boundaries passed at least, and at most.
    """
    if before.spent is None or after.spent is None or before.price is None or after.price is None:
        return None
    if not (before.is_billed and after.is_billed):
        return None
    least, most = counts
    is_sure = _SURELY_CHARGED.issuperset((before.status, after.status))
    low = least * min(before.price, after.price) if is_sure else 0
    high, charged = most * max(before.price, after.price), after.spent - before.spent
    return OddCharge(now, least, MicroUsdc(low), MicroUsdc(high), MicroUsdc(charged))


def _moved(first: datetime | None, following: datetime | None, billing: Billing) -> int:
    """How many boundaries may have passed, as the next one moved, also if it was put off."""
    if first is None or following is None:
        return 0
    return max(0, -((first + _tolerance(billing) - following) // billing.period))


def _tolerance(billing: Billing) -> timedelta:
    """By how much the API may move a boundary that is still the same one."""
    return min(_TOLERANCE, billing.period / 8)
