"""An account's balance will soon be too low to top up the reserves of its VMs.

The rule needs an API that reports the balance.
The burn is the daily cost of all VMs.
It includes missing VMs that are not lost yet, because they may still run.
A short list therefore never makes the balance look sufficient.
An unknown price makes the burn too low: the balance can be found low, but not sufficient.

    balance          VMs that cost money       verdict
    unknown          any                       unknown
    0 or less        some                      low
    under min_days   some                      low
    sufficient       some                      unknown while anything is unknown, else over
    any              none known, some unknown  unknown
    any              none, billed ones missing unknown
    0 or less        none                      low if it was low before, because a debt remains
    above 0          none                      gone: resolves without a message

VMs without a price and unreadable VMs are unknown. So are all VMs if the list is incomplete.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.funding import FOREVER, burn_per_day, dry_at, unpriced
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import Snapshot
from fluence_watch.model.vm import Vm
from fluence_watch.rules.base import Duration, Judgement, Level, Rule, RuleSettings, Situation

NAME = "account_low"
_UNKNOWN = Judgement(unknown=frozenset({""}))
_GONE = Judgement(gone=frozenset({""}))


class AccountLowSettings(RuleSettings):
    """When a balance is low."""

    severity: Level = Severity.CRITICAL
    min_days: Decimal = Field(
        default=Decimal(3), ge=0, le=3650, description="days that the balance must last"
    )
    hold: Duration = Field(
        default=timedelta(minutes=30),
        alias="for",
        description="how long the balance must be low before it fires",
    )


@dataclass(frozen=True, slots=True)
class AccountLow:
    """The balance and the daily cost, in micro-USDC. Without a cost, the balance is a debt.

    `days` is how long the balance lasts, rounded down to a tenth. `dry_at` is when it runs out.
    `days_left` is the API's own estimate.
    `uncounted` is the number of VMs that are not in the cost, because their price is unknown.
    """

    balance: MicroUsdc
    burn_per_day: MicroUsdc
    days: Decimal
    dry_at: datetime | None
    days_left: int | None = None
    uncounted: int = 0


def judge(situation: Situation, settings: AccountLowSettings) -> Judgement:
    """Report a balance below the cost of `min_days` days, or a used-up one. See the table above."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.balance is None:
        return _UNKNOWN
    missing = [entry.vm for entry in situation.presence.undecided.values()]
    vms = [*snapshot.vms.values(), *missing]
    balance, burn = snapshot.balance.balance, burn_per_day(vms, situation.billing)
    uncounted = _uncounted(snapshot, vms)
    facts = _facts(situation.now, snapshot.balance, burn, uncounted)
    step = _step(facts, settings)
    finding = Finding(Fingerprint(situation.account, NAME), settings.severity, facts, step=step)
    if burn and (balance <= 0 or _lasts_less(balance, burn, settings.min_days)):
        return Judgement([finding])
    if uncounted or not snapshot.complete:
        return _UNKNOWN
    if burn:
        return Judgement()
    if any(vm.is_billed for vm in missing):
        return _UNKNOWN
    in_debt = balance <= 0 and finding.fingerprint in situation.alerts
    return Judgement([finding]) if in_debt else _GONE


def _lasts_less(balance: MicroUsdc, burn: MicroUsdc, days: Decimal) -> bool:
    """Whether the balance pays less than so many days. Exact, whatever the number of digits."""
    numerator, denominator = days.as_integer_ratio()
    return balance * denominator < burn * numerator


def _step(facts: AccountLow, settings: AccountLowSettings) -> int:
    """Worse than low: at most half of `min_days`, nothing."""
    if facts.balance <= 0:
        return 2
    return 1 if 2 * facts.days <= settings.min_days else 0


def _uncounted(snapshot: Snapshot, vms: Iterable[Vm]) -> int:
    """How many VMs are not in the burn: their price is unknown or they are unreadable."""
    nameless = sum(1 for element in snapshot.rejected if not element.vm_id)
    return unpriced(vms) + len(snapshot.unread) + nameless


def _facts(now: datetime, balance: AccountBalance, burn: MicroUsdc, uncounted: int) -> AccountLow:
    dry = dry_at(balance.balance, burn, now)
    days = 10 * max(balance.balance, 0) // burn if burn else 0
    return AccountLow(
        balance=balance.balance,
        burn_per_day=burn,
        days=Decimal(days).scaleb(-1),
        dry_at=None if dry == FOREVER else dry,
        days_left=balance.days_left,
        uncounted=uncounted,
    )


def _deadline(facts: object) -> datetime | None:
    return facts.dry_at if isinstance(facts, AccountLow) else None


RULE = Rule(
    NAME,
    AccountLowSettings,
    (AccountLow,),
    judge,
    impact=Impact.FUNDS,
    deadline=_deadline,
)
