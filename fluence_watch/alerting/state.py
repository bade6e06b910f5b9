"""The state of one account between two polls, and what one poll changes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Self, TypeVar

from fluence_watch.alerting.conditions import Conditions
from fluence_watch.alerting.journal import Entry
from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.alerting.telling import Notified
from fluence_watch.model.accounting import Booking
from fluence_watch.model.bill import DayCost
from fluence_watch.model.finding import Fingerprint
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note
from fluence_watch.model.ssh_key import SshKey

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state after a poll, as committed.

    `known` is keyed by `Vm.key`, `resources` by `Resource.key`. `alerts` are the open alerts.
    `last_poll_at` is the last evaluated poll, successful or failed.
    `last_good_at` is the last poll that returned a list.
    `ssh_keys` and `balance` (micro-USDC) are the last known values, `None` before the first one.
    `costs` are what the latest days should cost, where the account is metered. `whole_at` is the last
    poll that saw everything that is billed.
    `counted_at` is until when metered things are in the ledger, `settled_day` the last day whose
    charges the API told. `begun_at` is the first poll that returned a list: the ledger begins there.
    `conditions` are what else lasts, for the journal.
    """

    known: Mapping[str, KnownVm] = field(default_factory=dict)
    alerts: Mapping[Fingerprint, Alert] = field(default_factory=dict)
    last_poll_at: datetime | None = None
    last_good_at: datetime | None = None
    ssh_keys: tuple[SshKey, ...] | None = None
    balance: MicroUsdc | None = None
    resources: Mapping[str, KnownResource] = field(default_factory=dict)
    costs: tuple[DayCost, ...] = ()
    whole_at: datetime | None = None
    counted_at: datetime | None = None
    settled_day: date | None = None
    begun_at: datetime | None = None
    conditions: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is stored of an account, at one moment.

    `version` counts its commits. `unsettled` are the ended alerts of which a receiver may yet be
    due something. `told` is what each receiver was notified of, of alerts that are not settled.
    """

    state: AccountState = field(default_factory=AccountState)
    version: int = 0
    unsettled: Sequence[Alert] = ()
    told: Mapping[str, Mapping[Episode, Notified]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What one poll changes: the state after it, and where it differs from the one before.

    `seen` are the new or changed VMs by key, `forgotten` the keys of those that are gone;
    `rented` and `returned` are the same of disks, addresses and GPU instances.
    `opened`, `moved`, `ended` and `dropped` alerts are new, changed, over, and gone without an end.
    `applied` are the notes that no later poll needs. `booking` goes into the ledger, and `entries` into
    the journal.
    """

    after: AccountState
    seen: Mapping[str, KnownVm]
    forgotten: Sequence[str]
    rented: Mapping[str, KnownResource]
    returned: Sequence[str]
    opened: Sequence[Alert]
    moved: Sequence[Alert]
    ended: Sequence[Alert]
    dropped: Sequence[Fingerprint]
    applied: Sequence[Note]
    booking: Booking = field(default_factory=Booking)
    entries: Sequence[Entry] = ()

    @classmethod
    def between(
        cls,
        before: AccountState,
        after: AccountState,
        ended: Sequence[Alert] = (),
        applied: Sequence[Note] = (),
        booking: Booking | None = None,
        *,
        entries: Sequence[Entry] = (),
    ) -> Self:
        """The change from one state to the next, with the alerts that ended."""
        old, new = before.alerts, after.alerts
        over = {alert.fingerprint for alert in ended}
        return cls(
            after,
            seen=_changed(before.known, after.known),
            forgotten=[key for key in before.known if key not in after.known],
            rented=_changed(before.resources, after.resources),
            returned=[key for key in before.resources if key not in after.resources],
            opened=[alert for key, alert in new.items() if key not in old],
            moved=[alert for key, alert in new.items() if old.get(key) not in (None, alert)],
            ended=ended,
            dropped=[key for key in old if key not in new and key not in over],
            applied=applied,
            booking=booking or Booking(),
            entries=entries,
        )


def _changed(before: Mapping[str, T], after: Mapping[str, T]) -> Mapping[str, T]:
    return {
        key: entry
        for key, entry in after.items()
        if (known := before.get(key)) is not entry and known != entry
    }
