"""Notify: one courier for each receiver, woken by what polls commit.

An ended alert is settled when no receiver is due anything of it. Then only the history keeps it.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

import structlog

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Alert, Alerts, Episode
from fluence_watch.alerting.muting import Muted
from fluence_watch.alerting.telling import Heard, Recipient
from fluence_watch.app.board import Board
from fluence_watch.app.book import Book, Page, Waiting
from fluence_watch.app.clock import Clock
from fluence_watch.app.mutes import Readings
from fluence_watch.app.wiring import EVENTS, Setup, delivery
from fluence_watch.errors import StoreError
from fluence_watch.model.duration import rough
from fluence_watch.model.silenced import Silenced
from fluence_watch.model.undelivered import Refused, Undelivered
from fluence_watch.store import Store
from fluence_watch.threads import STORE
from fluence_watch.web.reports import ReceiverReport

if TYPE_CHECKING:
    from fluence_watch.app.alertmanager.courier import ClusterCourier
    from fluence_watch.app.courier import Courier
    from fluence_watch.notify.alertmanager.cluster import Cluster

    AnyCourier = Courier | ClusterCourier

_log = structlog.get_logger(__name__)


class Dispatch:
    """Notifies the receivers of the settings of the alerts of all accounts."""

    def __init__(self, store: Store, board: Board, clock: Clock) -> None:
        self._store = store
        self._board = board
        self._clock = clock
        self._book = Book()
        self._couriers: dict[str, AnyCourier] = {}
        self._complete = False  # until all receivers are known, each may be due anything
        self._settling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._readings = Readings(store, clock)

    def follow(self, account: str, page: Page) -> None:
        """Notify of the alerts of an account, from its stored state on."""
        self._book.pages[account] = page
        for courier in self._couriers.values():
            courier.look(account)
        self._settle_soon()

    def committed(
        self,
        account: str,
        alerts: Alerts,
        ended: Sequence[Alert],
        paused: frozenset[str] | None = None,
    ) -> None:
        """A poll committed these open alerts and ended those."""
        if account not in self._book.pages:
            return
        changed, turned = self._book.update(account, alerts, ended, paused)
        for courier in self._couriers.values() if changed else ():
            courier.look(account, None if turned and courier.heeds_mutes else changed)
        if ended:
            self._settle_soon()
        self._start(self.refresh())

    def forget(self, account: str) -> None:
        """The account is no longer watched. Nobody is notified of it."""
        self._book.pages.pop(account, None)
        for courier in self._couriers.values():
            courier.forget(account)

    async def take_over(self, setup: Setup) -> None:
        """Notify the receivers of the setup, and no others."""
        self._readings.configured = setup.mutes
        await self.refresh()
        stored = await self._stored()
        for name in (self._couriers.keys() | stored.keys()) - setup.receivers.keys():
            await self._remove(name)
        await self._add([name for name in setup.receivers if name not in stored])
        for name in setup.receivers:
            attempts = stored.get(name) or Attempts(since=self._clock())
            await self._serve(name, setup, attempts)
            for account in self._book.pages:
                self._couriers[name].look(account)
        self._complete = True
        self._settle_soon()

    async def _serve(self, name: str, setup: Setup, attempts: Attempts) -> None:
        """Let the receiver have a courier of its kind: the one that it has, or a new one."""
        former, escalations = self._couriers.get(name), setup.escalations.get(name, ())
        recipient = Recipient(setup.routes[name], attempts.since, escalations)
        if former is None:
            self._board.own.add_receiver(name)
        if cluster := setup.clusters.get(name):
            courier = await self._cluster_courier(cluster, former, recipient, attempts)
        else:
            courier = self._courier(setup, former, recipient, attempts)
        if former is not None and former is not courier:
            await former.leave()
        if former is not courier:
            with suppress(StoreError):  # then it is written once more
                courier.scribe.recall(await STORE.run(self._store.last_entries, name))
        self._couriers[name] = courier

    def _courier(
        self, setup: Setup, former: "AnyCourier | None", to: Recipient, attempts: Attempts
    ) -> "AnyCourier":
        from fluence_watch.app.agenda import Agenda  # noqa: PLC0415 - only with receivers
        from fluence_watch.app.courier import Courier  # noqa: PLC0415 - only with receivers

        channel, words = setup.receivers[to.route.receiver], setup.words
        if isinstance(former, Courier):
            former.adopt(channel, to, words)
            return former
        made = delivery(channel, self._store, self._board.own, self._clock, words)
        made, agenda = replace(made, attempts=attempts), Agenda(to, self._book, EVENTS)
        return Courier(made, agenda, self._book, self.refresh, self._settle_soon)

    async def refresh(self) -> None:
        """Read silences and acknowledgements; if they changed, look at everything again."""
        mutes = await self._readings.read()
        if mutes is not None and mutes != self._book.mutes:
            self._book.mutes = mutes
            self._board.muted_by(mutes)
            for courier in self._couriers.values():
                for account in self._book.pages if courier.heeds_mutes else ():
                    courier.look(account)

    async def _cluster_courier(
        self, cluster: "Cluster", former: "AnyCourier | None", to: Recipient, attempts: Attempts
    ) -> "AnyCourier":
        from fluence_watch.app.alertmanager.courier import (  # noqa: PLC0415 - only with a cluster
            ClusterCourier,
        )
        from fluence_watch.app.alertmanager.desk import Desk  # noqa: PLC0415 - only with a cluster

        if isinstance(former, ClusterCourier):
            await former.adopt(cluster, to)
            return former
        made = delivery(cluster, self._store, self._board.own, self._clock)
        made = replace(made, attempts=attempts)
        counted = self._settle_soon
        return ClusterCourier(Desk(made, cluster, to, self._book, events=EVENTS, counted=counted))

    def failing(self) -> Mapping[str, Undelivered | None]:
        """Each receiver with what it does not accept, `None` while it works."""
        return {name: _undelivered(courier) for name, courier in self._couriers.items()}

    def refused(self) -> Mapping[str, Refused]:
        """The receivers that work but refuse alerts which are not over."""
        found: dict[str, list[str]] = {}
        for page in self._book.pages.values():
            for name, told in page.told.items():
                for episode, notified in told.items():
                    if notified.heard is Heard.GIVEN_UP and episode.fingerprint in page.open:
                        found.setdefault(name, []).append(episode.fingerprint.words)
        return {name: Refused(tuple(sorted(alerts))) for name, alerts in found.items()}

    def stuck(self, longest: timedelta) -> list[str]:
        """What is not delivered for longer than this, in words."""
        now, found = self._clock(), list[str]()
        for name, courier in self._couriers.items():
            since = courier.stuck_since
            if since is not None and now - since > longest:
                error = courier.health.error or courier.attempts.error
                why = f": {error}" if error else ""
                found.append(f"receiver {name}: not delivered for {rough(now - since)}{why}")
        return found

    def silenced(self) -> Sequence[Silenced] | None:
        """The silences in force and what they hide, `None` before they are known."""
        if not self._readings.known:
            return None
        if not self._book.mutes.silences:
            return []
        from fluence_watch.alerting.hidden import silenced  # noqa: PLC0415 - only with silences

        alerts = [each for page in self._book.pages.values() for each in page.open.values()]
        return silenced(self._book.mutes, alerts, self._clock())

    def report(self, receiver: str) -> ReceiverReport:
        """The state of a receiver of the settings; may run in any thread."""
        courier = self._couriers.get(receiver)
        if courier is None:
            return ReceiverReport(receiver)
        health, waiting = courier.health, courier.waiting or Waiting()
        how = health.accepted_at, health.failing_since, health.error
        again = courier.next_try_at if waiting.messages else None
        return ReceiverReport(receiver, *how, *waiting, again)

    async def rest(self) -> None:
        """Return when nothing can be delivered now."""
        for courier in self._couriers.values():
            await courier.rest()

    async def stop(self, seconds: float) -> None:
        """Try once more to deliver what waits, for so long at most, and stop."""
        resting = [asyncio.create_task(each.hurry()) for each in self._couriers.values()]
        if resting:
            _, late = await asyncio.wait(resting, timeout=seconds)
            for task in late:
                task.cancel()
        for courier in self._couriers.values():
            await courier.stop()
        for task in self._tasks:
            task.cancel()

    async def _stored(self) -> dict[str, Attempts]:
        try:
            return await STORE.run(self._store.receivers)
        except StoreError as error:
            _log.error("cannot read the state of the receivers", error=str(error))
            return {name: each.attempts for name, each in self._couriers.items()}

    async def _add(self, names: Sequence[str]) -> None:
        try:
            if names:
                await STORE.run(self._store.add_receivers, names, self._clock())
        except StoreError as error:
            _log.error("cannot store new receivers", receivers=list(names), error=str(error))

    async def _remove(self, name: str) -> None:
        if name in self._couriers:
            await self._couriers.pop(name).leave()
            self._board.own.drop_receiver(name)
        self._book.forget_receiver(name)
        try:
            await STORE.run(self._store.remove_receiver, name)
        except StoreError as error:
            _log.error("cannot forget a removed receiver", receiver=name, error=str(error))
        else:
            _log.info("receiver removed", receiver=name)

    def _settle_soon(self) -> None:
        """Show what waits, and settle what no receiver is due any more."""
        for name, courier in self._couriers.items():
            if courier.waiting is not None:
                self._board.own.outbox(name, *courier.waiting)
        ended = any(page.ended() for page in self._book.pages.values())
        if ended and self._complete and not self._settling.locked():
            self._start(self._settle())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self) -> None:
        """Settle, and then what became due to nobody while the store wrote."""
        async with self._settling:
            while settled := self._book.unclaimed(self._is_claimed):
                if not await self._write_settled(settled):
                    return
                for page in self._book.pages.values():
                    page.settle(settled)

    async def _write_settled(self, settled: Sequence[Episode]) -> bool:
        """Whether it is written, with what each receiver was not notified of, and why."""
        scribes = [courier.scribe for courier in self._couriers.values()]
        taken = [scribe.take() for scribe in scribes]
        try:
            await STORE.run(self._store.settle, settled, [*chain(*taken)])
        except StoreError as error:
            _log.error("cannot settle alerts that are over", error=str(error))
            for scribe, entries in zip(scribes, taken, strict=True):
                scribe.put_back(entries)
            return False
        for courier in self._couriers.values():
            courier.settled(settled)
        return True

    def _is_claimed(self, alert: Alert, muted: Muted) -> bool:
        """Whether a receiver is due anything. If none is, each has written why not."""
        return any(courier.claims(alert, muted) for courier in self._couriers.values())


def _undelivered(courier: "AnyCourier") -> Undelivered | None:
    waiting = courier.waiting or Waiting()
    if courier.health.works or not courier.attempts.failures:
        return None
    return Undelivered(courier.attempts.error, waiting.messages, waiting.oldest_at)
