"""The books of an account after a poll: what its days should cost, and its ledger. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.accounting import (
    Booking,
    Seen,
    Settlement,
    book_poll,
    settlements,
)
from fluence_watch.model.bill import (
    DayCost,
    Priced,
    Things,
    all_priced,
    billed,
    count_until,
    perhaps_billed,
    watch_until,
)
from fluence_watch.model.billing import HOUR, Billing
from fluence_watch.model.charge import VM, last_settled
from fluence_watch.model.duration import hour_of
from fluence_watch.model.horizon import Horizon, next_of
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources, Missing
from fluence_watch.model.presence import Presence
from fluence_watch.model.resource import GPUS
from fluence_watch.model.snapshot import Outcome, Snapshot

Known = tuple[Mapping[str, KnownVm], KnownResources]
"""The VMs and the resources that are known after a poll."""


@dataclass(frozen=True, slots=True)
class Books:
    """Fields of an `AccountState` after the poll, and what it adds to the ledger."""

    costs: tuple[DayCost, ...]
    whole_at: datetime | None
    counted_at: datetime | None
    settled_day: date | None
    booking: Booking = field(default_factory=Booking)


def keep_books(
    before: AccountState,
    outcome: Outcome,
    billing: Billing,
    known: Known,
    absent: tuple[Presence, Missing],
    *,
    removed: frozenset[str] = frozenset(),
) -> Books:
    """The books after a poll. A failed one changes nothing.

    `absent` is what is in no list, `removed` what users have deleted lately.
    """
    if not isinstance(outcome, Snapshot):
        return Books(before.costs, before.whole_at, before.counted_at, before.settled_day)
    costs, whole_at = before.costs, before.whole_at
    if not billing.prepaid:
        costs, whole_at = _costs(before, outcome, known, absent)
    earlier = Seen(
        before.known,
        before.resources,
        before.last_good_at,
        before.counted_at,
        before.begun_at,
        removed,
    )
    booking, counted_at = book_poll(earlier, Seen(*known, outcome.taken_at, None), outcome, billing)
    if settled := _settlements(before, outcome):
        booking = replace(booking, settled=settled)
    settled_day = settled[-1].day if settled else before.settled_day
    return Books(costs, whole_at, counted_at, settled_day, booking)


def books_hold_until(snapshot: Snapshot, billing: Billing) -> Horizon:
    """Until when polls that list the same book nothing. Of what is metered, each poll counts the time."""
    now = snapshot.taken_at
    if not billing.prepaid:
        return now
    gpus = [each for each in snapshot.resources.values() if each.is_gpu and not each.is_billed]
    if any(each.created_at and now - each.created_at < 2 * HOUR for each in gpus):
        return now  # it may be news that it was there
    hours = [hour_of(now) + HOUR] if snapshot.charges else []
    return next_of(now, [*(each.created_at for each in gpus), *hours])


def _costs(
    before: AccountState, outcome: Snapshot, known: Known, absent: tuple[Presence, Missing]
) -> tuple[tuple[DayCost, ...], datetime | None]:
    """What days should cost, and when everything was seen last.

    What a list that is not complete has not is as it was last known. Such a poll counts, but the time
    since the last whole one is only watched if the next whole one is near.
    """
    earlier, later = billed(before.known, before.resources), billed(*known)
    costs, now = before.costs, outcome.taken_at
    if before.last_good_at is not None:
        unclear = perhaps_billed(outcome.vms, outcome.resources)
        maybe = {**_maybe(*absent, known[1]), **unclear}
        costs = count_until(costs, earlier, later, maybe, (before.last_good_at, now))
    if not (_is_whole(outcome) and all_priced(earlier, later)):
        return costs, before.whole_at
    return watch_until(costs, before.whole_at, now), now


def _settlements(before: AccountState, snapshot: Snapshot) -> Sequence[Settlement]:
    """The charges of the settled days: as soon as the last of them is told, and anew each hour."""
    now, last_good_at, charges = snapshot.taken_at, before.last_good_at, snapshot.charges or ()
    last = last_settled(now)
    is_new = before.settled_day is None or before.settled_day < last
    is_news = is_new and any(each.day == last for each in charges)
    if not is_news and last_good_at and hour_of(last_good_at) == hour_of(now):
        return ()
    return settlements(charges, last)


def _is_whole(snapshot: Snapshot) -> bool:
    """Whether everything that is metered is in its lists."""
    unlisted = snapshot.unlisted - frozenset(GPUS)
    return snapshot.complete and not snapshot.unread and not unlisted


def _maybe(presence: Presence, missing: Missing, resources: KnownResources) -> Things:
    """What is in no list, but may still be there and cost money."""
    vms = {
        key: Priced(VM, entry.last_known.price)
        for key, entry in presence.undecided.items()
        if entry.vm.is_billed
    }
    rented = {key: resources[key].resource for key in missing.undecided}
    return {**vms, **{key: Priced(each.kind, each.price) for key, each in rented.items()}}
