"""The state of an account as last committed, and how it changes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.state import AccountState, Change, Stored
from fluence_watch.app.decide import Decision
from fluence_watch.errors import StoreConflictError
from fluence_watch.model.accounting import Booking
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.spending import Spending, latest_hour
from fluence_watch.store import Store

Decide = Callable[[AccountState], Decision]


class Kept:
    """The cache of what the store has. One thread at a time may use it."""

    def __init__(self, store: Store, account: str, stored: Stored) -> None:
        self._store = store
        self._account = account
        self._version = stored.version
        self._since: tuple[date, MicroUsdc] | None = None
        self._charged: Mapping[str, MicroUsdc] | None = None
        self._moved: frozenset[str] = frozenset()  # since that was read
        self._spending: Spending | None = None
        self.state = stored.state

    def change(self, decide: Decide) -> Decision:
        """Decide from the state, commit, adopt.

        If another commit came between, the state is loaded and decided from once more.
        Then the decision also has the alerts that ended meanwhile.

        Raises:
            StoreError: nothing is adopted, so that the next decision begins from the same state.
        """
        try:
            return self._commit(decide(self.state))
        except StoreConflictError:
            missed = self._reload()
            decision = self._commit(decide(self.state))
            return replace(decision, ended=[*missed, *decision.ended])

    def charged_since(self, day: date) -> MicroUsdc:
        """What the ledger has from that day (UTC) on, read anew only when it may have changed.

        Raises:
            StoreError: the store cannot be read.
        """
        if self._since is None or self._since[0] != day:
            self._since = day, self._store.charged_since(self._account, day)
        return self._since[1]

    def charged(self) -> Mapping[str, MicroUsdc]:
        """The most that each thing ever cost in all, by its key, read anew where it may have changed.

        Raises:
            StoreError: the store cannot be read.
        """
        if self._charged is None:
            self._charged = self._store.charged(self._account)
        elif self._moved:
            self._charged = {**self._charged, **self._store.charged(self._account, self._moved)}
        self._moved = frozenset()
        return self._charged

    def spending(self, now: datetime, is_odd: Callable[[Spending], bool]) -> Spending:
        """What the account spends today, against the days before, read anew once an hour.

        Raises:
            StoreError: the store cannot be read.
        """
        hour = latest_hour(now)
        found = self._spending
        if found is None or found.hour != hour or (is_odd(found) and not found.things):
            self._spending = found = self._store.spending(self._account, hour, is_odd)
        return found

    def _commit(self, decision: Decision) -> Decision:
        after = decision.after
        change = Change.between(
            self.state,
            after,
            decision.ended,
            decision.applied,
            decision.booking,
            entries=decision.entries,
        )
        self._version = self._store.commit(self._account, change, version=self._version)
        self.state = after
        if decision.booking != Booking():
            self._booked(decision.booking)
        return decision

    def _booked(self, booking: Booking) -> None:
        self._since = None
        self._moved |= {entry.thing for entry in booking.entries}
        if booking.settled:
            self._charged = None

    def _reload(self) -> Sequence[Alert]:
        stored = self._store.load(self._account)
        self._version, self.state = stored.version, stored.state
        self._since = self._charged = None
        return stored.unsettled
