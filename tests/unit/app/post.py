"""The half of a daemon that notifies, without a network and without polls of its own."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.episodes import entries_of_alerts
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Notified
from fluence_watch.app.board import Board
from fluence_watch.app.book import Page
from fluence_watch.app.decide import Decision
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.kept import Kept
from fluence_watch.app.wiring import Setup
from fluence_watch.model.finding import Verdict
from fluence_watch.simulator import SettableClock

# ruff: noqa: ANN401 - the store may be wrapped by a fake


class Post:
    """The half of a daemon that notifies; `lost` is what a crash loses: all but the store."""

    def __init__(self, store: Any, clock: SettableClock) -> None:
        self.store, self.clock = store, clock
        self.board = Board(clock)
        self.dispatch = Dispatch(store, self.board, clock)
        self.kept: dict[str, Kept] = {}

    async def begin(self, setup: Setup, *accounts: str) -> None:
        """Follow the accounts, from their stored states on, and take over the setup."""
        for account in accounts or ("main",):
            stored = self.store.load(account)
            self.kept[account] = Kept(self.store, account, stored)
            self.dispatch.follow(account, Page.of(stored))
        await self.dispatch.take_over(setup)

    def poll(self, *alerts: Alert, account: str = "main", quiet: bool = False) -> None:
        """These alerts are open after a poll, and all others ended."""
        after = AccountState(alerts={a.fingerprint: a for a in alerts}, last_poll_at=self.clock())
        end = {"state": State.RESOLVED, "ends_at": self.clock(), "quiet": quiet}

        def decide(before: AccountState) -> Decision:
            over = [
                replace(each, **end)
                for key, each in before.alerts.items()
                if key not in after.alerts
            ]
            verdict = Verdict({}, judged=frozenset(each.fingerprint.rule for each in over))
            entries = entries_of_alerts(
                before.alerts, after.alerts, over, verdict, self.clock(), settings=lambda _: {}
            )
            return Decision(after, over, (), verdict, entries=[*entries])

        ended = self.kept[account].change(decide).ended
        self.dispatch.committed(account, after.alerts, ended)

    async def rest(self) -> None:
        """Wait until nothing is under way that the dispatch has started."""
        while tasks := list(self.dispatch._tasks):
            await asyncio.wait(tasks)  # `gather` would not let the loop go on if they are done

    def told(self, receiver: str = "ops") -> Mapping[Episode, Notified]:
        """What the store says that the receiver knows of account `main`."""
        known: Mapping[Episode, Notified] = self.store.load("main").told.get(receiver, {})
        return known

    def failures(self, receiver: str = "ops") -> int:
        """How often the receiver failed in a row, as the store says."""
        known: dict[str, Attempts] = self.store.receivers()
        return known[receiver].failures

    def waiting(self, receiver: str = "ops") -> float | None:
        """The number of messages that wait, as the metrics say."""
        return self.board.own.registry.get_sample_value(
            "fluence_watch_outbox_messages", {"receiver": receiver}
        )

    def count(self, name: str, receiver: str = "ops") -> float | None:
        """A counter of the metrics."""
        return self.board.own.registry.get_sample_value(
            f"fluence_watch_{name}_total", {"receiver": receiver}
        )
