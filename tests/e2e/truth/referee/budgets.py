"""Which thresholds of budgets are crossed, and which months are going to cost more."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from fluence_watch.simulator.machine import Machine
from tests.e2e.truth.fleet import DAY
from tests.e2e.truth.plan import HOUR, MINUTE, Budget
from tests.e2e.truth.referee.books import Books, counts, covers
from tests.e2e.truth.referee.episodes import End, Found, Problems, What
from tests.e2e.truth.referee.hearing import WATCHER

_OVER_FOR = 5 * MINUTE
_AHEAD = " forecast"


def budgets_at(
    budgets: Sequence[Budget], books: Mapping[str, Books], now: datetime, open_: Problems
) -> Iterator[Found]:
    """All that is true of the budgets of this month. What fires is true to its end."""
    for budget in budgets:
        its = {name: each for name, each in books.items() if covers(budget, name)}
        spent = sum(each.spent[_month(now), budget.name] for each in its.values())
        detail, limit = f"{_month(now)} of {budget.monthly_usdc:.6f}", budget.monthly_usdc * 10**6
        this, ahead = _what(budget, detail), _what(budget, detail + _AHEAD)
        crossed = [each for each in budget.thresholds if 100 * spent >= each * limit]
        if crossed or _fires(open_, this):
            severity = "critical" if spent >= limit else "warning"
            yield Found(this, severity, max(crossed, default=0), at_once=True, quiet=True)
        yet = _ahead(budget, its, now) if budget.forecast else None
        comes_to_more = yet is not None and spent + yet > limit
        if spent < limit and (comes_to_more or _fires(open_, ahead)):
            yield Found(ahead, "warning", hold=HOUR, quiet=True)


def absent_budget(now: datetime, what: What) -> End | None:
    """How the alert of a budget ends: five minutes after its month, and a forecast at once."""
    month = what.detail.partition(" ")[0]
    is_just_over = month != _month(now) and month == _month(now - _OVER_FOR)
    return None if is_just_over else End.QUIET


def _what(budget: Budget, detail: str) -> What:
    return What(WATCHER, "budget", f"budget:{budget.name}", detail)


def _fires(problems: Problems, what: What) -> bool:
    episode = problems.open.get(what)
    return episode is not None and episode.starts_at is not None


def _ahead(budget: Budget, books: Mapping[str, Books], now: datetime) -> int | None:
    """What all that is rented costs until the month ends; `None` if an account was not seen in full."""
    ends_at = (now.replace(day=1, hour=0, minute=0, second=0) + 32 * DAY).replace(day=1)
    total = 0
    for name, each in books.items():
        if each.rented is None:
            return None
        its = (vm for vm in each.rented if counts(budget, name, vm))
        total += sum(vm.price * _charges(vm, ends_at) for vm in its)
    return total


def _charges(machine: Machine, until: datetime) -> int:
    """How often the VM is charged until then."""
    return max(0, -((machine.next_billing_at - until) // DAY))


def _month(at: datetime) -> str:
    return f"{at:%Y-%m}"
