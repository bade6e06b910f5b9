"""What the process shows: the exposition, its own metrics, readiness, the status page."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from fluence_watch import __version__
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.muting import Mutes
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.clock import Clock
from fluence_watch.app.polled import Polled
from fluence_watch.app.view import build_view
from fluence_watch.metrics.exposition import AccountView, Exposition
from fluence_watch.metrics.own import SILENCED, OwnMetrics
from fluence_watch.model.finding import WATCHER, Fingerprint, shown_account
from fluence_watch.model.snapshot import PollFailure, Rejected, Snapshot
from fluence_watch.model.text import inert
from fluence_watch.rules import delivery_failing
from fluence_watch.web.reports import AccountReport, ReceiverReport

if TYPE_CHECKING:
    from fluence_watch.web.status import StatusView

_log = structlog.get_logger(__name__)
_INTERVAL = timedelta(minutes=1)


class Board:
    """The last known state of every account. `publish` may run in any thread."""

    def __init__(self, clock: Clock) -> None:
        self.own = OwnMetrics(__version__)
        self.exposition = Exposition(self.own.render)
        self._clock = clock
        self._polled: dict[str, Polled] = {}
        self._views: dict[str, AccountView] = {}
        self._expected: set[str] = set()
        self._interval = _INTERVAL
        self._problem: dict[str, str] = {}
        self._absent: dict[str, datetime] = {}
        self._watcher = AccountState()
        self._mutes = Mutes()
        self._lock = Lock()

    def expect(self, accounts: set[str], interval: timedelta = _INTERVAL) -> None:
        """Set the accounts that are polled, each every `interval`; others are dropped at once."""
        self._interval = interval
        with self._lock:
            for gone in (self._expected | self._polled.keys() | self._problem.keys()) - accounts:
                self._polled.pop(gone, None)
                self._views.pop(gone, None)
                self._problem.pop(gone, None)
                self.exposition.drop(gone)
                self.own.drop_account(gone)
            self._expected = set(accounts)

    def absent(self, accounts: Mapping[str, datetime]) -> None:
        """Set the accounts that are not watched, and until when their state is kept."""
        self._absent = dict(accounts)

    def forgotten(self, accounts: Collection[str]) -> None:
        """Drop these absent accounts: their state is deleted."""
        self._absent = {name: at for name, at in self._absent.items() if name not in accounts}

    def publish(self, polled: Polled) -> None:
        """Show the outcome of a poll."""
        account = polled.policy.account
        with self._lock:  # otherwise a late poll would bring a removed account back
            if account not in self._expected:
                return
            self._polled[account] = polled
            if isinstance(polled.outcome, PollFailure) and polled.outcome.internal:
                self._problem[account] = _problem(account, polled.outcome.message)
            else:
                self._problem.pop(account, None)
            self.own.poll_finished(account, polled.seconds)
            self._count(account, polled.state)
            self.own.store_up(up=polled.store_error is None)
            self._views[account] = view = build_view(polled, self._views.get(account))
            self.exposition.publish(view)

    def crashed(self, account: str, where: str, why: str) -> None:
        """Count an internal error, and mark the account's data as out of date."""
        self.own.internal_error(where)
        self.stalled(account, f"internal error: {why}")
        with self._lock:
            if account not in self._expected:
                return
            view = replace(self._views.get(account) or AccountView(account, up=False), up=False)
            self._views[account] = view
            try:
                self.exposition.publish(view)
            except Exception:  # noqa: BLE001 - it is logged already, and no series are better than old ones
                self.exposition.drop(account)

    def stalled(self, account: str, why: str) -> None:
        """Report that the account is not watched as it should be."""
        with self._lock:
            if account in self._expected:
                self._problem[account] = _problem(account, why)

    def polled(self) -> Mapping[str, Polled]:
        """The last poll of each account."""
        return dict(self._polled)

    def publish_watcher(self, state: AccountState) -> None:
        """Show the alerts about the watcher itself."""
        self._watcher = state
        self._count(shown_account(WATCHER), state)
        self._count_silences()

    def muted_by(self, mutes: Mutes) -> None:
        """Show what keeps messages back from now on."""
        with self._lock:
            self._mutes = mutes
            for account, polled in self._polled.items():
                self._count(account, polled.state)
        self._count(shown_account(WATCHER), self._watcher)
        self._count_silences()

    def _count(self, account: str, state: AccountState) -> None:
        self.own.alerts(account, _alert_counts(state, self._mutes, self._clock()))

    def _count_silences(self) -> None:
        now = self._clock()
        self.own.silences(sum(each.is_active(now) for each in self._mutes.silences))

    def remarks(self) -> list[str]:
        """Failures that do not affect readiness: accounts and receivers."""
        now, alerts = self._clock(), self._watcher.alerts.values()
        outcomes = {name: polled.outcome for name, polled in sorted(self._polled.items())}
        failing = [
            _problem(name, inert(outcome.message))
            for name, outcome in outcomes.items()
            if isinstance(outcome, PollFailure) and name not in self._problem
        ]
        firing = [alert.facts for alert in alerts if alert.state is State.FIRING]
        receivers = [each for each in firing if isinstance(each, delivery_failing.RULE.facts)]
        return [*failing, *(_brief(facts, now) for facts in receivers)]

    def unready(self) -> list[str]:
        """The reasons why the watcher is not ready; empty if it is."""
        reasons = [
            f"account {name}: not polled yet"
            for name in sorted(self._expected - self._polled.keys() - self._problem.keys())
        ]
        polled = list(self._polled.values())
        errors = {each.store_error for each in polled if each.store_error}
        return [*reasons, *self.problems(), *sorted(errors)]

    def problems(self) -> list[str]:
        """The accounts that are not watched as they should be, and why."""
        return list(self._problem.values())

    def status(
        self, receivers: Iterable[ReceiverReport] = (), match: Sequence[str] = ()
    ) -> "StatusView":
        """The status page as of now, with these receivers, and the alerts that match."""
        now = self._clock()
        polled = dict(self._polled)
        reports = [self._report(name, polled.get(name)) for name in sorted(self._expected)]
        states = [self._watcher, *(each.state for each in polled.values())]
        alerts = [alert for state in states for alert in state.alerts.values()]
        from fluence_watch.web.query import read_query  # noqa: PLC0415 - at the first page
        from fluence_watch.web.status import build_status  # noqa: PLC0415 - at the first page

        return build_status(
            reports,
            alerts,
            now,
            _brief,
            mutes=self._mutes,
            query=read_query(match),
            absent=self._absent,
            receivers=[self._since(each) for each in receivers],
            reload_after=self._interval,
        )

    def _since(self, receiver: ReceiverReport) -> ReceiverReport:
        """The report, with `failing_since` of its alert if that began before this process."""
        alert = self._watcher.alerts.get(Fingerprint(WATCHER, delivery_failing.NAME, receiver.name))
        facts = alert and alert.facts
        if alert is None or not isinstance(facts, delivery_failing.DeliveryFailing):
            return receiver
        return replace(
            receiver,
            failing_since=min(alert.active_at, receiver.failing_since or alert.active_at),
            error=receiver.error or facts.error,
        )

    def _report(self, name: str, polled: Polled | None) -> AccountReport:
        view = self._views.get(name)
        if polled is None or view is None:
            return AccountReport(name, error=self._problem.get(name, ""))
        error = self._problem.get(name, "")
        rejected: tuple[Rejected, ...] = ()
        balance = None
        unknown: Mapping[str, str] = {}
        match polled.outcome:
            case PollFailure(message=message):
                error = message
            case Snapshot() as snapshot:
                rejected, balance = snapshot.rejected, snapshot.balance
                unknown = snapshot.unknown
        return AccountReport(
            name=name,
            up=view.up,
            error=error,
            last_good_at=view.last_good_at,
            vms=view.vms,
            rejected=rejected,
            balance=balance,
            billing=view.billing,
            resources=view.resources,
            kinds=view.kinds,
            unlisted=view.unlisted,
            unknown=unknown,
            removal=view.removal if view.up else None,
        )


def _brief(facts: object, now: datetime) -> str:
    """The facts in words; facts that cannot be rendered do not break the page."""
    try:
        from fluence_watch.notify.render import brief  # noqa: PLC0415 - a calm fleet needs no words

        return brief(facts, now)
    except Exception:  # noqa: BLE001 - whatever it is
        _log.exception("internal error, please report it", where="page")
        return "the details could not be rendered"


def _problem(account: str, why: str) -> str:
    return f"account {account}: {why}"


def _alert_counts(
    state: AccountState, mutes: Mutes, now: datetime
) -> Mapping[tuple[str, str, str], int]:
    alerts = state.alerts.values()
    muted = mutes.among(alerts)

    def shown(alert: Alert) -> str:
        is_muted = alert.state is State.FIRING and muted(alert, now)
        return SILENCED if is_muted else alert.state.value

    return Counter((each.fingerprint.rule, each.severity.value, shown(each)) for each in alerts)
