"""What was spent, and how that differs from the period before."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from fluence_watch.model.charge import id_in
from fluence_watch.model.digest import (
    AccountShare,
    Begin,
    Changed,
    DaySpend,
    Period,
    Share,
    Spent,
    Thing,
    ThingCost,
)
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.month import month_ahead, month_begin
from fluence_watch.views.digest.account import Account

CHART_DAYS = 14
_TOP = 5
_MOVES = 3
_DAY = timedelta(days=1)
_NOTHING = MicroUsdc(0)
_LEAST = 10_000  # micro-USDC, and a hundredth: what differs by less is as before


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a digest needs of the ledger.

    What each thing cost in the period, and in the one before. `first_days` is where the ledger of each
    account begins, `month` what this month cost so far, `days` what the latest days did.
    """

    costs: Sequence[ThingCost] = ()
    before: Sequence[ThingCost] = ()
    first_days: Mapping[str, date] = field(default_factory=dict)
    month: MicroUsdc = _NOTHING
    days: Mapping[date, MicroUsdc] = field(default_factory=dict)

    def reaching(self, period: Period) -> frozenset[str]:
        """The accounts whose ledger has all of the period. Its own first day is only a part of one."""
        return frozenset(n for n, begin in self.first_days.items() if begin < period.first)

    def begins_since(self, day: date) -> list[Begin]:
        """The accounts whose ledger does not have all since then, the latest first."""
        late = [Begin(*each) for each in self.first_days.items() if each[1] >= day]
        return sorted(late, key=lambda each: (-each.day.toordinal(), each.account))


def spent_in(
    ledger: Ledger, period: Period, accounts: Sequence[Account], now: datetime
) -> Spent | None:
    """What was spent; `None` where the ledger does not reach back to the period."""
    if not any(day <= period.last for day in ledger.first_days.values()):
        return None
    shares = _shares(ledger, period)
    top, rest = shares[:_TOP], shares[_TOP:]
    by_account = _by_account(ledger, period)
    return Spent(
        total=_sum(each.amount for each in shares),
        before=_all(each.before for each in by_account),
        estimated=_sum(each.estimated for each in ledger.costs),
        top=top,
        others=len(rest),
        rest=_sum(each.amount for each in rest),
        accounts=by_account if len(accounts) > 1 else (),
        month=ledger.month,
        forecast=_forecast(ledger.month, accounts, now),
        days=tuple(_days(ledger, period)),
        month_begin=next(iter(ledger.begins_since(month_begin(now).date())), None),
    )


def changed_in(ledger: Ledger, period: Period) -> Changed | None:
    """What differs from the period before, where the ledger has that."""
    known = ledger.reaching(period.before)
    now = [each for each in _shares(ledger, period) if each.of.account in known]
    new = [each for each in now if not each.before]
    gone = sorted(_gone(ledger, known), key=lambda each: each.rise)
    both = sorted((each for each in now if _differs(each)), key=lambda each: -each.rise)
    rises = [each for each in both if each.rise > 0][:_MOVES]
    falls = [each for each in reversed(both) if each.rise < 0][:_MOVES]
    return Changed(new, gone, rises, falls) if new or gone or both else None


def _shares(ledger: Ledger, period: Period) -> list[Share]:
    """Everything that cost money, the dearest first."""
    known = ledger.reaching(period.before)
    earlier = {(each.account, each.key): each.amount for each in ledger.before}
    shares = [
        Share(
            _thing(each),
            each.amount,
            earlier.get((each.account, each.key), _NOTHING) if each.account in known else None,
        )
        for each in ledger.costs
        if each.amount
    ]
    return sorted(shares, key=lambda each: (-each.amount, each.of.account, each.of.id))


def _gone(ledger: Ledger, known: Iterable[str]) -> Iterable[Share]:
    still = {(each.account, each.key) for each in ledger.costs if each.amount}
    for each in ledger.before:
        if each.amount and each.account in known and (each.account, each.key) not in still:
            yield Share(_thing(each), MicroUsdc(0), each.amount)


def _differs(share: Share) -> bool:
    before = share.before or 0
    return before > 0 and abs(share.rise) >= max(_LEAST, before // 100)


def _by_account(ledger: Ledger, period: Period) -> list[AccountShare]:
    """What each account spent, the most first; nothing is known before its ledger begins."""
    known = ledger.reaching(period.before)
    now, before = _sums(ledger.costs), _sums(ledger.before)
    shares = [
        AccountShare(
            name,
            MicroUsdc(now[name]) if begin <= period.last else None,
            MicroUsdc(before[name]) if name in known else None,
            begin if begin >= period.first else None,
        )
        for name, begin in ledger.first_days.items()
    ]
    return sorted(shares, key=lambda each: (-(each.amount or 0), each.account))


def _sums(costs: Iterable[ThingCost]) -> Counter[str]:
    sums = Counter[str]()
    for each in costs:
        sums[each.account] += each.amount
    return sums


def _forecast(month: MicroUsdc, accounts: Sequence[Account], now: datetime) -> Sum | None:
    """What the month comes to by its end; `None` if an account was not polled in it."""
    forecast = Sum(month)
    for rented in (each.rented(now) for each in accounts):
        if rented is None:
            return None
        forecast += month_ahead(rented, now)
    return forecast


def _days(ledger: Ledger, period: Period) -> Iterable[DaySpend]:
    """The latest days, as far as the ledger has them."""
    begins = ledger.first_days.values()
    for back in range(CHART_DAYS - 1, -1, -1):
        day = period.last - back * _DAY
        amount = ledger.days.get(day, _NOTHING) if day >= min(begins) else None
        yield DaySpend(day, amount, day > max(begins))


def _thing(cost: ThingCost) -> Thing:
    return Thing(cost.account, cost.kind, id_in(cost.key), cost.name)


def _sum(amounts: Iterable[MicroUsdc]) -> MicroUsdc:
    return MicroUsdc(sum(amounts))


def _all(amounts: Iterable[MicroUsdc | None]) -> MicroUsdc | None:
    """The sum; `None` if a part of it is unknown."""
    total = 0
    for each in amounts:
        if each is None:
            return None
        total += each
    return MicroUsdc(total)
