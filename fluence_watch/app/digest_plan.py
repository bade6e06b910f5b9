"""What is needed to make and to send a digest, and how it is made from the store."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from fluence_watch.alerting.slots import Cron, period_of
from fluence_watch.model.billing import Billing
from fluence_watch.model.boundaries import GRACE
from fluence_watch.model.budget import Budget
from fluence_watch.model.digest import Digest, Period
from fluence_watch.model.finding import WATCHER
from fluence_watch.model.globs import matches_any
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.month import month_begin
from fluence_watch.rules import topup_failed
from fluence_watch.settings import DigestSettings, WatchSettings
from fluence_watch.views.digest import Account, Budgeted, Ledger, Slot, digest_of
from fluence_watch.views.digest.budgets import budgeted, within
from fluence_watch.views.digest.spent import CHART_DAYS

if TYPE_CHECKING:
    from fluence_watch.notify.delivery import Channel
    from fluence_watch.store import Store

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """A digest of the settings. `accounts` has those that it is about, and how each is prepaid.

    `budgets` are those of these accounts alone. `grace` is how long after a charge a reserve may be
    topped up, as `topup_failed` has it.
    The `channel` is its own, so that it and the alerts never wait for each other. `events` are the
    rules whose alerts have no end.
    """

    key: str
    cron: Cron
    catch_up: timedelta
    channel: "Channel"
    accounts: Mapping[str, Billing]
    events: Collection[str]
    grace: timedelta = GRACE
    budgets: Sequence[Budget] = ()

    def made(self, store: "Store", slot: datetime, now: datetime) -> Digest:
        """The digest of this slot, from what is stored now.

        Raises:
            StoreError: the store cannot be read.
        """
        names, period = list(self.accounts), period_of(self.cron, slot)
        first, last = _midnight(period.first), _midnight(period.last + _DAY)
        accounts = [self._account(store, name) for name in names]
        following = self.cron.following(max(now, slot)) or now + _DAY
        return digest_of(
            accounts,
            _ledger(store, names, period, now),
            store.digests.alerts(names, first, last),
            Slot(slot, period, following),
            now=now,
            events=self.events,
            budgets=self._budgeted(store, accounts, (first, last), now),
        )

    def _budgeted(
        self,
        store: "Store",
        accounts: Sequence[Account],
        period: tuple[datetime, datetime],
        now: datetime,
    ) -> Budgeted:
        if not self.budgets:
            return Budgeted()
        spent = store.tallies(self.budgets, month_begin(now.astimezone(UTC)).date())
        tallies = {each: spent[each.name] for each in self.budgets}
        alerts = store.load(WATCHER).state.alerts.values()
        ended = store.digests.alerts([WATCHER], *period)
        return budgeted(tallies, accounts, alerts, ended, now)

    def _account(self, store: "Store", name: str) -> Account:
        return Account(name, store.load(name).state, self.accounts[name], self.grace)


def plans(
    settings: WatchSettings,
    prepaid: Mapping[str, Billing],
    events: Collection[str],
) -> Iterator[DigestPlan]:
    """The digests of the settings. `prepaid` says of each account how it is paid if it is prepaid."""
    from fluence_watch.notify.receiver import parse_receiver  # noqa: PLC0415 - see `wiring.delivery`

    receivers = {each.name: each for each in settings.receivers}
    budgets = [each.budget for each in settings.budgets]
    for digest in settings.digests:
        to = receivers[digest.receiver]
        accounts = {n: each for n, each in prepaid.items() if matches_any(to.accounts, n)}
        yield DigestPlan(
            digest.key,
            _cron(digest),
            digest.catch_up,
            parse_receiver(to.name, to.apprise_url),
            accounts,
            events,
            settings.by_rule[topup_failed.NAME].hold,
            within(budgets, prepaid, accounts),
        )


def _cron(digest: DigestSettings) -> Cron:
    return Cron(digest.schedule, digest.timezone)


def _ledger(store: "Store", names: Collection[str], period: Period, now: datetime) -> Ledger:
    part, month = store.digests, now.astimezone(UTC).date().replace(day=1)
    begin = min(month, period.last - CHART_DAYS * _DAY)
    days = part.by_day(names, begin, max(now.date(), period.last))
    return Ledger(
        part.by_thing(names, *period),
        part.by_thing(names, *period.before),
        part.first_days(names),
        MicroUsdc(sum(amount for day, amount in days.items() if day >= month)),
        days,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
