"""The books of an account after a poll: what its days should cost, and what goes into the ledger. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.accounting import (
    Booking,
    Seen,
    counted_until,
    poll_entries,
    settlement,
)
from fluence_watch.model.bill import DayCost, Priced, Things, billed, count_until
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import VM, last_settled
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources, Missing
from fluence_watch.model.presence import Presence
from fluence_watch.model.snapshot import Outcome, Snapshot

Known = tuple[Mapping[str, KnownVm], KnownResources]
"""The VMs and the resources that are known after a poll."""


@dataclass(frozen=True, slots=True)
class Books:
    """The fields of an `AccountState` after the poll, and what it adds to the ledger."""

    costs: tuple[DayCost, ...]
    counted_at: datetime | None
    settled_day: date | None
    booking: Booking = field(default_factory=Booking)


def keep_books(
    before: AccountState,
    outcome: Outcome,
    billing: Billing,
    known: Known,
    absent: tuple[Presence, Missing],
) -> Books:
    """The books after a poll. A failed one changes nothing. `absent` is what is in no list."""
    if not isinstance(outcome, Snapshot):
        return Books(before.costs, before.counted_at, before.settled_day)
    metered = not billing.prepaid
    earlier = Seen(
        before.known,
        before.resources,
        before.last_good_at,
        before.counted_at,
        billed(before.known, before.resources) if metered else {},
    )
    later = Seen(*known, outcome.taken_at, None, billed(*known) if metered else {})
    costs = before.costs
    if metered and _is_whole(outcome) and earlier.at is not None:
        span = earlier.at, outcome.taken_at
        maybe = _maybe(*absent, known[1])
        costs = count_until(before.costs, earlier.things, later.things, maybe, span)
    booking = _booking(before, outcome, billing, earlier, later)
    settled = booking.settled.day if booking.settled else before.settled_day
    return Books(costs, counted_until(earlier, later, billing), settled, booking)


def _is_whole(snapshot: Snapshot) -> bool:
    """Whether everything that is billed is in its lists."""
    return snapshot.complete and not snapshot.unread and not snapshot.unlisted


def _booking(
    before: AccountState, snapshot: Snapshot, billing: Billing, earlier: Seen, later: Seen
) -> Booking:
    day = last_settled(snapshot.taken_at)
    is_new = snapshot.charges is not None and (before.settled_day or date.min) < day
    settled = settlement(day, snapshot.charges or ()) if is_new else None
    return Booking(poll_entries(earlier, later, snapshot, billing), settled)


def _maybe(presence: Presence, missing: Missing, resources: KnownResources) -> Things:
    """What is in no list, but may still be there and cost money."""
    vms = {
        key: Priced(VM, entry.last_known.price)
        for key, entry in presence.undecided.items()
        if entry.vm.is_billed
    }
    rented = {key: resources[key].resource for key in missing.undecided}
    return {**vms, **{key: Priced(each.kind, each.price) for key, each in rented.items()}}
