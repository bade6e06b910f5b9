"""A digest as data, from what the store has. Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.model.digest import Digest, Period, Stale
from fluence_watch.views.digest.account import Account
from fluence_watch.views.digest.ahead import ahead_of
from fluence_watch.views.digest.budgets import Budgeted
from fluence_watch.views.digest.fired import fired_in
from fluence_watch.views.digest.savings import savings_in
from fluence_watch.views.digest.spent import Ledger, changed_in, spent_in

__all__ = ["LATE", "Account", "Budgeted", "Ledger", "Slot", "digest_of"]

LATE = timedelta(minutes=5)
"""A digest that comes so long after its time says so."""
_STALE = timedelta(minutes=30)
_NO_BUDGETS = Budgeted()


@dataclass(frozen=True, slots=True)
class Slot:
    """When a digest was due, the days that it covers, and when the next one is."""

    at: datetime
    period: Period
    following: datetime


def digest_of(
    accounts: Sequence[Account],
    ledger: Ledger,
    ended: Collection[Alert],
    slot: Slot,
    *,
    now: datetime,
    events: Collection[str] = (),
    budgets: Budgeted = _NO_BUDGETS,
) -> Digest:
    """The digest of these accounts as of `now`. `events` are the rules whose alerts have no end."""
    return Digest(
        accounts=tuple(each.name for each in accounts),
        slot=slot.at,
        is_late=now - slot.at >= LATE,
        period=slot.period,
        stale=tuple(_stale(accounts, now)),
        spent=spent_in(ledger, slot.period, accounts, now),
        changed=changed_in(ledger, slot.period),
        ahead=ahead_of(accounts, now, slot.following),
        fired=fired_in(accounts, budgets.alerts, (*ended, *budgets.ended), events),
        savings=savings_in(accounts),
        budgets=budgets.states,
        begins=ledger.begins_since(slot.period.before.first),
    )


def _stale(accounts: Sequence[Account], now: datetime) -> Iterator[Stale]:
    for each in accounts:
        seen_at = each.state.last_good_at
        if seen_at is None or now - seen_at > _STALE:
            yield Stale(each.name, seen_at)
