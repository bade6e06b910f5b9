"""What is remembered of a VM between polls, and how a new snapshot changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.vm import STARTING, Port, Vm

REMOVAL_EXPECTED_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class KnownVm:
    """A VM that was in a list once.

    `vm` is its last description, `baseline` the ports it had when first seen (`None` until it is
    up and the API tells them). While it is missing, `missing_polls` counts the complete polls without it,
    `last_seen_at` is the last good poll with it, and `missing_among` says how many VMs the
    account had when it went, for telling one lost VM from a lost list. `removal_asked_at` is when
    the user had it removed through this store.
    """

    vm: Vm
    first_seen_at: datetime
    baseline: tuple[Port, ...] | None = None
    missing_polls: int = 0
    missing_since: datetime | None = None
    missing_among: int = 0
    last_seen_at: datetime | None = None
    removal_asked_at: datetime | None = None


def track(
    known: Mapping[str, KnownVm],
    snapshot: Snapshot,
    last_good_at: datetime | None,
    forget_after: timedelta,
) -> dict[str, KnownVm]:
    """What is known after the snapshot; an entry that did not change is the same object.

    A VM in the list, read or not, is not missing. In an incomplete snapshot no absence counts.
    A VM that is missing for longer than `forget_after` is forgotten; one whose removal was asked
    at most `REMOVAL_EXPECTED_FOR` before, as soon as it is missing.
    """
    now, unread, complete = snapshot.taken_at, snapshot.unread, snapshot.complete
    present = sum(1 for entry in known.values() if entry.missing_since is None)
    after = {key: _seen(known.get(key), vm, now) for key, vm in snapshot.vms.items()}
    for key, entry in known.items():
        if key in after:
            continue
        if key in unread:
            after[key] = _present(entry, now)
        elif not complete:
            after[key] = entry
        elif not _forgettable(entry, now, forget_after):
            after[key] = _missed(entry, now, present, last_good_at)
    return after


def _seen(entry: KnownVm | None, vm: Vm, now: datetime) -> KnownVm:
    if entry is None:
        return KnownVm(vm, first_seen_at=now, baseline=_baseline(vm))
    baseline = _baseline(vm) if entry.baseline is None else entry.baseline
    asked_at = _asked_at(entry, now)
    same = baseline is entry.baseline and asked_at is entry.removal_asked_at
    if same and entry.missing_since is None and (entry.vm is vm or entry.vm == vm):
        return entry
    return KnownVm(vm, entry.first_seen_at, baseline, removal_asked_at=asked_at)


def _baseline(vm: Vm) -> tuple[Port, ...] | None:
    """The ports to compare with later; those of a VM that is not up yet are still to come."""
    return None if vm.status in STARTING else vm.ports


def _present(entry: KnownVm, now: datetime) -> KnownVm:
    asked_at = _asked_at(entry, now)
    if entry.missing_since is None and asked_at is entry.removal_asked_at:
        return entry
    return KnownVm(entry.vm, entry.first_seen_at, entry.baseline, removal_asked_at=asked_at)


def _asked_at(entry: KnownVm, now: datetime) -> datetime | None:
    """When removal was asked, while it is expected; another clock may be a little ahead of `now`."""
    asked_at = entry.removal_asked_at
    return asked_at if asked_at and abs(now - asked_at) < REMOVAL_EXPECTED_FOR else None


def _forgettable(entry: KnownVm, now: datetime, forget_after: timedelta) -> bool:
    if _asked_at(entry, now):
        return True
    return entry.missing_since is not None and now - entry.missing_since > forget_after


def _missed(entry: KnownVm, now: datetime, present: int, last_good_at: datetime | None) -> KnownVm:
    if entry.missing_since is not None:
        return replace(entry, missing_polls=entry.missing_polls + 1)
    return replace(
        entry,
        missing_polls=1,
        missing_since=now,
        missing_among=present,
        last_seen_at=last_good_at or entry.first_seen_at,
    )
