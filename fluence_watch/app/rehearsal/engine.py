"""A rehearsal: polls go in, in the order of time, and the messages that receivers would get come out.

- What a poll finds counts before what comes due at the same time: an alert that is over when its
  escalation comes due is not escalated.
- Between polls, what comes due is sent when it does.
- Alertmanagers get no messages, and digests are left out.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import TracebackType

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import Matchers, all_match
from fluence_watch.alerting.muting import Acknowledgement, Mutes, Silence
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Recipient
from fluence_watch.app.agenda import Agenda
from fluence_watch.app.book import Book, Page
from fluence_watch.app.decide import Context, Decision, Policy, decide, decide_internal
from fluence_watch.app.holding import Held, decide_again, settle_account
from fluence_watch.app.policies import policies
from fluence_watch.app.rehearsal.ledger import Ledger
from fluence_watch.app.rehearsal.look import Look
from fluence_watch.app.rehearsal.sent import Sent
from fluence_watch.app.wiring import EVENTS
from fluence_watch.model.finding import WATCHER
from fluence_watch.model.note import Note
from fluence_watch.model.snapshot import INTERNAL_ERROR, Outcome, PollFailure, Snapshot
from fluence_watch.model.spending import Spending
from fluence_watch.rules import spend_anomaly
from fluence_watch.settings import WatchSettings

_TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class _Account:
    """How an account is watched, its state after the last poll, and the error of our own in that."""

    policy: Policy
    state: AccountState = field(default_factory=AccountState)
    fault: str = ""
    held: Held | None = None

    def keep_held(self, now: datetime, *, is_same: bool) -> None:
        """Forget what holds, unless a poll saw the same in time."""
        if self.held and not (is_same and self.held.covers(self.state, self.policy, now)):
            self.held = None

    def holds(self, now: datetime) -> bool:
        """Whether a poll that saw the same changes nothing."""
        return self.held is not None and self.held.changes_nothing(now)

    def judge(self, outcome: Outcome, notes: Sequence[Note], spending: Spending | None) -> Decision:
        """Decide, and adopt the decision."""
        before = self.state
        if self.held is None:
            decision = self._judged(outcome, notes, spending)
            self.held = settle_account(before, decision, self.policy, notes)
        else:
            now = outcome.taken_at
            decision, self.held = decide_again(before, self.held, self.policy, now, spending)
            self.state = decision.after
        return decision

    def _judged(
        self, outcome: Outcome, notes: Sequence[Note], spending: Spending | None
    ) -> Decision:
        if isinstance(outcome, PollFailure) and outcome.internal:
            decision = decide_internal(self.state, outcome, self.policy)
        else:
            context = Context(notes, self.fault, spending)
            decision = decide(self.state, outcome, self.policy, context)
        failure = outcome if isinstance(outcome, PollFailure) else None
        self.fault = failure.message if failure and failure.reason == INTERNAL_ERROR else ""
        self.state = decision.after
        return decision


class Rehearsal(AbstractContextManager["Rehearsal"]):
    """A rehearsal by the settings, without secrets. `tell` is called with each message, in time order.

    All times must follow each other.
    """

    def __init__(self, settings: WatchSettings, tell: Callable[[Sent], None]) -> None:
        asked = policies(settings)
        self._tell = tell
        self._accounts = {name: _Account(each) for name, each in asked.accounts.items()}
        self._book = Book()
        self._book.mutes = asked.mutes
        self._book.pages = {name: Page() for name in (*asked.accounts, WATCHER)}
        self._agendas = [
            Agenda(Recipient(route, None, asked.escalations[name]), self._book, EVENTS)
            for name, route in asked.routes.items()
            if name not in _alertmanagers(settings)
        ]
        self._ledger = Ledger()
        self._look = Look(settings, self._ledger)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ledger.close()

    @property
    def accounts(self) -> Collection[str]:
        """The accounts that are watched."""
        return self._accounts.keys()

    def state(self, account: str) -> AccountState:
        """The state of an account after its last poll."""
        return self._accounts[account].state

    def policy(self, account: str) -> Policy:
        """How the account is watched."""
        return self._accounts[account].policy

    def poll(
        self, outcome: Outcome, notes: Sequence[Note] = (), *, is_same: bool = False
    ) -> Decision | None:
        """A poll ended: evaluate it, and send what is due then. `notes` are what users did before.

        `is_same` is whether it saw what the poll before saw, with the same notes. Then it may be known
        that it changes nothing: there is no decision.

        Raises:
            KeyError: the settings do not have its account.
        """
        account, now = self._accounts[outcome.account], outcome.taken_at
        account.keep_held(now, is_same=is_same)
        if is_same and account.holds(now):
            self.skip(outcome.account, now)
            return None
        self._pass_before(now)
        decision = account.judge(outcome, notes, self._spending(account, outcome))
        self._ledger.book(outcome.account, decision)
        self._commit(outcome.account, decision)
        self._look.polled(account.policy, outcome, account.state)
        self._look_at(now)
        self._send(now)
        return decision

    def skip(self, account: str, at: datetime) -> None:
        """A poll ended that was as good as the one before, and changes nothing: it is not evaluated."""
        self._pass_before(at)
        entry = self._accounts[account]
        good_at = at if entry.state.last_good_at == entry.state.last_poll_at else None
        entry.state = replace(
            entry.state, last_poll_at=at, last_good_at=good_at or entry.state.last_good_at
        )
        is_due = (next_at := self._next_at()) is not None and next_at <= at
        if self._look_at(at) or is_due:
            self._send(at)

    def pass_until(self, at: datetime) -> None:
        """Let time pass without a poll: send what comes due until then, and at that time."""
        self._pass_before(at + _TICK)

    def silence(self, silence: Silence) -> None:
        """Add a silence, which may begin later."""
        mutes = self._book.mutes
        self._mute(replace(mutes, silences=(*mutes.silences, silence)))

    def acknowledge(self, matchers: Matchers, at: datetime, until: datetime) -> Sequence[Alert]:
        """Somebody takes care of the alerts that match and fire then. Returns them."""
        self._pass_before(at)
        found = [
            alert
            for page in self._book.pages.values()
            for alert in page.open.values()
            if alert.state is State.FIRING and all_match(matchers, labels(alert))
        ]
        taken = {
            each.episode: Acknowledgement(at, until, each.severity, each.step) for each in found
        }
        mutes = self._book.mutes
        self._mute(replace(mutes, acknowledged={**mutes.acknowledged, **taken}))
        return found

    def _mute(self, mutes: Mutes) -> None:
        self._book.mutes = mutes
        for agenda in self._agendas:
            for account in self._book.pages:
                agenda.look(account)

    def _spending(self, account: _Account, outcome: Outcome) -> Spending | None:
        settings = account.policy.rules[spend_anomaly.NAME]
        assert isinstance(settings, spend_anomaly.SpendAnomalySettings)
        if not isinstance(outcome, Snapshot):
            return None
        return self._ledger.spending(account.state, outcome.account, outcome.taken_at, settings)

    def _look_at(self, now: datetime) -> bool:
        """Look at budgets and silences. Returns whether there is anything to look at."""
        decision = self._look.decide(self._book, now)
        if decision is not None:
            self._commit(WATCHER, decision)
        return decision is not None

    def _commit(self, account: str, decision: Decision) -> None:
        alerts, ended = decision.after.alerts, decision.ended
        if self._book.mutes.acknowledged:
            self._book.mutes = self._book.mutes.without_outgrown(alerts.values())
        changed, turned = self._book.update(account, alerts, ended, decision.paused)
        for agenda in self._agendas if changed else ():
            agenda.look(account, None if turned else changed)

    def _pass_before(self, end: datetime) -> None:
        while (at := self._next_at()) is not None and at < end:
            self._send(at)

    def _next_at(self) -> datetime | None:
        times = (agenda.next_look_at() for agenda in self._agendas)
        return min(filter(None, times), default=None)

    def _send(self, now: datetime) -> None:
        """Send what is due, and forget what nobody is due any more."""
        for agenda in self._agendas:
            for account in agenda.accounts(now):
                while lines := agenda.due_at_once(account, now):
                    receiver = agenda.recipient.route.receiver
                    told = self._book.told(account, receiver)
                    for line in lines:
                        told[line.episode] = line.notified(told.get(line.episode), now)
                    self._tell(Sent(now, receiver, account, lines))
        settled = self._book.unclaimed(
            lambda alert, muted: any(each.claims(alert, now, muted) for each in self._agendas)
        )
        for page in self._book.pages.values() if settled else ():
            page.settle(settled)


def _alertmanagers(settings: WatchSettings) -> frozenset[str]:
    return frozenset(each.name for each in settings.receivers if each.is_alertmanager)
