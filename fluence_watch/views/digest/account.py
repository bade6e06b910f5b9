"""An account as its last poll left it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.alerting.lifecycle import State
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.account import AccountBalance
from fluence_watch.model.billing import Billing
from fluence_watch.model.boundaries import GRACE
from fluence_watch.model.charge import VM
from fluence_watch.model.debt import removal_of
from fluence_watch.model.digest import Owed, Thing
from fluence_watch.model.finding import Fingerprint, VmRef
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import Rented
from fluence_watch.model.resource import Resource, ResourceRef
from fluence_watch.model.vm import Vm
from fluence_watch.rules import debt
from fluence_watch.rules.debt import Debt
from fluence_watch.views.rented import billing_of, is_whole, rented_in


@dataclass(frozen=True, slots=True)
class Account:
    """The stored state of an account. `prepaid` is how its VMs are paid where they are prepaid.

    `grace` is how long after a boundary a reserve may be topped up until `topup_failed` reports it.
    """

    name: str
    state: AccountState
    prepaid: Billing
    grace: timedelta = GRACE

    @property
    def billing(self) -> Billing:
        """How its VMs were paid at its last successful poll."""
        return billing_of(self.state, self.prepaid)

    def fires(self, vm: Vm, *rules: str) -> bool:
        """Whether an alert of one of these rules fires for the VM."""
        alerts = (self.state.alerts.get(Fingerprint(self.name, rule, vm.key)) for rule in rules)
        return any(alert and alert.state is State.FIRING for alert in alerts)

    @property
    def is_whole(self) -> bool:
        """Whether its last successful poll saw everything that is metered."""
        return is_whole(self.state, self.billing)

    def owed(self, now: datetime) -> Owed | None:
        """What it owes: as the alert about its debt says, or else by its balance. `None` is nothing."""
        alert = self.state.alerts.get(Fingerprint(self.name, debt.NAME))
        if alert and alert.state is State.FIRING and isinstance(alert.facts, Debt):
            facts = alert.facts
            return Owed(self.name, facts.owed, facts.vms_at, facts.disks_at)
        balance = self.state.balance
        if balance is None or balance >= 0 or self.billing.prepaid:
            return None
        removal = removal_of(AccountBalance(balance), self.vms, self.resources, now)
        vms_at, disks_at = (
            None if at == FOREVER else at for at in (removal.vms_at, removal.disks_at)
        )
        return Owed(self.name, MicroUsdc(-balance), vms_at, disks_at)

    def rented(self, now: datetime) -> Rented | None:
        """What it rents; `None` without a successful poll in this month."""
        return rented_in(self.state, self.prepaid, now)

    @property
    def known(self) -> list[KnownVm]:
        """The VMs that are listed."""
        return [each for each in self.state.known.values() if each.missing_since is None]

    @property
    def vms(self) -> list[Vm]:
        """The same, as last known."""
        return [each.last_known for each in self.known]

    @property
    def resources(self) -> list[Resource]:
        """The disks, addresses and GPU instances that are listed and billed."""
        known = self.state.resources.values()
        listed = (each.resource for each in known if each.missing_since is None)
        return [each for each in listed if each.is_billed]

    def thing(self, of: Vm | VmRef | Resource | ResourceRef) -> Thing:
        """The reference to something in it."""
        kind = of.kind.value if isinstance(of, Resource | ResourceRef) else VM
        return Thing(self.name, kind, of.id, of.name)
