"""What one poll of one account brought: a list of VMs, or the reason why there is none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import Vm

INTERNAL_ERROR = "internal_error"
OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Rejected:
    """An element of the list that could not be read.

    `where` is its path (`[3].pricePerEpoch`), `vm_id` its id where at least that was readable.
    """

    where: str
    why: str
    vm_id: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The VM list of an account. `vms` is keyed by `Vm.key`, in the order of the list.

    `ssh_keys` and `balance` are `None` where this poll does not know them, or the API does not
    tell. `billing_period` is what prices are for, where the API says it itself.
    `incomplete_because` says why no absence in this list counts: a page changed under the
    reader. `unknown` says why something was asked for and not given: `SSH keys`, `balance`.
    """

    account: str
    taken_at: datetime
    vms: Mapping[str, Vm]
    rejected: tuple[Rejected, ...] = ()
    dialect: str = "v2"
    ssh_keys: tuple[SshKey, ...] | None = None
    balance: AccountBalance | None = None
    incomplete_because: str | None = None
    billing_period: timedelta | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every element is known by its id, so that a missing VM is truly missing."""
        return self.incomplete_because is None and all(element.vm_id for element in self.rejected)

    @property
    def unreadable(self) -> bool:
        """Whether there are VMs in the list, and not one of them can be read."""
        return bool(self.rejected) and not self.vms

    @property
    def unread(self) -> frozenset[str]:
        """Keys of VMs that are in the list but could not be read."""
        keys = {element.vm_id.lower() for element in self.rejected if element.vm_id}
        return frozenset(keys - self.vms.keys())


@dataclass(frozen=True, slots=True)
class PollFailure:
    """A poll that brought nothing.

    `reason` is `ApiError.reason`, `INTERNAL_ERROR` or `OVERDUE`; `message` is for people.
    """

    account: str
    taken_at: datetime
    reason: str
    message: str

    @property
    def unauthorized(self) -> bool:
        """Whether the key itself is the trouble, so that waiting mends nothing."""
        return self.reason == "unauthorized"

    @property
    def internal(self) -> bool:
        """Whether it is the watcher that fails, and not the API."""
        return self.reason in {INTERNAL_ERROR, OVERDUE}


Outcome = Snapshot | PollFailure


def build_snapshot(
    account: str,
    taken_at: datetime,
    vms: Iterable[Vm],
    rejected: Iterable[Rejected] = (),
    dialect: str = "v2",
    *,
    ssh_keys: tuple[SshKey, ...] | None = None,
    balance: AccountBalance | None = None,
    incomplete_because: str | None = None,
    billing_period: timedelta | None = None,
    unknown: Mapping[str, str] | None = None,
) -> Snapshot:
    """A snapshot of the list; of elements with the same id the first counts.

    A later one that says something else is rejected, one that says the same is dropped.
    """
    by_key: dict[str, Vm] = {}
    refused = list(rejected)
    for vm in vms:
        first = by_key.setdefault(vm.key, vm)
        if first is not vm and first != vm:
            refused.append(Rejected(vm.id, "the id is in the list twice, with other data", vm.id))
    return Snapshot(
        account,
        taken_at,
        by_key,
        tuple(refused),
        dialect,
        ssh_keys=ssh_keys,
        balance=balance,
        incomplete_because=incomplete_because,
        billing_period=billing_period,
        unknown=unknown or {},
    )
