"""The look of the watcher at budgets and silences, after each poll. Its receivers never fail."""

from datetime import datetime
from typing import TYPE_CHECKING

from fluence_watch.alerting.hidden import silenced
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.book import Book
from fluence_watch.app.decide import Decision, Policy
from fluence_watch.app.policies import watcher_policy
from fluence_watch.app.polled import Polled
from fluence_watch.app.rehearsal.ledger import Ledger
from fluence_watch.model.snapshot import Outcome
from fluence_watch.settings import WatchSettings

if TYPE_CHECKING:
    from fluence_watch.app.budgets import Budgets


class Look:
    """What the watcher knows of the accounts, and its own alerts."""

    def __init__(self, settings: WatchSettings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._policy = watcher_policy(settings)
        self._state = AccountState()
        self._polled: dict[str, Polled] = {}
        self._budgets: Budgets | None = None

    def polled(self, policy: Policy, outcome: Outcome, state: AccountState) -> None:
        """Remember a poll, if there are budgets."""
        if self._settings.budgets:
            first = outcome.taken_at.date().replace(day=1)
            sum_of_month = self._ledger.charged_since(policy.account, first)
            self._polled[policy.account] = Polled(
                policy, outcome, state, 0.0, month_to_date=sum_of_month
            )

    def decide(self, book: Book, now: datetime) -> Decision | None:
        """The alerts about budgets and silences; `None` if there are neither."""
        if not (self._settings.budgets or book.mutes.silences):
            return None
        from fluence_watch.app.selfwatch import Seen, decide_watcher  # noqa: PLC0415 - it loads the daemon

        budgets = self._known_budgets().states(self._polled, now) if self._polled else ()
        alerts = [each for page in book.pages.values() for each in page.open.values()]
        seen = Seen({}, {}, silenced(book.mutes, alerts, now), budgets)
        decision = decide_watcher(self._state, seen, self._policy, now)
        self._state = decision.after
        return decision

    def _known_budgets(self) -> "Budgets":
        if self._budgets is None:
            from fluence_watch.app.budgets import Budgets  # noqa: PLC0415 - only with budgets

            wanted = [each.budget for each in self._settings.budgets]
            names = [each.name for each in self._settings.accounts]
            self._budgets = Budgets(self._ledger.store, wanted, names)
        return self._budgets
