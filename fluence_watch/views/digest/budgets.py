"""How far budgets are spent, and the alerts about them. Budgets belong to no account."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.model.budget import Budget, BudgetState, Tally, state_of
from fluence_watch.rules.budget import BudgetSpent
from fluence_watch.views.digest.account import Account


@dataclass(frozen=True, slots=True)
class Budgeted:
    """Budgets this month, the most spent first; the alerts about them that are open, and that ended."""

    states: Sequence[BudgetState] = ()
    alerts: Collection[Alert] = ()
    ended: Collection[Alert] = ()


def budgeted(
    budgets: Mapping[Budget, Tally],
    accounts: Sequence[Account],
    alerts: Iterable[Alert],
    ended: Iterable[Alert],
    now: datetime,
) -> Budgeted:
    """The budgets as of now, and the watcher's alerts that are about these."""
    states = [
        state_of(budget, tally, (a.rented(now) for a in accounts if budget.covers(a.name)), now)
        for budget, tally in budgets.items()
    ]
    states.sort(key=lambda each: (-each.percent, each.budget.name))
    names = {budget.name for budget in budgets}
    return Budgeted(states, list(_about(names, alerts)), list(_about(names, ended)))


def within(
    budgets: Iterable[Budget], every: Collection[str], some: Collection[str]
) -> list[Budget]:
    """The budgets about some of the accounts alone: what others spend is not for who sees these."""
    covered = {each: set(filter(each.covers, every)) for each in budgets}
    return [each for each, names in covered.items() if names and names <= set(some)]


def _about(names: Collection[str], alerts: Iterable[Alert]) -> Iterator[Alert]:
    for each in alerts:
        if isinstance(each.facts, BudgetSpent) and each.facts.name in names:
            yield each
