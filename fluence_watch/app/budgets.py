"""Budgets: what is spent of them, from the ledger, and what the month adds, from the last whole polls."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import structlog

from fluence_watch.app.polled import Polled
from fluence_watch.errors import StoreError
from fluence_watch.model.budget import Budget, BudgetState, Tally, state_of
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import Rented
from fluence_watch.store import Store

_log = structlog.get_logger(__name__)

_Sums = tuple[date, Mapping[str, MicroUsdc | None]]


class Budgets:
    """The budgets of the settings. One thread at a time may use it."""

    def __init__(self, store: Store, budgets: Sequence[Budget], accounts: Collection[str]) -> None:
        self._store = store
        self._budgets = budgets
        self._accounts = accounts
        self._rented: dict[str, Rented] = {}
        self._read: tuple[_Sums, Mapping[str, Tally]] | None = None

    def states(self, polled: Mapping[str, Polled], now: datetime) -> list[BudgetState] | None:
        """Each budget as of now, `None` if the ledger cannot be read."""
        try:
            spent = self._spent(polled, now)
        except StoreError as error:
            _log.error("budgets are not judged: the ledger cannot be read", error=str(error))
            return None
        seen = {name: each.rented for name, each in polled.items()}
        self._rented |= {name: each for name, each in seen.items() if each}
        return [self._state(each, spent[each.name], now) for each in self._budgets]

    def _spent(self, polled: Mapping[str, Polled], now: datetime) -> Mapping[str, Tally]:
        """What is spent this month, read anew only when the sum of an account is another one."""
        first = now.date().replace(day=1)
        sums = first, {name: each.month_to_date for name, each in polled.items()}
        if self._read is None or self._read[0] != sums or None in sums[1].values():
            self._read = sums, self._store.tallies(self._budgets, first)
        return self._read[1]

    def _state(self, budget: Budget, tally: Tally, now: datetime) -> BudgetState:
        rented = (self._rented.get(account) for account in filter(budget.covers, self._accounts))
        return state_of(budget, tally, rented, now)
