"""An account's balance will soon be too low to pay for what the account rents.

The rule needs an API that reports the balance.
The burn is the daily cost of all VMs, disks and addresses.
It includes missing VMs that are not lost yet, because they may still run.
A short list therefore never makes the balance look sufficient.
An unknown price makes the burn too low: the balance can be found low, but not sufficient.
The API's own estimate of the days that are left counts too, if it is worse.

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

VMs and resources without a price, unreadable VMs, and kinds of resources whose list is not complete
are unknown. So are all VMs if the list is incomplete.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import Field

from fluence_watch.model.account import AccountBalance
from fluence_watch.model.debt import removal_of
from fluence_watch.model.finding import Finding, Fingerprint, Impact, Severity
from fluence_watch.model.funding import FOREVER, account_burn, dry_at, unpriced
from fluence_watch.model.money import MicroUsdc
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
    `uncounted` is the number of VMs, disks and addresses that are not in the cost, because their
    price is unknown. `unlisted` are the kinds of which some may be missing: `disks`.
    In a metered account, `vms_at` and `disks_at` are when unpaid ones are removed.
    """

    balance: MicroUsdc
    burn_per_day: MicroUsdc
    days: Decimal
    dry_at: datetime | None
    days_left: int | None = None
    uncounted: int = 0
    unlisted: tuple[str, ...] = ()
    metered: bool = False
    vms_at: datetime | None = None
    disks_at: datetime | None = None


def judge(situation: Situation, settings: AccountLowSettings) -> Judgement:
    """Report a balance below the cost of `min_days` days, or a used-up one. See the table above."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.balance is None:
        return _UNKNOWN
    missing = [entry.vm for entry in situation.presence.undecided.values()]
    vms = [*snapshot.vms.values(), *missing]
    facts = _facts(situation, snapshot.balance, vms)
    fingerprint = Fingerprint(situation.account, NAME)
    finding = Finding(fingerprint, settings.severity, facts, step=_step(facts, settings))
    if _is_low(facts, settings.min_days):
        return Judgement([finding])
    if facts.uncounted or facts.unlisted or not snapshot.complete:
        return _UNKNOWN
    if facts.burn_per_day:
        return Judgement()
    if any(vm.is_billed for vm in missing):
        return _UNKNOWN
    used_up = facts.balance <= 0 and fingerprint in situation.alerts
    return Judgement([finding]) if used_up else _GONE


def _is_low(facts: AccountLow, min_days: Decimal) -> bool:
    if facts.balance < 0:
        return True
    if facts.days_left is not None and facts.days_left < min_days:
        return True
    burn = facts.burn_per_day
    return bool(burn) and (not facts.balance or _lasts_less(facts.balance, burn, min_days))


def _lasts_less(balance: MicroUsdc, burn: MicroUsdc, days: Decimal) -> bool:
    """Whether the balance pays less than so many days. Exact, whatever the number of digits."""
    numerator, denominator = days.as_integer_ratio()
    return balance * denominator < burn * numerator


def _step(facts: AccountLow, settings: AccountLowSettings) -> int:
    """Worse than low: at most half of `min_days`, nothing."""
    if facts.balance <= 0:
        return 2
    return 1 if 2 * facts.days <= settings.min_days else 0


def _facts(situation: Situation, balance: AccountBalance, vms: Sequence[Vm]) -> AccountLow:
    snapshot, billing, now = situation.snapshot, situation.billing, situation.now
    assert snapshot
    rented = snapshot.resources.values()
    burn = account_burn(vms, rented, billing)
    dry = dry_at(balance.balance, burn, now)
    days = 10 * max(balance.balance, 0) // burn if burn else 0
    nameless = sum(1 for element in snapshot.rejected if not element.vm_id)
    facts = AccountLow(
        balance=balance.balance,
        burn_per_day=burn,
        days=Decimal(days).scaleb(-1),
        dry_at=None if dry == FOREVER else dry,
        days_left=balance.days_left,
        uncounted=unpriced(vms) + unpriced(rented) + len(snapshot.unread) + nameless,
        unlisted=tuple(sorted(kind.words for kind in snapshot.unlisted)),
        metered=not billing.prepaid,
    )
    if billing.prepaid or dry == FOREVER:
        return facts
    removal = removal_of(balance, vms, rented, now)
    return replace(facts, vms_at=removal.vms_at, disks_at=removal.disks_at)


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
