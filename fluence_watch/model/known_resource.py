"""What the watcher remembers about disks, addresses and GPU instances, and which of them are lost.

Only what is billed is remembered. A resource that is not in a complete list is *missing*, and
*lost* after `confirm_polls` such lists in a row. If most of a kind leave their list in the same
poll, the list itself is suspect, and they are *doubted* for `suspect_for`, unless the account owes so
much, or for so long, that they are removed. What is lost stays so until it is back, whatever the
settings and the balance are later. A GPU instance that is over stays listed, so one that is missing
is forgotten. One that is over is remembered until its last charges are known.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from fluence_watch.model.horizon import JUST_AFTER, Horizon, next_of, shifted
from fluence_watch.model.known import Cause
from fluence_watch.model.presence import SMALLEST_FLEET, PresenceLimits
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class KnownResource:
    """A resource that was billed when last listed. Where its money is unknown, it is as last known.

    While it is missing, `missing_polls` counts the complete lists without it, `last_seen_at` is the
    last successful poll that listed it, and `missing_among` how many of its kind there were then.
    `cause` is why it is lost, once that is decided: `FUNDS` if it was removed for a debt.
    """

    resource: Resource
    first_seen_at: datetime
    missing_polls: int = 0
    missing_since: datetime | None = None
    missing_among: int = 0
    last_seen_at: datetime | None = None
    cause: Cause | None = None


KnownResources = Mapping[str, KnownResource]
"""What is remembered, by `Resource.key`."""


def track_resources(
    known: KnownResources,
    snapshot: Snapshot,
    last_good_at: datetime | None,
    deleted: Collection[str],
    forget_after: timedelta,
) -> KnownResources:
    """What is known after the snapshot. An unchanged entry is the same object.

    `deleted` are the keys of resources that the user deleted: they are forgotten when missing.
    """
    now = snapshot.taken_at
    counts = Counter(e.resource.kind for e in known.values() if e.missing_since is None)
    after = {
        key: _seen(known.get(key), resource, now)
        for key, resource in snapshot.resources.items()
        if resource.is_billed or (key in known and resource.is_gpu and resource.spent is None)
    }
    for key, entry in known.items():
        kind = entry.resource.kind
        if key in snapshot.resources or kind not in snapshot.kinds:
            continue
        if kind in snapshot.unlisted or snapshot.incomplete_because:  # as in maintenance
            after[key] = entry
        elif not (key in deleted or entry.resource.is_gpu or _is_stale(entry, now, forget_after)):
            after[key] = _missed(entry, now, counts[kind], last_good_at)
    return after


def resources_hold_until(known: KnownResources, forget_after: timedelta, now: datetime) -> Horizon:
    """Until when a poll that lists the same changes nothing, as with VMs."""
    missing = [entry for entry in known.values() if entry.missing_since is not None]
    if any(entry.cause is None for entry in missing):
        return now
    ends = (entry.missing_since for entry in missing)
    return next_of(now, [shifted(each, forget_after + JUST_AFTER) for each in ends if each])


def _seen(entry: KnownResource | None, resource: Resource, now: datetime) -> KnownResource:
    if entry is None:
        return KnownResource(resource, first_seen_at=now)
    resource = _filled(resource, entry.resource)
    if entry.missing_since is None and entry.resource == resource:
        return entry
    return KnownResource(resource, entry.first_seen_at)


_MONEY = ("price", "reserved", "spent", "next_billing_at")


def _filled(resource: Resource, before: Resource) -> Resource:
    unknown = [name for name in _MONEY if getattr(resource, name) is None]
    was = {name: value for name in unknown if (value := getattr(before, name)) is not None}
    return replace(resource, **was) if was else resource


def _is_stale(entry: KnownResource, now: datetime, forget_after: timedelta) -> bool:
    return entry.missing_since is not None and now - entry.missing_since > forget_after


def _missed(
    entry: KnownResource, now: datetime, among: int, last_good_at: datetime | None
) -> KnownResource:
    if entry.missing_since is not None:
        return replace(entry, missing_polls=entry.missing_polls + 1)
    seen_at = last_good_at or entry.first_seen_at
    return replace(
        entry, missing_polls=1, missing_since=now, missing_among=among, last_seen_at=seen_at
    )


@dataclass(frozen=True, slots=True)
class DoubtedList:
    """Most resources of a kind, gone from their list in one poll. At `until` they count as lost."""

    kind: Kind
    since: datetime
    until: datetime
    among: int
    entries: tuple[KnownResource, ...]

    @property
    def subject(self) -> str:
        """The subject of findings about it."""
        return list_subject(self.kind, self.since)


def list_subject(kind: Kind, since: datetime) -> str:
    """The subject of findings about the list that lost most of a kind in the poll at that time."""
    return f"{kind}s@{since.isoformat()}"


@dataclass(frozen=True, slots=True)
class Missing:
    """The resources that are in no list: lost, in doubt, or not confirmed yet."""

    lost: tuple[KnownResource, ...] = ()
    doubts: tuple[DoubtedList, ...] = ()
    unconfirmed: tuple[KnownResource, ...] = field(default=())

    @property
    def undecided(self) -> frozenset[str]:
        """The keys of those that may still be there."""
        doubted = [entry for doubt in self.doubts for entry in doubt.entries]
        return frozenset(entry.resource.key for entry in (*self.unconfirmed, *doubted))


def settle_resources(
    known: KnownResources, limits: PresenceLimits, now: datetime, unpaid: Collection[Kind | None]
) -> KnownResources:
    """What is known, with the cause of each loss that is certain after a successful poll.

    `unpaid` are the kinds that are removed for a debt by now.
    """
    lost = {
        key: replace(known[key], cause=Cause.FUNDS if kind in unpaid else Cause.UNKNOWN)
        for (kind, since), group in _departures(known).items()
        for key in _confirmed(group, limits)
        if kind in unpaid or not (_is_suspect(group) and abs(now - since) < limits.suspect_for)
    }
    return {**known, **lost} if lost else known


def missing_resources(known: KnownResources, limits: PresenceLimits) -> Missing:
    """Which resources are lost, according to the causes that `settle_resources` found."""
    lost = [entry for entry in known.values() if entry.cause is not None]
    unconfirmed: list[KnownResource] = []
    doubts = []
    for (kind, since), group in _departures(known).items():
        confirmed = _confirmed(group, limits)
        unconfirmed += [entry for key, entry in group.items() if key not in confirmed]
        if confirmed and _is_suspect(group):
            until, among = since + limits.suspect_for, _among(group)
            doubts.append(DoubtedList(kind, since, until, among, tuple(confirmed.values())))
        else:
            unconfirmed += confirmed.values()
    return Missing(tuple(lost), tuple(doubts), tuple(unconfirmed))


_Group = Mapping[str, KnownResource]


def _departures(known: KnownResources) -> Mapping[tuple[Kind, datetime], _Group]:
    """The missing resources that are not lost, by their kind and the poll they went missing in."""
    groups: dict[tuple[Kind, datetime], dict[str, KnownResource]] = defaultdict(dict)
    for key, entry in known.items():
        if entry.missing_since is not None and entry.cause is None:
            groups[entry.resource.kind, entry.missing_since][key] = entry
    return groups


def _confirmed(group: _Group, limits: PresenceLimits) -> _Group:
    return {key: e for key, e in group.items() if e.missing_polls >= limits.confirm_polls}


def _is_suspect(group: _Group) -> bool:
    """Whether most of the kind left at once."""
    return _among(group) >= SMALLEST_FLEET and 2 * len(group) > _among(group)


def _among(group: _Group) -> int:
    return next(iter(group.values())).missing_among
