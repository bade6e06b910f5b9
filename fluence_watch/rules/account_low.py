"""An account's balance will not top up the reserves of its VMs for long.

Only where the API gives the balance. The burn is what a day of all VMs costs, those that are missing
and not lost yet among them: they may still run. So no short list makes the balance enough. A price
that is unknown makes the burn too low: with one, a balance can be known to be low, but not to be
enough.

    balance          VMs that cost money           verdict
    unknown          any                           unknown
    0 or less        some                          low
    under min_days   some                          low
    enough           some, or some may be unknown  unknown while anything is unknown, else over
    any              none known, some unknown      unknown
    any              none, billed ones missing     unknown
    0 or less        none                          low if it was low before: a debt is left
    more             none                          gone: it ends, but nothing was mended

Unknown are VMs without a price, those that cannot be read, and all in a list that is not complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

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
    """When an account's balance counts as low."""

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
    """The balance and what a day costs, in micro-USDC; with no costs it is a debt.

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
    """Find that the balance is under what `min_days` cost, or used up; see the table above."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.balance is None:
        return _UNKNOWN
    missing = [entry.vm for entry in situation.presence.undecided.values()]
    vms = [*snapshot.vms.values(), *missing]
    balance, burn = snapshot.balance.balance, burn_per_day(vms, situation.epoch)
    uncounted = _uncounted(snapshot, vms)
    facts = _facts(situation.now, snapshot.balance, burn, uncounted)
    finding = Finding(Fingerprint(situation.account, NAME), settings.severity, facts)
    if burn and (balance <= 0 or balance < Fraction(settings.min_days) * burn):
        return Judgement([finding])
    if uncounted or not snapshot.complete:
        return _UNKNOWN
    if burn:
        return Judgement()
    if any(vm.is_billed for vm in missing):
        return _UNKNOWN
    in_debt = balance <= 0 and finding.fingerprint in situation.alerts
    return Judgement([finding]) if in_debt else _GONE


def _uncounted(snapshot: Snapshot, vms: Iterable[Vm]) -> int:
    """How many VMs are not in the burn: their price is unknown, or they could not be read."""
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
