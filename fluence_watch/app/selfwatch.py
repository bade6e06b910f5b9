"""The watcher's own look: at its receivers, and at budgets and silences, which may span accounts."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from fluence_watch.alerting.episodes import entries_of_alerts
from fluence_watch.alerting.lifecycle import State, advance
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.board import Board
from fluence_watch.app.book import Page
from fluence_watch.app.clock import Clock
from fluence_watch.app.decide import Decision, Policy
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.kept import Kept
from fluence_watch.app.policies import watcher_policy
from fluence_watch.app.report import fired, resolved
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import StoreError
from fluence_watch.model.budget import BudgetState
from fluence_watch.model.finding import WATCHER
from fluence_watch.model.silenced import Silenced
from fluence_watch.model.undelivered import Refused, Undelivered
from fluence_watch.rules import budget, evaluate, silence_ending
from fluence_watch.rules.situation import Situation
from fluence_watch.store import Store
from fluence_watch.threads import STORE

if TYPE_CHECKING:
    from fluence_watch.app.budgets import Budgets

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look sees.

    `receivers` has each receiver of the settings: what it does not accept, `None` while it works.
    `refused` is what one refuses although it works. `budgets` are `None` if the ledger cannot be read,
    `silences` before they are.
    """

    receivers: Mapping[str, Undelivered | None]
    refused: Mapping[str, Refused]
    silences: Sequence[Silenced] | None = ()
    budgets: Sequence[BudgetState] | None = ()


def decide_watcher(before: AccountState, seen: Seen, policy: Policy, now: datetime) -> Decision:
    """The alerts about failing receivers, about budgets and about silences."""
    verdict = evaluate(_situation(before, seen, now), policy.rules)
    alerts, ended = advance(before.alerts, verdict, policy.timings, now, before.last_poll_at)
    entries = [
        *entries_of_alerts(before.alerts, alerts, ended, verdict, now, settings=policy.written)
    ]
    after = AccountState(alerts=alerts, last_poll_at=now)
    return Decision(after, ended, (), verdict, entries=entries)


def _situation(before: AccountState, seen: Seen, now: datetime) -> Situation:
    return Situation(
        WATCHER,
        now,
        {},
        {},
        since={key: alert.active_at for key, alert in before.alerts.items()},
        firing={key: a.facts for key, a in before.alerts.items() if a.state is State.FIRING},
        receivers=seen.receivers,
        refused=seen.refused,
        silences=seen.silences,
        budgets=seen.budgets,
    )


@dataclass(slots=True)
class _Watched:
    """The policy, the routes, the budgets if any, and the state as last committed."""

    policy: Policy
    routes: Mapping[str, Route]
    kept: Kept
    budgets: "Budgets | None" = None


class SelfWatch:
    """Looks at receivers, budgets and silences once a poll interval, from the first `take_over` on.

    `trouble` is why the last look failed, or could not see the budgets.
    """

    def __init__(
        self, schedule: Schedule, store: Store, board: Board, clock: Clock, dispatch: Dispatch
    ) -> None:
        self._schedule = schedule
        self._store = store
        self._board = board
        self._clock = clock
        self._dispatch = dispatch
        self._watched: _Watched | None = None
        self._looking = asyncio.Lock()
        self.trouble = ""

    async def take_over(self, setup: Setup) -> None:
        """Watch the receivers and the budgets of the setup, and no others.

        When it returns, no look by the former setup runs.

        Raises:
            StoreError: the state cannot be read at the start.
        """
        policy = watcher_policy(setup.settings)
        async with self._looking:
            if self._watched is None:
                stored = await STORE.run(self._store.load, WATCHER)
                self._dispatch.follow(WATCHER, Page.of(stored))
                kept = Kept(self._store, WATCHER, stored)
                self._watched = _Watched(policy, setup.routes, kept)
            self._watched.policy, self._watched.routes = policy, setup.routes
            self._watched.budgets = _budgets(self._store, setup)
        self._schedule.every(setup.settings.poll.interval.total_seconds(), "receivers", self.look)

    async def look(self) -> None:
        """Check receivers, budgets and silences once; while the store fails, nothing changes."""
        async with self._looking:
            if self._watched is None:
                return
            try:
                seen = await self._seen()
                decision = await STORE.run(self._settle, self._watched, seen)
            except StoreError as error:
                _log.error("cannot look at the receivers: the store fails", error=str(error))
                self.trouble = str(error)
                return
            except Exception:  # noqa: BLE001 - of ours; the next look must have its chance
                _log.exception("internal error, please report it", where="receivers")
                self._board.own.internal_error("receivers")
                self.trouble = "internal error while looking at the receivers"
                return
        self._dispatch.committed(WATCHER, decision.after.alerts, decision.ended)

    async def _seen(self) -> Seen:
        dispatch = self._dispatch
        await dispatch.refresh()  # a command may have ended a silence
        return Seen(dispatch.failing(), dispatch.refused(), dispatch.silenced())

    def _settle(self, watched: _Watched, seen: Seen) -> Decision:
        before, policy, now = watched.kept.state, watched.policy, self._clock()
        budgets = watched.budgets.states(self._board.polled(), now) if watched.budgets else ()
        seen = replace(seen, budgets=budgets)

        def judge(state: AccountState) -> Decision:
            return decide_watcher(state, seen, policy, now)

        decision = judge(before)
        if before.alerts or decision.after.alerts:  # else there is nothing to keep
            decision = watched.kept.change(judge)
        self._board.publish_watcher(decision.after)
        self._board.own.budgets(budgets or ())
        self.trouble = "the ledger of the budgets cannot be read" if budgets is None else ""
        _report(before, decision, watched.routes)
        return decision


def _budgets(store: Store, setup: Setup) -> "Budgets | None":
    wanted = [each.budget for each in setup.settings.budgets]
    if not wanted:
        return None
    from fluence_watch.app.budgets import Budgets  # noqa: PLC0415 - only with budgets

    return Budgets(store, wanted, setup.policies.keys())


def _report(before: AccountState, decision: Decision, routes: Mapping[str, Route]) -> None:
    """Log the alerts that fire and resolve, and who is notified."""
    for alert in fired(before.alerts, decision.after.alerts):
        notified = [name for name, route in routes.items() if route.matches(alert)]
        if isinstance(alert.facts, budget.BudgetSpent):
            facts = alert.facts
            is_ahead = isinstance(facts, budget.BudgetForecast)
            what = "budget is going to be exceeded" if is_ahead else "budget is being spent"
            _log.warning(what, budget=facts.name, percent=facts.percent, notified=notified)
            continue
        if isinstance(alert.facts, silence_ending.SilenceEnding):
            ends_at = alert.facts.ends_at.isoformat()
            _log.info("silence ends", silence=alert.facts.id, at=ends_at, notified=notified)
            continue
        receiver = alert.fingerprint.subject
        if notified:
            _log.error("receiver fails", receiver=receiver, notified=notified)
        else:
            _log.error("receiver fails, nobody is notified", receiver=receiver)
    for alert in resolved(before.alerts, decision.ended):
        if not alert.quiet:
            _log.info("receiver works again", receiver=alert.fingerprint.subject)
