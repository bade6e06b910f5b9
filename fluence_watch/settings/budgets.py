"""The settings of budgets."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fluence_watch.model.budget import EVERYTHING, Budget
from fluence_watch.model.money import MicroUsdc
from fluence_watch.rules.base import Settings, Usdc
from fluence_watch.settings.names import Name

_MOST = 10_000


def _positive(value: MicroUsdc) -> MicroUsdc:
    if not value:
        raise ValueError("must be above zero")
    return value


def _percent(value: int) -> int:
    if not 0 < value <= _MOST:
        what = f"write whole numbers from 1 to {_MOST}, such as [50, 80, 100]"
        raise ValueError(f"{value} is no percent: {what}")
    return value


def _in_order(value: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(value)))


_Percent = Annotated[int, AfterValidator(_percent)]


class BudgetSettings(Settings):
    """What may be spent in a month."""

    name: Name = Field(description="its name in messages")
    monthly_usdc: Annotated[Usdc, AfterValidator(_positive)] = Field(
        description="USDC that a calendar month (UTC) may cost"
    )
    accounts: tuple[str, ...] = Field(default=("*",), description="globs on account names")
    vms: tuple[str, ...] = Field(
        default=EVERYTHING,
        description="globs on VM names, or ids; * alone: disks, public IPs and GPU instances too",
    )
    thresholds: Annotated[tuple[_Percent, ...], AfterValidator(_in_order)] = Field(
        default=(50, 80, 100), description="percent spent; each is notified once a month"
    )
    forecast: bool = Field(
        default=True, description="whether to notify when the month is going to cost more"
    )

    @property
    def budget(self) -> Budget:
        """The budget as the rules know it."""
        return Budget(
            self.name, self.monthly_usdc, self.accounts, self.vms, self.thresholds, self.forecast
        )
