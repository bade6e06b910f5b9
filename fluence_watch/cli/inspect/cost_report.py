"""What `costs` says of all costs together, from the store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fluence_watch.alerting.state import AccountState
from fluence_watch.model.ledger import By, Cost
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store import Store
from fluence_watch.views.costs import CostView, Words, cost_views, status_words
from fluence_watch.views.month import MonthForecast, month_forecast
from fluence_watch.views.periods import Period, change_percent, days_before, period


@dataclass(frozen=True, slots=True)
class CostReport:
    """The sum of some days, that of the same days of the month before, and the month's forecast.

    There is a forecast for the current month to date. `accounts` is how many the ledger has. If today is
    among the days, `counted_until` is until when metered things are in it; `None` if there are none.
    """

    period: Period
    before: Period | None
    forecast: MonthForecast | None
    accounts: int
    counted_until: datetime | None = None

    def fields(self) -> Mapping[str, object]:
        """The report as an object of JSON."""
        before = None
        if self.before:
            change = change_percent(self.period, self.before)
            before = self.before.fields() | {"change_percent": change}
        return self.period.fields() | {
            "counted_until": self.counted_until,
            "before": before,
            "forecast": self.forecast,
        }


def cost_report(
    store: Store,
    found: Sequence[Cost],
    days: tuple[date, date],
    account: str | None,
    *,
    epochs: Mapping[str, timedelta],
    now: datetime,
) -> CostReport:
    """The report of what was found from the first to the last of the days, of one account or of all.

    `epochs` are the billing periods of the accounts that are watched.
    """
    begins, earlier = store.ledger_begins(account), days_before(*days)
    this, before, ahead = period(*days, found, begins), None, None
    if earlier and begins:
        before = period(*earlier, store.costs(*earlier, account, By.ACCOUNT), begins)
    until = store.counted_until(account) if days[1] == now.date() else {}
    if days == (now.date().replace(day=1), now.date()):
        watched = {name: each for name, each in epochs.items() if account in {None, name}}
        ahead = month_forecast(this.total, _states(store, watched), watched, now)
    counted = min((until[name] for name in epochs if name in until), default=None)
    return CostReport(this, before, ahead, len(begins), counted)


def views_of(
    store: Store, found: Sequence[Cost], days: tuple[date, date], account: str | None, by: By
) -> list[CostView]:
    """The sums of what was found, with what the store knows of them beside the ledger."""
    statuses = _statuses(store, found) if by is By.STATUS else None
    return cost_views(
        found, by, statuses, _balances(store, days, account) if by is By.DAY else None
    )


def _balances(
    store: Store, days: tuple[date, date], account: str | None
) -> Mapping[date, MicroUsdc]:
    """The balance at the end of each day, if one account is meant."""
    names = [account] if account else list(store.ledger_begins())
    if len(names) != 1:
        return {}
    return {each.day: each.amount for each in store.balances(names[0], *days, reserves=False)}


def _statuses(store: Store, costs: Iterable[Cost]) -> Words:
    """What everything that cost something is, as of the last poll of its account."""
    states = _states(store, {cost.account for cost in costs})
    return {key: word for each in states.items() for key, word in status_words(*each).items()}


def _states(store: Store, names: Iterable[str]) -> Mapping[str, AccountState]:
    return {name: store.load(name).state for name in names}
