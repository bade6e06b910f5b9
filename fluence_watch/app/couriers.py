"""Deliver: one courier a receiver, woken when messages wait or a retry is due."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog

from fluence_watch.app.board import Board
from fluence_watch.app.clock import Clock
from fluence_watch.app.wiring import Setup, delivery
from fluence_watch.errors import StoreError
from fluence_watch.notify.outbox import Delivery, Health
from fluence_watch.store import Store
from fluence_watch.threads import STORE
from fluence_watch.web.status import ReceiverReport

_log = structlog.get_logger(__name__)

AFTER_TROUBLE = timedelta(seconds=10)
"""How long to wait when the store, and not the receiver, is what fails."""


class Courier:
    """Delivers what waits for one receiver, in a task of its own.

    `delivery` may be replaced between two rounds; `counted` is called in a worker thread after
    each, to count what still waits.
    """

    def __init__(self, delivery: Delivery, counted: Callable[[], None]) -> None:
        self.delivery = delivery
        self._counted = counted
        self._woken = asyncio.Event()
        self._resting = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Deliver now: a message waits."""
        self._resting.clear()
        self._woken.set()

    async def rest(self) -> None:
        """Wait until nothing waits, or the next attempt is not due."""
        await self._resting.wait()

    async def stop(self) -> None:
        """Stop at once: a message that is being sent counts as in flight."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            again = await self._round()
            if not self._woken.is_set():
                self._resting.set()
            await self._sleep(again)

    async def _round(self) -> timedelta | None:
        try:
            await STORE.run(self._counted)  # messages of an earlier run show at once
            again = await self.delivery.drain()
            await STORE.run(self._counted)
        except StoreError as error:
            _log.error("nothing can be sent: the store fails", error=str(error))
        except Exception:  # noqa: BLE001 - whatever it is, the next round must have its chance
            _log.exception("delivery failed", receiver=self.delivery.receiver.name)
        else:
            return again
        return AFTER_TROUBLE

    async def _sleep(self, wait: timedelta | None) -> None:
        """Wait so long on the monotonic clock, or until woken."""
        try:
            async with asyncio.timeout(None if wait is None else wait.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            return


class Couriers:
    """One courier for each receiver of the settings."""

    def __init__(self, store: Store, board: Board, clock: Clock) -> None:
        self._store = store
        self._board = board
        self._clock = clock
        self._couriers: dict[str, Courier] = {}
        self._waiting: Mapping[str, tuple[int, datetime]] = {}

    async def take_over(self, setup: Setup) -> None:
        """Deliver to the receivers of the setup, and to no others."""
        for name in self._couriers.keys() - setup.receivers.keys():
            await self._remove(name)
        for name, receiver in setup.receivers.items():
            courier = self._couriers.get(name)
            way = delivery(receiver, self._store, self._board.own, self._clock, setup.settings)
            if courier:
                # the same set, not a copy: a round of the former one may still run
                way.accepted = courier.delivery.accepted
                way.wrong, way.health = courier.delivery.wrong, courier.delivery.health
                courier.delivery = way
                courier.wake()
            else:
                self._board.own.add_receiver(name)
                self._couriers[name] = Courier(way, self._count)

    def works(self, receiver: str) -> bool:
        """Whether the last attempt to reach the receiver succeeded; false before the first."""
        return receiver in self._couriers and self._couriers[receiver].delivery.health.works

    def report(self, receiver: str) -> ReceiverReport:
        """The state of a receiver of the settings; may run in any thread."""
        courier = self._couriers.get(receiver)
        health = courier.delivery.health if courier else Health()
        waiting, oldest_at = self._waiting.get(receiver, (0, None))
        return ReceiverReport(
            receiver, health.accepted_at, health.failing_since, health.error, waiting, oldest_at
        )

    def wake(self) -> None:
        """Messages wait."""
        for courier in self._couriers.values():
            courier.wake()

    async def stop(self, seconds: float) -> None:
        """Deliver what waits for so long at most, and stop."""
        self.wake()
        resting = [asyncio.create_task(courier.rest()) for courier in self._couriers.values()]
        if resting:
            _, late = await asyncio.wait(resting, timeout=seconds)
            for task in late:
                task.cancel()
        for courier in self._couriers.values():
            await courier.stop()

    async def _remove(self, name: str) -> None:
        await self._couriers.pop(name).stop()
        self._board.own.drop_receiver(name)
        try:
            dropped = await STORE.run(self._store.drop_queue, name)
        except StoreError as error:
            _log.error("cannot empty a queue", receiver=name, error=str(error))
        else:
            _log.info("receiver removed", receiver=name, undelivered=dropped)

    def _count(self) -> None:
        self._waiting = self._store.receivers_waiting()
        for name in list(self._couriers):
            number, oldest = self._waiting.get(name, (0, None))
            self._board.own.outbox(name, number, oldest)
