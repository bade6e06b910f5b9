"""The costs of some days beside those of the same days of the month before, as data."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from fluence_watch.model.ledger import Cost
from fluence_watch.model.money import MicroUsdc, in_usdc
from fluence_watch.views.costs import total

_TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Period:
    """What some days (UTC) cost, both ends included, in micro-USDC.

    `no_data_before` has the accounts whose ledger begins within the period or later, and that day: it
    has only a part of it. If it `is_free`, nothing was charged.
    """

    first: date
    last: date
    total: MicroUsdc
    no_data_before: Mapping[str, date]
    is_free: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether the ledger begins after it."""
        days = self.no_data_before.values()
        return self.is_free and bool(days) and all(day > self.last for day in days)

    def fields(self) -> dict[str, object]:
        """The period as an object of JSON."""
        return {
            "from": self.first,
            "to": self.last,
            "total": None if self.is_empty else in_usdc(self.total),
            "no_data_before": self.no_data_before,
        }


def period(first: date, last: date, costs: Sequence[Cost], begins: Mapping[str, date]) -> Period:
    """The sum of the days. `begins` is the first day that the ledger has of each account."""
    late = {account: day for account, day in begins.items() if day >= first}
    return Period(first, last, total(costs), late, is_free=not costs)


def change_percent(period: Period, before: Period) -> Decimal | None:
    """By how much more, or less, a period cost. `None` if either is not known in full, or was free."""
    if period.no_data_before or before.no_data_before or before.total <= 0:
        return None
    percent = Decimal(100 * (period.total - before.total)) / before.total
    return percent.quantize(_TENTH, ROUND_HALF_EVEN)


def days_before(first: date, last: date) -> tuple[date, date] | None:
    """The same days of the month before. `None` if these overlap."""
    earlier = _month_before(first), _month_before(last)
    return earlier if earlier[1] < first else None


def _month_before(day: date) -> date:
    """The same day of the month before, or its last one."""
    end = day.replace(day=1) - timedelta(days=1)
    return end.replace(day=min(day.day, monthrange(end.year, end.month)[1]))
