"""The outcome of one poll."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fluence_watch.alerting.lifecycle import Alert, Alerts
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Policy
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import Rented
from fluence_watch.model.note import Note
from fluence_watch.model.snapshot import Outcome, Snapshot


@dataclass(frozen=True, slots=True)
class Polled:
    """The outcome of one poll, for the metrics, the status page and the log.

    `state` is what was decided, `before` the alerts that were open, `ended` those that ended.
    `store_error` says why it was not committed. `paused` is as in `Decision`.
    `month_to_date` is what the ledger has of this month (UTC), and `charged` the most that each thing
    ever cost in all, by its key; `None` if the ledger cannot be read. `notes` are what users had done.
    """

    policy: Policy
    outcome: Outcome
    state: AccountState
    seconds: float
    store_error: str | None = None
    before: Alerts = field(default_factory=dict)
    ended: Sequence[Alert] = ()
    paused: frozenset[str] | None = None
    month_to_date: MicroUsdc | None = None
    charged: Mapping[str, MicroUsdc] | None = None
    notes: Sequence[Note] = ()

    @property
    def rented(self) -> Rented | None:
        """What the account rents, if the poll saw all of it."""
        listed = self.outcome
        if not isinstance(listed, Snapshot) or not listed.is_whole:
            return None
        vms, resources = listed.vms.values(), listed.resources.values()
        return Rented(vms, resources, self.policy.billing_of(listed), self.state.counted_at)

    @property
    def counts(self) -> tuple[object, ...] | None:
        """How many VMs were read and rejected, and what is unknown; `None` after a failure."""
        listed = self.outcome if isinstance(self.outcome, Snapshot) else None
        return (len(listed.vms), len(listed.rejected), *listed.unknown) if listed else None
