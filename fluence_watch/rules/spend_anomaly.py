"""An account spends far more than usual: today so far, against the same hours of the last 28 days.

    today so far   yesterday as a whole   verdict
    odd            any                    fires, as one alert however many days it lasts
    not odd        odd                    unknown: the day's charges may be yet to come
    not odd        not odd                over

An account whose ledger is younger than `min_days` is not judged. An account that keeps spending more
is over when the median has followed.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pydantic import Field

from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.horizon import Horizon
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.spending import (
    DAYS,
    Bounds,
    Spending,
    ThingSpending,
    is_today_odd,
    next_hour_at,
    was_yesterday_odd,
)
from fluence_watch.rules.base import Judgement, Level, Rule, RuleSettings, Usdc
from fluence_watch.rules.situation import Situation

NAME = "spend_anomaly"
_UNKNOWN = Judgement(unknown=frozenset({""}))
_GONE = Judgement(gone=frozenset({""}))


class SpendAnomalySettings(RuleSettings):
    """How much more is far more."""

    severity: Level = Severity.WARNING
    deviations: Decimal = Field(
        default=Decimal(4),
        gt=0,
        le=1000,
        description="standard deviations (of the median) that it must exceed",
    )
    min_usdc: Usdc = Field(
        default=MicroUsdc(1_000_000),
        validate_default=False,  # it is micro-USDC already
        description="USDC more than usual that it must exceed as well",
    )
    min_percent: Decimal = Field(
        default=Decimal(50),
        ge=0,
        le=100_000,
        description="percent of a usual day that it must exceed as well",
    )
    min_days: int = Field(
        default=7, ge=1, le=DAYS, description="days that the ledger must have to compare with"
    )

    @property
    def bounds(self) -> Bounds:
        """The same as one value."""
        return Bounds(self.deviations, self.min_usdc, self.min_percent)


@dataclass(frozen=True, slots=True)
class SpendAnomaly:
    """What was spent in the first `hours` of a day, and is usual by then, in micro-USDC.

    `days` is how many days it is compared with, `things` what makes the difference.
    """

    day: date
    hours: int
    spent: MicroUsdc
    usual: MicroUsdc
    days: int
    things: tuple[ThingSpending, ...]


def judge(situation: Situation, settings: SpendAnomalySettings) -> Judgement:
    """Compare today, and yesterday. See the table above."""
    spending = situation.spending
    if spending is None:
        return _UNKNOWN
    if len(spending.days) < settings.min_days:
        return _GONE
    if is_odd(spending, settings):
        fingerprint = Fingerprint(situation.account, NAME)
        return Judgement([Finding(fingerprint, settings.severity, _facts(spending))])
    return _UNKNOWN if was_yesterday_odd(spending, settings.bounds) else Judgement()


def is_odd(spending: Spending, settings: SpendAnomalySettings) -> bool:
    """Whether today so far is far above what is usual, as far as there is enough to compare with."""
    enough = len(spending.days) >= settings.min_days
    return enough and is_today_odd(spending, settings.bounds)


def _facts(spending: Spending) -> SpendAnomaly:
    return SpendAnomaly(
        *spending.hour,
        spent=spending.today,
        usual=spending.usual,
        days=min(len(spending.days), DAYS),
        things=spending.things,
    )


def holds_until(situation: Situation, _settings: SpendAnomalySettings) -> Horizon:
    """Until the charges of another hour are known."""
    return next_hour_at(situation.now)


RULE = Rule(
    NAME, SpendAnomalySettings, (SpendAnomaly,), judge, impact=Impact.COST, holds_until=holds_until
)
