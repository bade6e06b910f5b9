"""An account's balance will soon be too low to pay for what the account rents.

The rule needs an API that reports the balance. `runway.py` says what counts.
The API's own estimate of the days that are left counts too, if it is worse.
`funds_exhausted_soon` says more of the same: while it finds something, this rule is not judged, and a
more severe finding of it makes that one as severe.

    balance          what costs money          verdict
    unknown          any                       unknown
    below 0          any                       low: a debt
    0                something                 low
    under min_days   something                 low, whether we or the API reckon so
    sufficient       something                 unknown while anything is unknown, else over
    any              none known, some unknown  unknown
    any              none, billed ones missing unknown
    0                nothing                   low if it was low before, because nothing can start
    above 0          nothing                   gone: resolves without a message
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from fluence_watch.model.finding import Absence, Finding, Fingerprint, Impact, Severity
from fluence_watch.model.money import MicroUsdc
from fluence_watch.rules.base import (
    Duration,
    Judgement,
    Level,
    Rule,
    RuleSettings,
    as_long_as_the_same,
)
from fluence_watch.rules.runway import Runway, runway_of, why_not_low
from fluence_watch.rules.situation import Situation

NAME = "account_low"
_ACCOUNT = frozenset({""})


class AccountLowSettings(RuleSettings):
    """When a balance is low. One that is used up, or a debt, is always critical."""

    severity: Level = Severity.WARNING
    min_days: Decimal = Field(
        default=Decimal(3), ge=0, le=3650, description="days that the balance must last"
    )
    hold: Duration = Field(
        default=timedelta(minutes=30),
        alias="for",
        description="how long the balance must be low before it fires",
    )


@dataclass(frozen=True, slots=True)
class AccountLow(Runway):
    """How long the balance lasts."""


def judge(situation: Situation, settings: AccountLowSettings) -> Judgement:
    """Report a balance below the cost of `min_days` days, or a used-up one. See the table above."""
    facts = runway_of(situation, AccountLow)
    if facts is None:
        return Judgement(unknown=_ACCOUNT)
    fingerprint = Fingerprint(situation.account, NAME)
    severity = Severity.CRITICAL if facts.balance <= 0 else settings.severity
    finding = Finding(fingerprint, severity, facts, step=_step(facts, settings))
    if _is_low(facts, settings.min_days):
        return Judgement([finding])
    absence = why_not_low(situation, facts)
    if absence is not Absence.GONE:
        return Judgement(unknown=_ACCOUNT if absence is Absence.UNKNOWN else frozenset())
    used_up = facts.balance <= 0 and fingerprint in situation.alerts
    return Judgement([finding]) if used_up else Judgement(gone=_ACCOUNT)


def _is_low(facts: AccountLow, min_days: Decimal) -> bool:
    if facts.days_left is not None and facts.days_left < min_days:
        return True
    burn = facts.burn_per_day
    return facts.is_used_up or (bool(burn) and _lasts_less(facts.balance, burn, min_days))


def _lasts_less(balance: MicroUsdc, burn: MicroUsdc, days: Decimal) -> bool:
    """Whether the balance pays less than so many days. Exact, whatever the number of digits."""
    numerator, denominator = days.as_integer_ratio()
    return balance * denominator < burn * numerator


def _step(facts: AccountLow, settings: AccountLowSettings) -> int:
    """Worse than low: at most half of `min_days`, nothing."""
    if facts.balance <= 0:
        return 2
    return 1 if 2 * facts.days <= settings.min_days else 0


def _deadline(facts: object) -> datetime | None:
    return facts.dry_at if isinstance(facts, AccountLow) else None


RULE = Rule(
    NAME,
    AccountLowSettings,
    (AccountLow,),
    judge,
    impact=Impact.FUNDS,
    deadline=_deadline,
    holds_until=as_long_as_the_same,
)
