"""What the latest boundaries of a prepaid VM did to its money. Pure.

Source: Fluence guide, "Managing your Virtual Machines", billing info. At each boundary an epoch is
charged from the reserve, and a little later the reserve is topped up from the account.

A poll may see a charge before the next boundary has moved, or after it, so charges and boundaries are
compared over several polls: what never fits is odd. Who is charged nothing for good reasons, such as a
VM that is suspended, is not odd, and neither is a charge that comes late.

A top-up is due once the reserve fell. Until then its charge is waited for, if it is not in the total
either: it may come late, or never. A total that stands still while the reserve falls hides nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from fluence_watch.model.billing import Billing
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.odd_charge import OddCharge
from fluence_watch.model.reserve import (
    Reserved,
    covers,
    fell,
    is_topped_up,
    paid_now,
    pays,
    pays_still,
)
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
    up last, or seen first: while it pays as many, as after a fall of the price, it needs none.
    `odd` is what was charged and does not fit. `charged_at` is the poll that saw its charge, if that came
    late.
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
    charged_at: datetime | None = None

    @property
    def topup_due_from(self) -> datetime:
        """Since when a top-up may come: the boundary, or its charge if that came late."""
        return max(self.passed_at, self.charged_at or self.passed_at)

    @property
    def awaits_charge(self) -> bool:
        """Whether its charge is neither in the total yet, nor taken from the reserve."""
        return self.charged_at is None and self.odd is not None and self.odd.is_missing

    def is_overdue(self, now: datetime, grace: timedelta, status: Status) -> bool:
        """Whether the top-up has failed, if the reserve does not pay an epoch now.

        The API itself may report low funds, which is not waited for.
        """
        late = status in OUT_OF_FUNDS or now - self.topup_due_from >= grace
        return late and not self.covered

    def is_topped_up(self, now: datetime, grace: timedelta) -> bool:
        """Whether the account refills the reserve, as far as its last boundaries show.

        `grace` is how long after a charge a top-up may come. Before it, none can be due.
        """
        waits = now - self.topup_due_from < grace or self.awaits_charge
        return self.refilled or (self.was_refilled and waits)


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

    When it was charged is unknown. If nothing shows a top-up, it is topped up as it was before.
    """
    again = first_boundaries(after, billing, now)
    if again is None or known is None:
        return again
    count = passed(before.next_billing_at, after.next_billing_at, billing, now)
    topped_up = is_topped_up(before, after, count)
    refilled = topped_up or known.refilled or pays_still(after, known.paid)
    return replace(
        again,
        refilled=refilled,
        was_refilled=refilled,
        paid=paid_now(known.paid, before, after) if topped_up else known.paid,
        charged_at=again.passed_at if fell(before, after) else None,
    )


def _begin(vm: Paid, billing: Billing, now: datetime) -> Boundaries | None:
    if vm.next_billing_at is None:
        return None
    try:
        passed_at = vm.next_billing_at - billing.period
    except OverflowError:
        return None
    charged = vm.spent != 0 and now - passed_at > _LATE
    return Boundaries(passed_at, covers(vm), charged=charged, paid=pays(vm))


def next_boundaries(
    known: Boundaries | None,
    before: Paid,
    after: Paid,
    billing: Billing,
    now: datetime,
    *,
    is_told: bool = True,
    last_at: datetime | None = None,
) -> Boundaries | None:
    """What is known after another poll. `before` and `after` have the last known values.

    `is_told` is whether the API tells what the VM has spent. If not, all that passes counts later.
    `last_at` is when the poll before was.
    A VM that is billed again, as a launched draft, begins anew.
    """
    start = _begin(after, billing, now)
    if known is None or start is None or (after.is_billed and not before.is_billed):
        return first_boundaries(after, billing, now)
    first = _uncounted(known, before.next_billing_at, billing)
    count = passed(first, after.next_billing_at, billing, now)
    most = max(count, _moved(first, after.next_billing_at, billing))
    this = _charge(before, after, (count, most), now)
    odd, charged = _settled(known, this, after.price, is_told=is_told)
    paid = pays(before) if known.paid is None else known.paid
    last = replace(known, paid=paid, after_gap=False)
    last = _passed(last, start.passed_at, after, billing) if count else last
    seen = replace(last, odd=odd, charged=charged)
    if fell(before, after):
        is_next = not count and _is_due(before.next_billing_at, billing, now)
        was_seen = not count or (last_at is not None and last_at >= last.passed_at)
        seen = _lowered(seen, now if was_seen else last.passed_at, is_next=is_next)
    return _with_reserve(seen, before, after, 0 if last.charged_at else max(count, 1))


def _passed(known: Boundaries, passed_at: datetime, after: Paid, billing: Billing) -> Boundaries:
    """What is known at another boundary. Its charge may have been seen before it moved.

    A charge that never came says nothing of top-ups, as long as the reserve is full.
    """
    at = known.charged_at
    is_early = at is not None and at + _tolerance(billing) >= passed_at
    waited = known.was_refilled and known.awaits_charge and pays_still(after, known.paid)
    return replace(
        known,
        passed_at=passed_at,
        covered=False,
        refilled=False,
        was_refilled=known.refilled or waited,
        charged_at=at if is_early else None,
    )


def _lowered(last: Boundaries, at: datetime, *, is_next: bool) -> Boundaries:
    """The same, as the reserve fell: it was charged, if it was not before.

    `is_next` is whether the next boundary is due, so that the charge is of that one.
    """
    if is_next:
        return replace(last, charged_at=at)
    return last if last.charged_at else replace(last, charged_at=at, refilled=False)


def _with_reserve(seen: Boundaries, before: Paid, after: Paid, epochs: int) -> Boundaries:
    """The same with what the reserve shows, if so many epochs may have been charged since `before`."""
    topped_up = is_topped_up(before, after, epochs)
    covered = covers(after) and not seen.awaits_charge
    return replace(
        seen,
        covered=seen.covered or covered,
        refilled=seen.refilled or topped_up or (covered and pays_still(after, seen.paid)),
        paid=paid_now(seen.paid, before, after) if topped_up else seen.paid,
    )


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


def _is_due(boundary: datetime | None, billing: Billing, now: datetime) -> bool:
    """Whether it should have passed by now."""
    return boundary is not None and now + _tolerance(billing) >= boundary


def _tolerance(billing: Billing) -> timedelta:
    """By how much the API may move a boundary that is still the same one."""
    return min(_TOLERANCE, billing.period / 8)
