"""What the days of a metered account should cost, after a poll. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.state import AccountState
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
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import VM
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources, Missing
from fluence_watch.model.presence import Presence
from fluence_watch.model.resource import GPUS
from fluence_watch.model.snapshot import Outcome, Snapshot

Known = tuple[Mapping[str, KnownVm], KnownResources]
"""The VMs and the resources that are known after a poll."""


@dataclass(frozen=True, slots=True)
class Books:
    """Fields of an `AccountState` after the poll."""

    costs: tuple[DayCost, ...]
    whole_at: datetime | None


def keep_books(
    before: AccountState,
    outcome: Outcome,
    billing: Billing,
    known: Known,
    absent: tuple[Presence, Missing],
) -> Books:
    """The books after a poll. `absent` is what is in no list.

    What a list that is not complete has not is as it was last known. Such a poll counts, but the time
    since the last whole one is only watched if the next whole one is near.
    """
    if not isinstance(outcome, Snapshot) or billing.prepaid:
        return Books(before.costs, before.whole_at)
    earlier, later = billed(before.known, before.resources), billed(*known)
    costs, now = before.costs, outcome.taken_at
    if before.last_good_at is not None:
        unclear = perhaps_billed(outcome.vms, outcome.resources)
        maybe = {**_maybe(*absent, known[1]), **unclear}
        costs = count_until(costs, earlier, later, maybe, (before.last_good_at, now))
    if not (_is_whole(outcome) and all_priced(earlier, later)):
        return Books(costs, before.whole_at)
    return Books(watch_until(costs, before.whole_at, now), now)


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
