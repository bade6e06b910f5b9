"""The result of one poll of one account: a list of VMs, or the reason for the failure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import Charge
from fluence_watch.model.market import Market
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.ssh_key import SshKey
from fluence_watch.model.vm import HALTED, STARTING, Vm

INTERNAL_ERROR = "internal_error"
OVERDUE = "overdue"


_WITHOUT_MONEY = STARTING | HALTED


@dataclass(frozen=True, slots=True)
class Rejected:
    """An element of the list that could not be read.

    `where` is its path (`[3].pricePerEpoch`). `vm_id` is its id, if at least that was readable.
    """

    where: str
    why: str
    vm_id: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The VM list of an account. `vms` is keyed by `Vm.key`, in the order of the list.

    `ssh_keys` and `balance` are `None` if this poll did not get them.
    `billing` is how VMs are paid. It is `None` if that is not known.
    `incomplete_because` is why VMs may be absent from this list without being missing.
    For example, a page changed while the list was read.
    `resources` are what the account rents beside VMs, by `Resource.key`, of the `kinds` that were
    requested.
    `unknown` holds the reasons why something (`SSH keys`, `balance`, `disks`, `permissions`, `charges`) was
    requested but not received in full.
    `permissions` tell whether the key has those that a poll needs. It is empty if unknown.
    `charges` are those of the days that a rule compares, `None` if they are unknown.
    `market` is what the market asks, if a rule compares it.
    """

    account: str
    taken_at: datetime
    vms: Mapping[str, Vm]
    rejected: tuple[Rejected, ...] = ()
    dialect: str = "v2"
    ssh_keys: tuple[SshKey, ...] | None = None
    balance: AccountBalance | None = None
    incomplete_because: str | None = None
    billing: Billing | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)
    kinds: frozenset[Kind] = frozenset()
    permissions: Mapping[str, bool] = field(default_factory=dict)
    charges: tuple[Charge, ...] | None = None
    market: Market | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything that costs money is in it."""
        return self.complete and not self.rejected and not self.unlisted

    @property
    def unlisted(self) -> frozenset[Kind]:
        """The kinds of resources whose list is not complete."""
        return frozenset(kind for kind in Kind if kind.words in self.unknown)

    @property
    def complete(self) -> bool:
        """Whether every element has a known id, so that an absent VM is really missing."""
        return self.incomplete_because is None and all(element.vm_id for element in self.rejected)

    @property
    def unreadable(self) -> bool:
        """Whether the list has VMs, but none of them can be read."""
        return bool(self.rejected) and not self.vms

    def unknown_money(self, vm: Vm) -> tuple[str, ...]:
        """What the API should report about the money of a VM, but does not.

        A VM that is starting has no price yet. For one that is halted or ended, `vm_status` is the
        news.
        """
        if vm.status in _WITHOUT_MONEY or not vm.is_billed:
            return ()
        facts: dict[str, object] = {"price": vm.price}
        if self.billing is not None and self.billing.prepaid:
            facts |= {"reserve": vm.reserved, "next charge": vm.next_billing_at}
        return tuple(name for name, fact in facts.items() if fact is None)

    @property
    def unread(self) -> frozenset[str]:
        """The keys of VMs that are listed but could not be read."""
        keys = {element.vm_id.lower() for element in self.rejected if element.vm_id}
        return frozenset(keys - self.vms.keys())


@dataclass(frozen=True, slots=True)
class PollFailure:
    """A poll that failed.

    `reason` is `ApiError.reason`, `INTERNAL_ERROR` or `OVERDUE`. `message` is text for users.
    """

    account: str
    taken_at: datetime
    reason: str
    message: str

    @property
    def unauthorized(self) -> bool:
        """Whether the API rejected the key, so that retrying does not help."""
        return self.reason == "unauthorized"

    @property
    def internal(self) -> bool:
        """Whether the watcher failed, not the API."""
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
    billing: Billing | None = None,
    unknown: Mapping[str, str] | None = None,
    resources: Iterable[Resource] = (),
    kinds: Iterable[Kind] = (),
    permissions: Mapping[str, bool] | None = None,
    charges: tuple[Charge, ...] | None = None,
    market: Market | None = None,
) -> Snapshot:
    """Build a snapshot of the list. Of several elements with the same id, the first one counts.

    A later element is dropped if it is identical, and rejected if it differs.
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
        billing=billing,
        unknown=unknown or {},
        resources={each.key: each for each in resources},
        kinds=frozenset(kinds),
        permissions=permissions or {},
        charges=charges,
        market=market,
    )
