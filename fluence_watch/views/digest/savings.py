"""What to delete to save most."""

from collections.abc import Iterator, Sequence

from fluence_watch.alerting.lifecycle import State
from fluence_watch.model.billing import Billing
from fluence_watch.model.digest import Saving, Why
from fluence_watch.model.funding import DAYS_A_MONTH, burn_per_day
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.overpriced import Overpriced
from fluence_watch.views.digest.account import Account

_STOPPED = frozenset({Status.STOPPED, Status.SUSPENDED})


def savings_in(accounts: Sequence[Account]) -> list[Saving]:
    """What saves something, the most first; what may be deleted is not also called dear.

    Things with an unknown price come last.
    """
    deletable = [each for account in accounts for each in _deletable(account) if each.amount != 0]
    named = {each.of for each in deletable}
    dear = [each for account in accounts for each in _dear(account) if each.of not in named]
    return sorted(
        (*deletable, *dear), key=lambda each: (each.amount is None, -(each.amount or 0), each.of)
    )


def _deletable(account: Account) -> Iterator[Saving]:
    for each in account.resources:
        if each.is_idle:
            thing, command = account.thing(each), f"{each.kind.command} rm"
            yield Saving(thing, Why.IDLE, _in_a_month(each, each.billing), command)
    for entry in account.known:
        vm = entry.last_known
        if account.billing.prepaid and entry.is_left_over and vm.reserved:
            yield Saving(account.thing(vm), Why.LOCKED, vm.reserved, "vm rm")
        elif vm.status in _STOPPED and vm.is_billed:
            cost = _in_a_month(vm, account.billing)
            yield Saving(account.thing(vm), Why.STOPPED, cost, "vm rm")


def _dear(account: Account) -> Iterator[Saving]:
    for alert in account.state.alerts.values():
        facts = alert.facts
        if alert.state is not State.FIRING or not isinstance(facts, Overpriced):
            continue
        if about := facts.vm or facts.resource:
            yield Saving(account.thing(about), Why.DEAR, facts.saving, None)


def _in_a_month(thing: Vm | Resource, billing: Billing) -> MicroUsdc | None:
    if thing.price is None:
        return None
    return MicroUsdc(DAYS_A_MONTH * burn_per_day([thing], billing))
