"""What comes until the next digest, and how long the money lasts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from fluence_watch.model.billing import Billing
from fluence_watch.model.boundaries import GRACE
from fluence_watch.model.digest import Ahead, FailedTopUp, Funded, Runway
from fluence_watch.model.funding import (
    FOREVER,
    account_funded_until,
    cost_until,
    funded_until,
    is_short,
)
from fluence_watch.model.known import KnownVm
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Vm
from fluence_watch.rules import low_balance, topup_failed
from fluence_watch.views.digest.account import Account


class _Charges(NamedTuple):
    """The charges of one prepaid thing: how many, at which price, and the first of them."""

    number: int
    price: MicroUsdc | None
    first: datetime


def ahead_of(accounts: Sequence[Account], now: datetime, until: datetime) -> Ahead | None:
    """What comes from now to the next digest; `None` if nothing does."""
    charges = [each for account in accounts for each in _charges(account, now, until)]
    ahead = Ahead(
        until=until,
        charges=sum(each.number for each in charges),
        unpriced=sum(each.number for each in charges if each.price is None),
        amount=MicroUsdc(sum(each.number * (each.price or 0) for each in charges)),
        first=min((each.first for each in charges), default=None),
        metered=sum((_metered(each, now, until) for each in accounts), Sum()),
        failed=[each for account in accounts for each in _failed(account, now)],
        funded=sorted(_funded(accounts, now), key=lambda each: (each.until, each.of)),
        runways=sorted(_runways(accounts, now), key=lambda each: (each.until, each.account)),
        undated=sum(_undated(account) for account in accounts),
        owed=[owed for account in accounts if (owed := account.owed(now))],
    )
    some = (
        ahead.charges
        or ahead.owed
        or ahead.undated
        or ahead.metered != Sum()
        or ahead.failed
        or ahead.funded
        or ahead.runways
    )
    return ahead if some else None


def _paid(account: Account) -> Iterator[tuple[Vm | Resource, Billing]]:
    """What is billed, and how."""
    for vm in account.vms:
        if vm.is_billed:
            yield vm, account.billing
    for each in account.resources:
        yield each, each.billing


def _charges(account: Account, now: datetime, until: datetime) -> Iterator[_Charges]:
    unpaid = {each.vm.key for each in account.known if _has_failed(account, each, now)}
    for thing, billing in _paid(account):
        first = thing.next_billing_at
        if not billing.prepaid or first is None or thing.key in unpaid:
            continue
        passed = max(0, -((first - now) // billing.period))  # of a poll of long ago
        first += passed * billing.period
        number = -((first - until) // billing.period)
        if number > 0:
            yield _Charges(number, thing.price, first)


def _undated(account: Account) -> int:
    """How many prepaid things have no known next charge."""
    things = (thing for thing, billing in _paid(account) if billing.prepaid)
    return sum(thing.next_billing_at is None for thing in things)


def _metered(account: Account, now: datetime, until: datetime) -> Sum:
    """What is paid by the second costs meanwhile."""
    things = [(thing, billing) for thing, billing in _paid(account) if not billing.prepaid]
    costs = Sum.of(cost_until(thing, now, until, billing) for thing, billing in things)
    return replace(costs, is_unlisted=not account.is_whole)


def _funded(accounts: Sequence[Account], now: datetime) -> Iterator[Funded]:
    for account in accounts:
        refilled = {each.vm.key for each in account.known if _is_refilled(account, each, now)}
        for thing, billing in _paid(account):
            until = funded_until(thing, billing) if billing.prepaid else None
            if until is not None and until != FOREVER:
                yield Funded(account.thing(thing), until, thing.key in refilled)


def _is_refilled(account: Account, entry: KnownVm, now: datetime) -> bool:
    """Whether its account tops it up, and no alert says that money is short."""
    last, vm = entry.boundaries, entry.last_known
    if last is None or _has_failed(account, entry, now) or account.fires(vm, low_balance.NAME):
        return False
    return last.is_topped_up(now, GRACE)


def _has_failed(account: Account, entry: KnownVm, now: datetime) -> bool:
    """Whether its top-up has failed, as `topup_failed` judges it, or has judged it."""
    last, vm = entry.boundaries, entry.last_known
    overdue = is_short(vm) and last is not None and last.is_overdue(now, account.grace, vm.status)
    return overdue or account.fires(vm, topup_failed.NAME)


def _failed(account: Account, now: datetime) -> Iterator[FailedTopUp]:
    for entry in account.known:
        last, vm = entry.boundaries, entry.last_known
        if last is None or not vm.is_billed or not account.billing.prepaid:
            continue
        if _has_failed(account, entry, now):
            yield FailedTopUp(account.thing(vm), last.topup_due_from, vm.next_billing_at)


def _runways(accounts: Sequence[Account], now: datetime) -> Iterator[Runway]:
    for each in accounts:
        balance = each.state.balance
        if balance is None or not each.is_whole or each.owed(now):
            continue
        until = account_funded_until(balance, each.vms, now, each.billing, each.resources)
        if until is not None and until != FOREVER:
            yield Runway(each.name, until)
