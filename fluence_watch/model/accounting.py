"""The entries of one poll of an account, for everything that it rents. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from fluence_watch.model.bill import Things, listed
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import Charge
from fluence_watch.model.duration import hour_of
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources
from fluence_watch.model.ledger import (
    Certainty,
    Entry,
    EntryKind,
    is_begun_since,
    metered_entries,
    prepaid_entries,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an account after a poll. `at` is the last successful one, `None` before it.

    `counted_at` is until when metered things are in the ledger.
    """

    known: Mapping[str, KnownVm]
    resources: KnownResources
    at: datetime | None
    counted_at: datetime | None

    @property
    def things(self) -> Things:
        """What costs money every second, by key."""
        return listed(self.known, self.resources)


def poll_entries(
    before: Seen, after: Seen, snapshot: Snapshot, billing: Billing
) -> tuple[list[Entry], datetime | None]:
    """What moved between two polls, and until when metered things are counted then."""
    gpus = list(_gpus(before, snapshot))
    if billing.prepaid:
        vms = [*_vms(before, snapshot, billing), *_reserves(before, after, snapshot.taken_at)]
        return [*vms, *gpus], None
    if before.counted_at is None or after.at is None:
        return gpus, after.at
    earlier, later = before.things, after.things
    if not _is_due(before.counted_at, after.at, changed=earlier != later):
        return gpus, before.counted_at
    return [*_metered(before, after, earlier, later), *gpus], after.at


def _vms(before: Seen, snapshot: Snapshot, billing: Billing) -> Iterator[Entry]:
    for key, vm in snapshot.vms.items():
        entry = before.known.get(key)
        if entry is None or entry.vm is not vm:
            earlier = entry.last_known if entry else None
            yield from prepaid_entries(earlier, vm, billing, before.at, snapshot.taken_at)


def _reserves(before: Seen, after: Seen, now: datetime) -> Iterator[Entry]:
    """The reserves that return to the account with VMs that the user deleted.

    If such a VM is in the list again, so is its reserve.
    """
    for key, was in before.known.items():
        later = after.known.get(key)
        if later is was or not was.last_known.reserved:
            continue
        gone = later.is_released if later else was.is_released or was.removal_asked_at is not None
        if gone != was.is_released:
            missing_since = later.missing_since if later else was.missing_since
            kind, at = (EntryKind.RELEASE, missing_since) if gone else (EntryKind.TOP_UP, None)
            amount = was.last_known.reserved
            yield Entry(key, kind, amount, at or now, now, Certainty.SPREAD)


def _gpus(before: Seen, snapshot: Snapshot) -> Iterator[Entry]:
    for key, resource in snapshot.resources.items():
        known = before.resources.get(key)
        now = snapshot.taken_at
        is_new = is_begun_since(resource, before.at, now)
        if resource.is_gpu and (known or resource.is_billed or is_new):
            earlier = known.resource if known else None
            yield from prepaid_entries(earlier, resource, resource.billing, before.at, now)


def _metered(before: Seen, after: Seen, earlier: Things, later: Things) -> Iterator[Entry]:
    """What metered things cost since they were last counted: each hour, and when anything changes.

    What both polls saw costs its former price until now. What is gone was there until the last poll,
    and what is new since it was created, or else since now.
    """
    since, now, counted = before.at, after.at, before.counted_at
    assert now
    assert counted
    for key, thing in earlier.items():
        if thing.price is not None:
            end = now if key in later or since is None else since
            yield from metered_entries(key, thing.price, (counted, end), now)
    for key, thing in later.items():
        begin = _created_at(after, key) if key not in earlier else None
        if thing.price is not None and begin and since and since < begin < now:
            yield from metered_entries(key, thing.price, (begin, now), now)


def _is_due(counted: datetime, now: datetime, *, changed: bool) -> bool:
    return now > counted and (changed or hour_of(counted) != hour_of(now))


def is_metered(counted_at: datetime | None, polled_at: datetime | None) -> bool:
    """Whether an account was metered at its last successful poll: it counts at least once an hour."""
    if counted_at is None or polled_at is None:
        return False
    return hour_of(counted_at) >= hour_of(polled_at)


def _created_at(seen: Seen, key: str) -> datetime | None:
    if key in seen.known:
        return seen.known[key].vm.created_at
    return seen.resources[key].resource.created_at


@dataclass(frozen=True, slots=True)
class Settlement:
    """What the API charged on a day, by the key of the thing: it replaces what was estimated."""

    day: date
    amounts: Mapping[str, MicroUsdc]


def settlement(day: date, charges: Iterable[Charge]) -> Settlement | None:
    """The charges of a settled day, `None` if there are none yet."""
    amounts: dict[str, int] = {}
    for each in charges:
        if each.day == day and each.key:
            amounts[each.key] = amounts.get(each.key, 0) + each.cost
    return (
        Settlement(day, {key: MicroUsdc(cost) for key, cost in amounts.items()})
        if amounts
        else None
    )


@dataclass(frozen=True, slots=True)
class Booking:
    """What a poll adds to the ledger."""

    entries: Sequence[Entry] = ()
    settled: Settlement | None = None
