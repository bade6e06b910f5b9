"""The ledger of a rehearsal: a store in a temporary folder, made when a rule has to read it.

Until then bookings are only collected: most rehearsals are too short for a rule that reads them.
"""

from collections import defaultdict
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.app.decide import Decision
from fluence_watch.app.rehearsal.plain_sums import PlainSums
from fluence_watch.model.accounting import Booking
from fluence_watch.model.charge import SETTLED_DAYS
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.spending import Hour, Spending, latest_hour
from fluence_watch.rules.spend_anomaly import SpendAnomalySettings, is_odd

if TYPE_CHECKING:
    from fluence_watch.store import Store

_NOTHING = Booking()


class Ledger:
    """The ledgers of all accounts. Close it at the end."""

    def __init__(self) -> None:
        self._resources = ExitStack()
        self._store: Store | None = None
        self._pending: list[tuple[str, Change]] = []
        self._versions: defaultdict[str, int] = defaultdict(int)
        self._plain: defaultdict[str, PlainSums] = defaultdict(PlainSums)
        self._spending: dict[str, Spending] = {}
        self._sums: dict[str, tuple[date, MicroUsdc]] = {}

    def close(self) -> None:
        """Remove it."""
        self._resources.close()

    def book(self, account: str, decision: Decision) -> None:
        """Add what a poll books."""
        if decision.booking != _NOTHING:
            self._pending.append((account, _change(decision)))
            self._plain[account].add(decision.booking)
            self._sums.pop(account, None)

    def spending(
        self, before: AccountState, account: str, now: datetime, settings: SpendAnomalySettings
    ) -> Spending | None:
        """What the account spends today, against the days before, read once an hour as in the daemon.

        `None` if the rule is off, or the ledger is too young to compare with.
        """
        if not settings.enabled or _is_young(before, now, settings.min_days):
            return None
        hour, found = latest_hour(now), self._spending.get(account)
        if found is None or found.hour != hour or (is_odd(found, settings) and not found.things):
            self._spending[account] = found = self._spent(account, hour, settings)
        return found

    def _spent(self, account: str, hour: Hour, settings: SpendAnomalySettings) -> Spending:
        sums = self._plain[account]
        if sums.is_plain and not is_odd(found := sums.spending(hour), settings):
            return found
        return self.store.spending(account, hour, lambda each: is_odd(each, settings))

    def charged_since(self, account: str, day: date) -> MicroUsdc:
        """What everything of the account cost from that day (UTC) on."""
        known = self._sums.get(account)
        if known is None or known[0] != day:
            self._sums[account] = known = day, self.store.charged_since(account, day)
        return known[1]

    @property
    def store(self) -> "Store":
        """The store, with all that is booked in it."""
        if self._store is None:
            self._store = self._open()
        for account, change in self._pending:
            version = self._versions[account]
            self._versions[account] = self._store.commit(account, change, version=version)
        self._pending.clear()
        return self._store

    def _open(self) -> "Store":
        from fluence_watch.store import Store  # noqa: PLC0415 - it loads SQLAlchemy

        folder = self._resources.enter_context(TemporaryDirectory(prefix="fluence-watch-"))
        url = f"sqlite:///{Path(folder, 'ledger.db')}"
        return self._resources.enter_context(Store.open(url, durable=False))


def _is_young(before: AccountState, now: datetime, min_days: int) -> bool:
    """Whether the ledger surely has fewer days than that; charges of a few earlier ones may be told."""
    begun_at = before.begun_at or now
    return now - begun_at < timedelta(days=min_days - SETTLED_DAYS - 2)


def _change(decision: Decision) -> Change:
    """The booking, and of the state only what describes the things in it."""
    after, booking = decision.after, decision.booking
    keys = {each.thing for each in booking.entries}.union(*(s.amounts for s in booking.settled))
    described = replace(
        AccountState(),
        known={key: after.known[key] for key in keys & after.known.keys()},
        resources={key: after.resources[key] for key in keys & after.resources.keys()},
        counted_at=after.counted_at,
    )
    return Change.between(described, described, booking=booking)
