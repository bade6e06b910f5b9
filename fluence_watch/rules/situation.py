"""What a rule looks at: the situation of an account, or of the watcher itself."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from fnmatch import fnmatchcase

from fluence_watch.model.bill import DayCost
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.budget import BudgetState
from fluence_watch.model.finding import WATCHER, Fingerprint
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResources, Missing
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import Port
from fluence_watch.model.presence import Presence
from fluence_watch.model.silenced import Silenced
from fluence_watch.model.snapshot import PollFailure, Snapshot
from fluence_watch.model.spending import Spending
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.undelivered import Refused, Undelivered
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class Expectation:
    """The ports that the user expects. `vm` is a glob on the VM's name, or its id."""

    vm: str
    ports: tuple[Port, ...]
    account: str = "*"

    def covers(self, account: str, vm: Vm) -> bool:
        """Whether the expectation applies to this VM."""
        here = self.account in {"*", account} or fnmatchcase(account, self.account)
        return here and (fnmatchcase(vm.name or "", self.vm) or self.vm.lower() == vm.key)


class Scope(Enum):
    """What a rule watches."""

    ACCOUNT = auto()  # an account and its VMs, as seen by a poll
    WATCHER = auto()  # the watcher itself


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a rule may look at.

    `known` are the known VMs after this poll, `before` those before it.
    `presence` says which VMs are missing or lost.
    After a failed poll, `snapshot` is `None` and `failure` is the reason.
    `keys_before` are the last known SSH keys, `None` before the first list of keys.
    `expected_changes` are the changes that users made to keys, VMs and resources: the fingerprint of
    the key, `Vm.key`, or `Resource.key`.
    `resources` are the known resources after this poll, `resources_before` those before it, and
    `missing` says which of them are lost.
    `costs` are what the latest days should cost, where the account is metered.
    `last_good_at` is the successful poll before, `begun_at` the first one; `None` before the first.
    What was lost is forgotten when it has been missing for longer than `forget_after`.
    `spending` is what the ledger has of today and the days before, `None` if that is unknown.
    `since` holds the alerts that were open after the previous poll, and when each of them began.
    `fault` describes an internal error of the watcher. It stays set until a poll completes.
    `enabled` are the names of the rules that are evaluated; `evaluate` sets it.

    For the watcher itself (the account is `WATCHER`), only `since`, `firing`, `budgets`, `silences`,
    `receivers` and `refused` are set. `firing` are the alerts that fired after the previous look, with
    their facts. `budgets` are `None` while the ledger cannot be read, `silences` (those in force)
    before they are. `receivers` holds what waits for each configured receiver, `None` while it works.
    `refused` holds the alerts that a receiver refuses although it works.
    """

    account: str
    now: datetime
    known: Mapping[str, KnownVm]
    before: Mapping[str, KnownVm]
    snapshot: Snapshot | None = None
    failure: PollFailure | None = None
    presence: Presence = field(default_factory=Presence)
    billing: Billing = EPOCHS
    expectations: Sequence[Expectation] = ()
    keys_before: tuple[SshKey, ...] | None = None
    expected_changes: frozenset[tuple[NoteAction, str]] = frozenset()
    since: Mapping[Fingerprint, datetime] = field(default_factory=dict)
    fault: str = ""
    receivers: Mapping[str, Undelivered | None] = field(default_factory=dict)
    refused: Mapping[str, Refused] = field(default_factory=dict)
    resources: KnownResources = field(default_factory=dict)
    resources_before: KnownResources = field(default_factory=dict)
    missing: Missing = field(default_factory=Missing)
    costs: tuple[DayCost, ...] = ()
    last_good_at: datetime | None = None
    begun_at: datetime | None = None
    forget_after: timedelta = timedelta(0)
    enabled: frozenset[str] = frozenset()
    spending: Spending | None = None
    firing: Mapping[Fingerprint, object] = field(default_factory=dict)
    budgets: Sequence[BudgetState] | None = ()
    silences: Sequence[Silenced] | None = ()

    @property
    def alerts(self) -> Collection[Fingerprint]:
        """The alerts that were open after the previous poll."""
        return self.since.keys()

    @property
    def scope(self) -> Scope:
        """Whether the situation is about an account or the watcher itself."""
        return Scope.WATCHER if self.account == WATCHER else Scope.ACCOUNT

    @property
    def vms(self) -> Mapping[str, Vm]:
        """The VMs of this poll. Empty after a failed one."""
        return self.snapshot.vms if self.snapshot else {}

    @property
    def news(self) -> Iterator[tuple[str, Vm]]:
        """The VMs of this poll that are new, or not as they were."""
        listed = () if self.known is self.before else self.vms.items()
        for key, vm in listed:
            before, after = self.before.get(key), self.known.get(key)
            if before is None or after is None or after.vm is not before.vm:
                yield key, vm
