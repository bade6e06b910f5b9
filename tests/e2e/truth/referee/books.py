"""What VMs of a prepaid account cost, as polls could see it: each charge at its time."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from fluence_watch.simulator.machine import Machine
from tests.e2e.truth.fleet import DAY, Sight
from tests.e2e.truth.plan import Budget
from tests.e2e.truth.referee.spending import Spending


class Charge(NamedTuple):
    """What a VM was charged at a time, in micro-USDC."""

    at: datetime
    vm: Machine
    amount: int


@dataclass
class Books:
    """The books of an account.

    `spent` is in micro-USDC, by the month and the budget. `rented` are the VMs with a known price that the
    last whole list had, `None` if there was none since the watcher began.
    """

    budgets: Sequence[Budget]
    spending: Spending
    spent: Counter[tuple[str, str]] = field(default_factory=Counter)
    rented: Sequence[Machine] | None = None
    _last: dict[str, Machine] = field(default_factory=dict)
    _began: bool = False

    def see(self, sight: Sight) -> None:
        """A poll that listed the VMs."""
        vms = {} if sight.metered or sight.vms is None else sight.vms
        for charge in self._charges(vms, sight.at) if self._began else ():
            self.spending.add(charge.at, charge.amount)
            for budget in self.budgets:
                if counts(budget, sight.account, charge.vm):
                    self.spent[f"{charge.at:%Y-%m}", budget.name] += charge.amount
        self._began = True
        self._last |= vms
        if not sight.unread:
            known = (each for key, each in vms.items() if key not in sight.bent)
            self.rented = [each for each in known if each.is_billed]

    def _charges(self, vms: Mapping[str, Machine], now: datetime) -> Iterator[Charge]:
        for key, machine in vms.items():
            before = self._last.get(key)
            charged = machine.spent - (before.spent if before else 0)
            if charged:
                times = _times(before, machine) or [now]
                each, rest = divmod(charged, len(times))
                yield Charge(times[-1], machine, each + rest)
                yield from (Charge(at, machine, each) for at in times[:-1])


def _times(before: Machine | None, machine: Machine) -> list[datetime]:
    """The boundaries that passed, the latest one last."""
    since = before.next_billing_at if before else machine.created_at
    passed = round((machine.next_billing_at - since) / DAY)
    return [machine.next_billing_at - back * DAY for back in range(passed, 0, -1)]


def counts(budget: Budget, account: str, machine: Machine) -> bool:
    """Whether the VM counts for the budget."""
    return covers(budget, account) and any(fnmatchcase(machine.name, glob) for glob in budget.vms)


def covers(budget: Budget, account: str) -> bool:
    """Whether the budget is about the account."""
    return any(fnmatchcase(account, glob) for glob in budget.accounts)
