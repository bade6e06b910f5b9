"""An account's balance will not top up the reserves of its VMs for long.

Only where the API tells the balance. A price that is unknown makes the burn too low: with one, a
balance can be known to be low, and not known to be enough.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from pydantic import Field

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.finding import Finding, Fingerprint, Severity
from fluence_watch.model.funding import FOREVER, burn_per_day, dry_at, unpriced
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings, Situation

NAME = "account_low"
_UNKNOWN = Judgement(unknown=frozenset({""}))


class AccountLowSettings(RuleSettings):
    """When an account's balance counts as low."""

    severity: Level = Severity.CRITICAL
    min_days: Decimal = Field(
        default=Decimal(3), ge=0, le=3650, description="days that the balance must last"
    )
    hold: Duration = Field(
        default=timedelta(minutes=30), alias="for", description="how long it must last"
    )


@dataclass(frozen=True, slots=True)
class AccountLow:
    """The balance and what a day costs, in micro-USDC.

    `days` is how long the one pays the other, rounded down to a tenth, `dry_at` when it ends.
    `days_left` is the API's own estimate. `uncounted` VMs, of which the price is unknown, come on top.
    """

    balance: MicroUsdc
    burn_per_day: MicroUsdc
    days: Decimal
    dry_at: datetime | None
    days_left: int | None = None
    uncounted: int = 0


def judge(situation: Situation, settings: AccountLowSettings) -> Judgement:
    """Find that the balance is under what `min_days` cost."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.balance is None:
        return _UNKNOWN
    burn = burn_per_day(snapshot.vms.values(), situation.epoch)
    if burn and snapshot.balance.balance < Fraction(settings.min_days) * burn:
        facts = _facts(situation.now, snapshot, snapshot.balance, burn)
        return Judgement([Finding(Fingerprint(situation.account, NAME), settings.severity, facts)])
    return Judgement() if snapshot.complete and not _uncounted(snapshot) else _UNKNOWN


def _uncounted(snapshot: Snapshot) -> int:
    """How many VMs are not in the burn: their price is unknown, or they could not be read."""
    nameless = sum(1 for element in snapshot.rejected if not element.vm_id)
    return unpriced(snapshot.vms.values()) + len(snapshot.unread) + nameless


def _facts(
    now: datetime, snapshot: Snapshot, balance: AccountBalance, burn: MicroUsdc
) -> AccountLow:
    dry = dry_at(balance.balance, burn, now)
    return AccountLow(
        balance=balance.balance,
        burn_per_day=burn,
        days=Decimal(10 * max(balance.balance, 0) // burn).scaleb(-1),
        dry_at=None if dry == FOREVER else dry,
        days_left=balance.days_left,
        uncounted=_uncounted(snapshot),
    )


RULE = Rule(NAME, AccountLowSettings, (AccountLow,), judge)
