"""Budgets: what some of the things that cost money may cost in a calendar month (UTC). Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from typing import NamedTuple

from fluence_watch.model.charge import VM, id_in, words_of
from fluence_watch.model.funding import account_burn
from fluence_watch.model.globs import matches_any
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.month import Rented, month_ahead

EVERYTHING = ("*",)
NAMED = 3
_PERCENT = 100


class Spender(NamedTuple):
    """What a thing cost in some time, in micro-USDC. `kind` is `vm`, or a `Kind`."""

    account: str
    key: str
    kind: str
    name: str | None
    amount: MicroUsdc

    @property
    def id(self) -> str:
        """The id of the thing in the API, in lower case."""
        return id_in(self.key)

    @property
    def word(self) -> str:
        """What it is, in words: `VM`, `disk`."""
        return words_of(self.kind)[0]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit in micro-USDC for a month, of the accounts and the VMs that match.

    `accounts` are globs on names, `vms` globs on names, or ids. If these are `EVERYTHING`, whatever
    costs money counts, not VMs alone. `thresholds` are percents, in order.
    """

    name: str
    limit: MicroUsdc
    accounts: tuple[str, ...] = EVERYTHING
    vms: tuple[str, ...] = EVERYTHING
    thresholds: tuple[int, ...] = (50, 80, 100)
    forecast: bool = True

    def covers(self, account: str) -> bool:
        """Whether it is about this account."""
        return matches_any(self.accounts, account)

    def counts(self, kind: str, thing_id: str, name: str | None) -> bool:
        """Whether this thing of such an account counts."""
        if self.vms == EVERYTHING:
            return True
        ids = (glob.lower() for glob in self.vms)
        return kind == VM and (matches_any(self.vms, name or "") or thing_id.lower() in ids)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a budget has spent, and the largest things in it, in micro-USDC."""

    spent: MicroUsdc
    largest: tuple[Spender, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetState:
    """A budget this month: what is spent, what the rest of the month adds, and what a day costs.

    The latter two are those of what is there now; they are `None` while an account is unknown.
    """

    budget: Budget
    tally: Tally
    ahead: Sum | None = None
    burn: MicroUsdc | None = None

    @property
    def spent(self) -> MicroUsdc:
        """What is spent this month."""
        return self.tally.spent

    @property
    def percent(self) -> int:
        """How much of the limit is spent, rounded down."""
        return self.spent * _PERCENT // self.budget.limit

    @property
    def is_exceeded(self) -> bool:
        """Whether all of the limit is spent."""
        return self.spent >= self.budget.limit

    @property
    def forecast(self) -> MicroUsdc | None:
        """What the month costs by its end, if all that is there is kept; `None` if that is unknown."""
        return self.comes_to.whole if self.comes_to else None

    @property
    def comes_to(self) -> Sum | None:
        """The same with what is not known of it."""
        return Sum(self.spent) + self.ahead if self.ahead else None

    @property
    def is_ahead(self) -> bool:
        """Whether the month is certain to cost more than the limit, if all that is there is kept."""
        return self.comes_to is not None and self.comes_to.amount > self.budget.limit


def state_of(
    budget: Budget, tally: Tally, rented: Iterable[Rented | None], now: datetime
) -> BudgetState:
    """The budget as of now. `rented` is what each of its accounts rents, `None` if that is unknown."""
    ahead, burn = Sum(), 0
    for each in rented:
        if each is None:
            return BudgetState(budget, tally)
        its = _counted(budget, each)
        ahead += month_ahead(its, now)
        burn += account_burn(its.vms, its.resources, its.billing)
    return BudgetState(budget, tally, ahead, MicroUsdc(burn))


def _counted(budget: Budget, rented: Rented) -> Rented:
    """The part that counts."""
    vms = [vm for vm in rented.vms if budget.counts(VM, vm.id, vm.name)]
    resources = [each for each in rented.resources if budget.counts(each.kind, each.id, each.name)]
    return rented._replace(vms=vms, resources=resources)


def tallies(budgets: Iterable[Budget], spenders: Iterable[Spender]) -> Mapping[str, Tally]:
    """What each budget has spent, by its name."""
    every = list(spenders)
    return {budget.name: _tally(budget, every) for budget in budgets}


def _tally(budget: Budget, every: Sequence[Spender]) -> Tally:
    covered = {name for name in {one.account for one in every} if budget.covers(name)}
    its = [
        one for one in every if one.account in covered and budget.counts(one.kind, one.id, one.name)
    ]
    largest = nlargest(NAMED, its, key=lambda one: one.amount)
    return Tally(MicroUsdc(sum(one.amount for one in its)), tuple(largest))
