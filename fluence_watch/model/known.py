"""What is remembered of a VM between polls, and how a new snapshot changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.model.ports import Port
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.vm import STARTING, Vm

REMOVAL_EXPECTED_FOR = timedelta(hours=24)


class Cause(StrEnum):
    """Why a VM is lost, as far as that is known.

    `FUNDS`: its money was used up. `PROVIDER`: it was being terminated when last seen. `USER`: its
    reserve went back to the account, as after a deletion.
    """

    PROVIDER = "provider"
    FUNDS = "funds"
    USER = "user"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KnownVm:
    """A VM that was in a list once.

    `vm` is its last description; what that leaves unknown and an earlier one had is in
    `last_known`. `baseline` are the ports it had when first seen (`None` until it is up and the API
    gives them). While it is missing, `missing_polls` counts the complete polls without it,
    `last_seen_at` is the last good poll with it, `missing_among` says how many VMs the account had
    when it went, and `cause` why it is lost, once that is beyond doubt (see `presence.py`).
    `removal_asked_at` is when the user had it removed through this store.
    """

    vm: Vm
    first_seen_at: datetime
    baseline: tuple[Port, ...] | None = None
    missing_polls: int = 0
    missing_since: datetime | None = None
    missing_among: int = 0
    last_seen_at: datetime | None = None
    removal_asked_at: datetime | None = None
    remembered: Vm | None = None
    cause: Cause | None = None

    @property
    def last_known(self) -> Vm:
        """The last description, with what it leaves unknown as an earlier one had it.

        To compare with, and to say what was; what is unknown now stays unknown in `vm`.
        """
        return self.remembered or self.vm

    def described(self, vm: Vm) -> "KnownVm":
        """The same VM as it is described now; what that leaves unknown is remembered."""
        return replace(self, vm=vm, remembered=_filled(vm, self.last_known))


def track(
    known: Mapping[str, KnownVm],
    snapshot: Snapshot,
    last_good_at: datetime | None,
    forget_after: timedelta,
) -> dict[str, KnownVm]:
    """What is known after the snapshot; an entry that did not change is the same object.

    A VM in the list, read or not, is not missing. In an incomplete snapshot no absence counts.
    A lost VM that is missing for longer than `forget_after` is forgotten; one whose removal was
    asked at most `REMOVAL_EXPECTED_FOR` before, as soon as it is missing.
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
    return KnownVm(
        vm,
        entry.first_seen_at,
        baseline,
        removal_asked_at=asked_at,
        remembered=_filled(vm, entry.last_known),
    )


def _baseline(vm: Vm) -> tuple[Port, ...] | None:
    """The ports to compare with later; those of a VM that is not up yet are still to come."""
    return None if vm.status in STARTING else vm.ports


_FIELDS = tuple(field.name for field in fields(Vm))


def _filled(vm: Vm, before: Vm) -> Vm | None:
    """The VM with what is unknown of it as it was before; `None` where nothing is to be filled in."""
    unknown = [name for name in _FIELDS if getattr(vm, name) is None]
    was = {name: value for name in unknown if (value := getattr(before, name)) is not None}
    return replace(vm, **was) if was else None


def _present(entry: KnownVm, now: datetime) -> KnownVm:
    asked_at = _asked_at(entry, now)
    if entry.missing_since is None and asked_at is entry.removal_asked_at:
        return entry
    return KnownVm(
        entry.vm,
        entry.first_seen_at,
        entry.baseline,
        removal_asked_at=asked_at,
        remembered=entry.remembered,
    )


def _asked_at(entry: KnownVm, now: datetime) -> datetime | None:
    """When removal was asked, while it is expected; another clock may be a little ahead of `now`."""
    asked_at = entry.removal_asked_at
    return asked_at if asked_at and abs(now - asked_at) < REMOVAL_EXPECTED_FOR else None


def _forgettable(entry: KnownVm, now: datetime, forget_after: timedelta) -> bool:
    """Whether the watcher is done with it; of a VM in doubt nobody was notified yet."""
    if _asked_at(entry, now):
        return True
    since = entry.missing_since
    return since is not None and entry.cause is not None and now - since > forget_after


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
