"""The entries of one poll of an account, for everything that it rents. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from fluence_watch.model.bill import Things, listed
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import Charge
from fluence_watch.model.duration import hour_of, part_of_hour
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources
from fluence_watch.model.ledger import (
    Certainty,
    Entry,
    EntryKind,
    metered_entries,
    prepaid_entries,
)
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Snapshot

COUNTED_EACH = 10
"""What is metered is counted by the first poll of each so many minutes of the clock."""

_LISTED_LATE = timedelta(hours=1)  # so much later a list may show what is new
_AHEAD = timedelta(hours=1)  # what is counted for longer than this is of a clock that was ahead


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an account after a poll. `at` is the last successful one, `None` before it.

    `counted_at` is until when metered things are in the ledger, `begun_at` when the ledger began.
    `removed` are the things that users have deleted lately: a list may still show them.
    """

    known: Mapping[str, KnownVm]
    resources: KnownResources
    at: datetime | None
    counted_at: datetime | None
    begun_at: datetime | None = None
    removed: frozenset[str] = frozenset()

    @property
    def things(self) -> Things:
        """What costs money every second, by key."""
        return listed(self.known, self.resources)


def book_poll(
    before: Seen, after: Seen, snapshot: Snapshot, billing: Billing
) -> tuple["Booking", datetime | None]:
    """What moved between two polls, and until when metered things are counted then."""
    prepaid, counted_at = list(_gpus(before, snapshot)), None
    others: Iterable[Entry]
    if billing.prepaid:
        prepaid += _vms(before, after, snapshot, billing)
        others = _reserves(before, after, snapshot.taken_at)
    else:
        others, counted_at = _metered(before, after)
    first = frozenset(each.thing for each in prepaid if not _had_total(before, each.thing))
    return Booking((*prepaid, *others), first), counted_at


def _had_total(before: Seen, key: str) -> bool:
    vm, resource = before.known.get(key), before.resources.get(key)
    if vm is not None:
        return vm.last_known.spent is not None
    return resource is not None and resource.resource.spent is not None


def _vms(before: Seen, after: Seen, snapshot: Snapshot, billing: Billing) -> Iterator[Entry]:
    for key, vm in snapshot.vms.items():
        entry, later = before.known.get(key), after.known.get(key)
        if entry is None or later is None or entry.vm is not later.vm:
            earlier = entry.last_known if entry else None
            yield from prepaid_entries(earlier, vm, billing, before.begun_at, snapshot.taken_at)


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
    """What has ended is listed for ever: only if it began lately, it is new."""
    now = snapshot.taken_at
    for key, resource in snapshot.resources.items():
        if not resource.is_gpu:
            continue
        known = before.resources.get(key)
        if known or resource.is_billed or _is_late(resource.created_at, before.at, now):
            earlier = known.resource if known else None
            yield from prepaid_entries(earlier, resource, resource.billing, before.begun_at, now)


def _is_late(created_at: datetime | None, since: datetime | None, now: datetime) -> bool:
    """Whether the poll at `since` may have been the last one whose list did not have it."""
    return (
        created_at is not None and since is not None and since - _LISTED_LATE <= created_at <= now
    )


def _metered(before: Seen, after: Seen) -> tuple[list[Entry], datetime | None]:
    """What metered things cost since they were last counted: each ten minutes, and when anything changes.

    A clock that was more than an hour ahead counted what is still to come: that is taken back.
    """
    counted, now = before.counted_at, after.at
    if counted is None or now is None:
        return [], now
    earlier, later = before.things, after.things
    if counted - now > _AHEAD:
        return [*_taken_back(before, now, counted)], now
    if not _is_due(counted, now, changed=earlier != later):
        return [], counted
    return [*_counted(before, after, (counted, now), earlier, later)], now


def _taken_back(before: Seen, now: datetime, counted: datetime) -> Iterator[Entry]:
    """What a clock that was ahead counted, although it is still to come.

    Nothing was counted of a thing before it was first seen, but for one that was listed late.
    """
    for key, thing in before.things.items():
        entry = before.known.get(key) or before.resources[key]
        created, since = _created_at(before, key), entry.first_seen_at
        if created and before.begun_at and before.begun_at < created < since:
            since = created
        if thing.price is not None:
            for each in metered_entries(key, thing.price, (max(now, since), counted), now):
                yield replace(each, amount=MicroUsdc(-each.amount))


def _counted(
    before: Seen, after: Seen, span: tuple[datetime, datetime], earlier: Things, later: Things
) -> Iterator[Entry]:
    """What both polls saw costs its former price until now. What is gone was there until the last poll.

    What is new costs money since it was created, or else since now.
    """
    (counted, now), since = span, before.at
    for key, thing in earlier.items():
        if thing.price is not None:
            end = now if key in later or since is None else since
            yield from metered_entries(key, thing.price, (counted, end), now)
    for key, thing in later.items():
        begin = _new_since(before, after, key) if key not in earlier else None
        if thing.price is not None and begin is not None and begin < now:
            yield from metered_entries(key, thing.price, (begin, now), now)


def _new_since(before: Seen, after: Seen, key: str) -> datetime | None:
    """Since when a thing costs money that was not billed at the last poll, if that is known.

    What was known then has changed meanwhile; what was not may be listed late.
    """
    created, since = _created_at(after, key), before.at
    if created is None or since is None:
        return None
    was_known = key in before.known or key in before.resources or key in before.removed
    return created if created > (since if was_known else since - _LISTED_LATE) else None


def _is_due(counted: datetime, now: datetime, *, changed: bool) -> bool:
    if now <= counted:
        return False
    return changed or part_of_hour(counted, COUNTED_EACH) != part_of_hour(now, COUNTED_EACH)


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
    """What the API charged on a day, by the key of the thing: it replaces what was estimated.

    The list may not be whole at first. Once it is `final`, what is not in it was not charged. A day
    whose list is empty has no settlement: it stays estimated, for the list may yet be to come.
    """

    day: date
    amounts: Mapping[str, MicroUsdc]
    final: bool


def settlements(charges: Iterable[Charge], last: date) -> list[Settlement]:
    """The charges of each settled day that has any. The one before `last` is final."""
    days: dict[date, dict[str, int]] = {}
    for each in charges:
        if each.key and each.day <= last:
            amounts = days.setdefault(each.day, {})
            amounts[each.key] = amounts.get(each.key, 0) + each.cost
    return [
        Settlement(day, {key: MicroUsdc(cost) for key, cost in amounts.items()}, day < last)
        for day, amounts in sorted(days.items())
    ]


@dataclass(frozen=True, slots=True)
class Booking:
    """What a poll adds to the ledger. `first` are the things whose total no poll before it knew."""

    entries: Sequence[Entry] = ()
    first: frozenset[str] = frozenset()
    settled: Sequence[Settlement] = ()
