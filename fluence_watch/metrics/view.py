"""The data about an account that is exported after each poll."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fluence_watch.model.bill import Bill
from fluence_watch.model.billing import EPOCHS, Billing
from fluence_watch.model.debt import Removal
from fluence_watch.model.market import Market
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Vm


@dataclass(frozen=True, slots=True)
class AccountView:
    """The current data of one account. A `None` has no series.

    `up` is whether the last poll was complete.
    `vms` are the VMs of the last good snapshot by `Vm.key`, also after a failed poll.
    `expected` are the expected ports by `Vm.key`, `None` or absent if unknown.
    `balance` and `overage` are in micro-USDC.
    `resources` are what is rented beside VMs, of these `kinds`. The lists of those that are
    `unlisted` are not complete.
    `removal` is when unpaid resources are removed, if the account is metered and known in full.
    `permissions` tell whether the key has those that a poll needs.
    `month_to_date` is what the ledger has of this month (UTC), `month_forecast` that and what is due
    until its end. `charged` is the most that each thing ever cost in all, by its key, since the account
    is watched; what is not in it has cost nothing.
    `bill` is that of the last settled day. `market` is what the market asks, if that is read.
    """

    account: str
    up: bool
    vms: Mapping[str, Vm] = field(default_factory=dict)
    expected: Mapping[str, tuple[Port, ...] | None] = field(default_factory=dict)
    last_good_at: datetime | None = None
    rejected: int | None = None
    dialect: str = "v2"
    billing: Billing = EPOCHS
    balance: MicroUsdc | None = None
    funded_until: datetime | None = None
    overage: MicroUsdc | None = None
    resources: Mapping[str, Resource] = field(default_factory=dict)
    kinds: frozenset[Kind] = frozenset()
    unlisted: frozenset[Kind] = frozenset()
    permissions: Mapping[str, bool] = field(default_factory=dict)
    removal: Removal | None = None
    bill: Bill = field(default_factory=Bill)
    market: Market | None = None
    month_to_date: MicroUsdc | None = None
    month_forecast: MicroUsdc | None = None
    charged: Mapping[str, MicroUsdc] | None = None

    def charged_for(self, key: str) -> MicroUsdc | None:
        """What a thing has cost, if that is known."""
        return None if self.charged is None else self.charged.get(key, MicroUsdc(0))
