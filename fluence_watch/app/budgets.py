"""Budgets: what is spent of them, from the ledger, and what the month adds, from the last whole polls."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import structlog

from fluence_watch.app.polled import Polled
from fluence_watch.errors import StoreError
from fluence_watch.model.budget import Budget, BudgetState, Tally
from fluence_watch.model.charge import VM
from fluence_watch.model.funding import account_burn
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import month_ahead
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.store import Store

_log = structlog.get_logger(__name__)

_Sums = tuple[date, Mapping[str, MicroUsdc | None]]


class Budgets:
    """The budgets of the settings. One thread at a time may use it."""

    def __init__(self, store: Store, budgets: Sequence[Budget], accounts: Collection[str]) -> None:
        self._store = store
        self._budgets = budgets
        self._accounts = accounts
        self._whole: dict[str, Polled] = {}
        self._read: tuple[_Sums, Mapping[str, Tally]] | None = None

    def states(self, polled: Mapping[str, Polled], now: datetime) -> list[BudgetState] | None:
        """Each budget as of now, `None` if the ledger cannot be read."""
        try:
            spent = self._spent(polled, now)
        except StoreError as error:
            _log.error("budgets are not judged: the ledger cannot be read", error=str(error))
            return None
        self._whole |= {name: each for name, each in polled.items() if _is_whole(each)}
        return [
            BudgetState(each, spent[each.name], *self._ahead(each, now)) for each in self._budgets
        ]

    def _spent(self, polled: Mapping[str, Polled], now: datetime) -> Mapping[str, Tally]:
        """What is spent this month, read anew only when the sum of an account is another one."""
        first = now.date().replace(day=1)
        sums = first, {name: each.month_to_date for name, each in polled.items()}
        if self._read is None or self._read[0] != sums or None in sums[1].values():
            self._read = sums, self._store.tallies(self._budgets, first)
        return self._read[1]

    def _ahead(
        self, budget: Budget, now: datetime
    ) -> tuple[MicroUsdc, MicroUsdc] | tuple[None, None]:
        """What the month adds, and what a day costs; `None` while an account is unknown."""
        ahead, burn = 0, 0
        for account in filter(budget.covers, self._accounts):
            polled = self._whole.get(account)
            added = _of_account(budget, polled, now) if polled else None
            if added is None:
                return None, None
            ahead, burn = ahead + added[0], burn + added[1]
        return MicroUsdc(ahead), MicroUsdc(burn)


def _is_whole(polled: Polled) -> bool:
    return isinstance(polled.outcome, Snapshot) and polled.outcome.is_whole


def _of_account(budget: Budget, polled: Polled, now: datetime) -> tuple[int, int] | None:
    snapshot, billing = polled.outcome, polled.policy.billing_of(polled.outcome)
    assert isinstance(snapshot, Snapshot)
    vms = [vm for vm in snapshot.vms.values() if budget.counts(VM, vm.id, vm.name)]
    rented = [r for r in snapshot.resources.values() if budget.counts(r.kind, r.id, r.name)]
    ahead = month_ahead(vms, rented, billing, now, polled.state.counted_at)
    return None if ahead is None else (ahead, account_burn(vms, rented, billing))
