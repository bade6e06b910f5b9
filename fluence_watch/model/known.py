"""What the watcher remembers about a VM between polls, and how a new snapshot updates it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from enum import StrEnum

from fluence_watch.model.billing import Billing
from fluence_watch.model.boundaries import (
    Boundaries,
    boundaries_again,
    first_boundaries,
    next_boundaries,
    passed,
)
from fluence_watch.model.horizon import JUST_AFTER, Horizon, expiry, next_of, shifted
from fluence_watch.model.ports import Port
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.vm import OVER, STARTING, Vm

REMOVAL_EXPECTED_FOR = timedelta(hours=24)


class Cause(StrEnum):
    """Why a VM is lost.

    `FUNDS`: it ran out of money.
    `PROVIDER`: it was being terminated when last seen.
    `USER`: its reserve was refunded to the account, as after a deletion.
    """

    PROVIDER = "provider"
    FUNDS = "funds"
    USER = "user"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class KnownVm:
    """A VM that has been listed at least once.

    `vm` is its latest description. `last_known` also holds earlier values of unknown fields.
    `baseline` are the ports that it had when first seen.
    It is `None` until the VM is running and the API reports its ports.
    `removal_asked_at` is when the user deleted the VM with fluence-watch.
    `boundaries` is what its latest boundary did, where it is prepaid.

    While the VM is missing:
    `missing_polls` counts the complete polls without it.
    `last_seen_at` is the last successful poll that listed it.
    `missing_among` is how many VMs the account had when it went missing.
    `cause` is why it is lost, once that is settled (see `presence.py`).
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
    boundaries: Boundaries | None = None

    @property
    def last_known(self) -> Vm:
        """The latest description. Unknown fields have their last known values.

        Use it to compare and to report earlier values. In `vm`, unknown fields stay unknown.
        """
        return self.remembered or self.vm

    @property
    def is_left_over(self) -> bool:
        """Whether it has ended, and nobody has deleted it: whatever it reserves stays locked."""
        return self.vm.status in OVER and self.removal_asked_at is None

    @property
    def is_released(self) -> bool:
        """Whether its reserve returned to the account."""
        return self.cause is Cause.USER

    def updated(self, vm: Vm) -> "KnownVm":
        """This entry with a new description. Values that are now unknown are remembered."""
        return replace(self, vm=vm, remembered=_filled(vm, self.last_known))


def track(
    known: Mapping[str, KnownVm],
    snapshot: Snapshot,
    last_good_at: datetime | None,
    forget_after: timedelta,
) -> dict[str, KnownVm]:
    """The known VMs after the snapshot. An unchanged entry is the same object.

    A listed VM is not missing, even if it is unreadable.
    An incomplete snapshot makes no VM missing.
    A lost VM is forgotten when it has been missing for longer than `forget_after`.
    A VM that the user deleted within `REMOVAL_EXPECTED_FOR` is forgotten as soon as it is missing.
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
        boundaries=_untold(entry) if vm.next_billing_at is None else entry.boundaries,
    )


def _baseline(vm: Vm) -> tuple[Port, ...] | None:
    """The ports to compare with later. A VM that is still starting has none yet."""
    return None if vm.status in STARTING else vm.ports


_FIELDS = tuple(field.name for field in fields(Vm))


def _filled(vm: Vm, before: Vm) -> Vm | None:
    """The VM with unknown fields filled from `before`. `None` if there is nothing to fill."""
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
        boundaries=_untold(entry),
    )


def _asked_at(entry: KnownVm, now: datetime) -> datetime | None:
    """When removal was requested, if that is recent. The clock that wrote it may run ahead."""
    asked_at = entry.removal_asked_at
    return asked_at if asked_at and abs(now - asked_at) < REMOVAL_EXPECTED_FOR else None


def _forgettable(entry: KnownVm, now: datetime, forget_after: timedelta) -> bool:
    """Whether to forget the VM. A doubted VM is kept, because nobody was notified of it yet."""
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


def known_holds_until(
    known: Mapping[str, KnownVm], forget_after: timedelta, now: datetime
) -> Horizon:
    """Until when a poll that lists the same changes nothing.

    While anything is missing that may be there, polls are counted.
    """
    moments: list[Horizon] = []
    for entry in known.values():
        if (since := entry.missing_since) is not None:
            if entry.cause is None:
                return now
            moments.append(shifted(since, forget_after + JUST_AFTER))
        if (asked := entry.removal_asked_at) is not None:
            moments += expiry(asked, REMOVAL_EXPECTED_FOR)
    return next_of(now, moments)


def follow_boundaries(
    before: Mapping[str, KnownVm],
    after: Mapping[str, KnownVm],
    billing: Billing,
    now: datetime,
    unread: Collection[str] = (),
    *,
    last_at: datetime | None = None,
) -> Mapping[str, KnownVm]:
    """The known VMs after a poll, with what is known of their boundaries. Of `unread` ones it stays.

    `last_at` was the poll before.
    """
    moved = {}
    for key, entry in after.items():
        was = before.get(key)
        same = was is not None and was.vm is entry.vm and entry.boundaries is not None
        same = same and not _is_after_gap(entry.boundaries)
        if same or entry.missing_since is not None or key in unread:
            continue
        boundaries = _of(was, entry, billing, now, last_at)
        if boundaries != entry.boundaries:
            moved[key] = replace(entry, boundaries=boundaries)
    return {**after, **moved} if moved else after


def _of(
    was: KnownVm | None,
    entry: KnownVm,
    billing: Billing,
    now: datetime,
    last_at: datetime | None,
) -> Boundaries | None:
    """What happened at a boundary while the VM was missing is unknown."""
    if was is None:
        return first_boundaries(entry.vm, billing, now)
    known, earlier, vm = was.boundaries, was.last_known, entry.last_known
    if was.missing_since or _is_after_gap(known):
        if entry.vm.next_billing_at is None:
            return entry.boundaries
        if passed(earlier.next_billing_at, vm.next_billing_at, billing, now):
            return boundaries_again(known, earlier, entry.vm, billing, now)
    is_told = entry.vm.spent is not None
    last_at = was.last_seen_at if was.missing_since else last_at
    return next_boundaries(known, earlier, vm, billing, now, is_told=is_told, last_at=last_at)


def _is_after_gap(boundaries: Boundaries | None) -> bool:
    return boundaries is not None and boundaries.after_gap


def _untold(entry: KnownVm) -> Boundaries | None:
    """Its boundaries, if this poll does not tell its money: whether it was missing since it did."""
    if entry.boundaries is None or entry.missing_since is None:
        return entry.boundaries
    return replace(entry.boundaries, after_gap=True)
