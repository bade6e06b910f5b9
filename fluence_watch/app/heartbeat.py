"""The heartbeat: calls a service after each whole cycle, and says so when one was not.

Calls are made in a task of their own, one after the other, and delay nothing. What could not be said
in time is replaced by what is true later.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from fluence_watch.app.cycle import Cycle
from fluence_watch.app.polled import Polled
from fluence_watch.errors import NotifyError
from fluence_watch.model.text import inert
from fluence_watch.notify.heartbeat import BEAT, START, Signal, failure

_log = structlog.get_logger(__name__)

_MOST_REASONS = 20


class Service(Protocol):
    """Whom to call; see `notify.heartbeat`."""

    async def call(self, signal: Signal) -> None:
        """Send, or raise `NotifyError`."""
        ...

    async def aclose(self) -> None:
        """Close the connections."""
        ...


class Observer(Protocol):
    """Counts; see the metrics."""

    def beat(self, at: datetime) -> None:
        """The service knows that all is well."""
        ...

    def heartbeat_failed(self) -> None:
        """A call failed."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to call, how old what waits for a receiver may be, and how far cycles are apart."""

    service: Service
    max_outbox_age: timedelta
    min_interval: timedelta


class Heartbeat:
    """The heartbeat of the daemon.

    `now` is UTC, `monotonic` in seconds. `troubles` gives, at the end of a cycle, what is wrong
    beside the polls; its argument is the plan's `max_outbox_age`.
    """

    def __init__(
        self,
        plan: Plan,
        observer: Observer,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        troubles: Callable[[timedelta], Iterable[str]],
    ) -> None:
        self._plan = plan
        self._observer = observer
        self._now = now
        self._monotonic = monotonic
        self._troubles = troubles
        self._cycle = Cycle()
        self._earliest = monotonic()  # when the current cycle may end
        self._next: Signal | None = None
        self._retired: list[Service] = []
        self._error = ""
        self._woken = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def take_over(self, plan: Plan, accounts: Collection[str]) -> None:
        """Go on with this plan and these accounts."""
        if plan.service is not self._plan.service:
            self._retired.append(self._plan.service)
            self._woken.set()
        self._plan = plan
        self._cycle.expect(accounts)

    def poll_begins(self) -> None:
        """A poll begins, perhaps the first of a cycle."""
        if not self._cycle.has_begun:
            self._cycle.has_begun = True
            if self._next is None:  # else how the last cycle was matters more
                self._say(START)

    def poll_ended(self, polled: Polled) -> None:
        """A poll ended, perhaps the last of a cycle."""
        self._cycle.polled(polled)
        now = self._monotonic()
        if self._cycle.is_over and now >= self._earliest:
            self._earliest = now + self._plan.min_interval.total_seconds()
            reasons = [*self._cycle.end(), *self._troubles(self._plan.max_outbox_age)]
            self._say(failure(_worded(reasons)) if reasons else BEAT)

    async def stop(self) -> None:
        """Send nothing more, not even what is being sent."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._retired.append(self._plan.service)
        await self._close_retired()

    def _say(self, signal: Signal) -> None:
        self._next = signal
        self._woken.set()

    async def _run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self._close_retired()
            signal, self._next = self._next, None
            if signal is not None:
                await self._call(signal)

    async def _close_retired(self) -> None:
        """Close the services of former plans; none is being called now."""
        while self._retired:
            await self._retired.pop().aclose()

    async def _call(self, signal: Signal) -> None:
        try:
            await self._plan.service.call(signal)
        except NotifyError as error:
            self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - of ours; the next call must have its chance
            self._failed(type(error).__name__)
        else:
            self._succeeded(signal)

    def _failed(self, error: str) -> None:
        self._observer.heartbeat_failed()
        if error != self._error:
            _log.warning("heartbeat fails", error=error)
        self._error = error

    def _succeeded(self, signal: Signal) -> None:
        if signal is BEAT:
            self._observer.beat(self._now())
        if self._error:
            _log.info("heartbeat works again")
        self._error = ""


def _worded(reasons: Iterable[str]) -> str:
    """The reasons, one a line. Their texts come from outside."""
    lines = [inert(reason) for reason in dict.fromkeys(reasons)]
    more = len(lines) - _MOST_REASONS
    return "\n".join([*lines[:_MOST_REASONS], *([f"and {more} more"] if more > 0 else [])])
