"""The entries of one poll of an account, for everything that it rents. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from fluence_watch.model.bill import Things
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import VM, Charge
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources
from fluence_watch.model.ledger import Entry, metered_entries, prepaid_entries
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of an account after a poll. `at` is the last successful one, `None` before it.

    `counted_at` is until when metered things are in the ledger, `things` are those that are billed.
    """

    known: Mapping[str, KnownVm]
    resources: KnownResources
    at: datetime | None
    counted_at: datetime | None
    things: Things


def poll_entries(before: Seen, after: Seen, snapshot: Snapshot, billing: Billing) -> list[Entry]:
    """What moved between two polls."""
    prepaid = _vms(before, snapshot, billing) if billing.prepaid else _metered(before, after)
    return [*prepaid, *_gpus(before, snapshot)]


def counted_until(before: Seen, after: Seen, billing: Billing) -> datetime | None:
    """Until when metered things are in the ledger after the poll."""
    if billing.prepaid or after.at is None:
        return before.counted_at
    is_first = before.counted_at is None
    return after.at if is_first or _is_due(before, after) else before.counted_at


def _vms(before: Seen, snapshot: Snapshot, billing: Billing) -> Iterator[Entry]:
    for key, vm in snapshot.vms.items():
        entry = before.known.get(key)
        if entry is None or entry.vm is not vm:
            earlier = entry.last_known if entry else None
            yield from prepaid_entries(earlier, vm, billing, before.at, snapshot.taken_at)


def _gpus(before: Seen, snapshot: Snapshot) -> Iterator[Entry]:
    for key, resource in snapshot.resources.items():
        known = before.resources.get(key)
        if resource.is_gpu and (known or resource.is_billed):
            earlier, now = known.resource if known else None, snapshot.taken_at
            yield from prepaid_entries(earlier, resource, resource.billing, before.at, now)


def _metered(before: Seen, after: Seen) -> Iterator[Entry]:
    """What metered things cost since they were last counted: each hour, and when anything changes.

    What both polls saw costs its former price until now. What is gone was there until the last poll,
    and what is new since it was created, or else since now.
    """
    since, now, counted = before.at, after.at, before.counted_at
    if since is None or now is None or counted is None or not _is_due(before, after):
        return
    later = after.things
    for key, thing in before.things.items():
        if thing.price is not None:
            end = now if key in later else since
            yield from metered_entries(key, thing.price, (counted, end), now)
    for key, thing in later.items():
        begin = _created_at(after, key) if key not in before.things else None
        if thing.price is not None and begin is not None and since < begin < now:
            yield from metered_entries(key, thing.price, (begin, now), now)


def _is_due(before: Seen, after: Seen) -> bool:
    counted, now = before.counted_at, after.at
    if counted is None or now is None or now <= counted:
        return False
    return _hour(counted) != _hour(now) or before.things != after.things


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


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
        if each.day == day and each.resource_id:
            key = each.resource_id.lower()
            key = key if each.kind == VM else f"{each.kind}:{key}"
            amounts[key] = amounts.get(key, 0) + each.cost
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
