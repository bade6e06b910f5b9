"""The watcher watches itself: its receivers, and whom to notify of those that fail."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.board import Board
from fluence_watch.app.clock import Clock
from fluence_watch.app.couriers import Couriers
from fluence_watch.app.decide import Decision, Policy, react
from fluence_watch.app.report import fired, resolved
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.wiring import Setup, watcher_policy
from fluence_watch.errors import StoreError
from fluence_watch.model.finding import WATCHER
from fluence_watch.model.undelivered import Undelivered
from fluence_watch.rules import evaluate
from fluence_watch.rules.base import Situation
from fluence_watch.store import Store
from fluence_watch.threads import STORE

_log = structlog.get_logger(__name__)

Receivers = Mapping[str, Undelivered | None]
"""Each receiver of the settings: what it does not accept, `None` while it works."""


def decide_watcher(
    before: AccountState, receivers: Receivers, policy: Policy, now: datetime
) -> Decision:
    """The alerts about failing receivers, and the messages to the others."""
    situation = Situation(WATCHER, now, {}, {}, alerts=before.alerts, receivers=receivers)
    verdict = evaluate(situation, policy.rules)
    alerts, ended, messages, last_notified = react(before, verdict, policy, now)
    after = AccountState(alerts=alerts, last_notified=last_notified, last_poll_at=now)
    return Decision(after, ended, messages, (), verdict)


@dataclass(slots=True)
class _Watched:
    """The policy, and the state that was last committed."""

    policy: Policy
    state: AccountState


class SelfWatch:
    """Looks at the receivers once a poll interval, from the first `take_over` on."""

    def __init__(
        self, schedule: Schedule, store: Store, board: Board, clock: Clock, couriers: Couriers
    ) -> None:
        self._schedule = schedule
        self._store = store
        self._board = board
        self._clock = clock
        self._couriers = couriers
        self._watched: _Watched | None = None
        self._looking = asyncio.Lock()

    async def take_over(self, setup: Setup) -> None:
        """Watch the receivers of the setup, and no others.

        When it returns, no look by the former setup runs.

        Raises:
            StoreError: the state cannot be read at the start.
        """
        policy = watcher_policy(setup.settings)
        async with self._looking:
            if self._watched is None:
                state = await STORE.run(self._store.load, WATCHER)
                self._watched = _Watched(policy, state)
            self._watched.policy = policy
        self._schedule.every(setup.settings.poll.interval.total_seconds(), "receivers", self.look)

    async def look(self) -> None:
        """Check the receivers once; while the store fails, nothing changes."""
        async with self._looking:
            if self._watched is None:
                return
            try:
                decision = await STORE.run(self._settle, self._watched)
            except StoreError as error:
                _log.error("cannot look at the receivers: the store fails", error=str(error))
                return
            except Exception:  # noqa: BLE001 - of ours; the next look must have its chance
                _log.exception("internal error, please report it", where="receivers")
                self._board.own.internal_error("receivers")
                return
        if decision.messages:
            self._couriers.wake()

    def _settle(self, watched: _Watched) -> Decision:
        before, policy = watched.state, watched.policy
        decision = decide_watcher(before, self._receivers(policy), policy, self._clock())
        if before.alerts or decision.after.alerts:  # else there is nothing to keep
            self._store.commit(WATCHER, before, decision.after, decision.ended, decision.messages)
        watched.state = decision.after
        self._board.publish_watcher(decision.after)
        _report(before, decision)
        return decision

    def _receivers(self, policy: Policy) -> Receivers:
        """What each receiver does not accept.

        A receiver that refuses one message and accepts others works: the message is at fault.
        """
        left = self._store.undelivered()
        names = [route.receiver for route in policy.routes]
        return {name: None if self._couriers.works(name) else left.get(name) for name in names}


def _report(before: AccountState, decision: Decision) -> None:
    """Log the alerts that fire and resolve."""
    for alert in fired(before.alerts, decision.after.alerts):
        about = alert.fingerprint
        notified = [
            receiver
            for fingerprint, receiver in decision.after.last_notified
            if fingerprint == about
        ]
        if notified:
            _log.error("receiver fails", receiver=about.subject, notified=notified)
        else:
            _log.error("receiver fails, nobody is notified", receiver=about.subject)
    for alert in resolved(before.alerts, decision.ended):
        if not alert.quiet:
            _log.info("receiver works again", receiver=alert.fingerprint.subject)
