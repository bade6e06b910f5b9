"""Delivery: the messages that wait for one receiver are sent in order, each at least once.

- A message that cannot be rendered is sent in its plainest form.
- A try is committed (`begin`) before it is made, its outcome after. What a crash leaves between
  the two may have arrived: it is sent again, and counted as a possible duplicate.
- What was accepted is not sent again by this process, even if the store cannot be told so.
- After a failure the receiver is left alone for a while that grows (`backoff`).
- What is no news any more becomes one summary, whatever the number of messages; repeats that
  later ones say again are not sent.
- After a message was refused `PROBE_AFTER` times the following are tried, in order, until one is
  refused too; the message keeps its place. Only if it was refused `GIVE_UP_AFTER` times, and one
  that follows is accepted right after, it is given up: one try as a summary, and no more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

import structlog

from fluence_watch.alerting.delivery import (
    GIVE_UP_AFTER,
    PROBE_AFTER,
    Fate,
    FiringSince,
    Queued,
    backoff,
    fate,
    superseded,
    wait_left,
)
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered, render, render_plainly, render_summary
from fluence_watch.threads import RENDERING, STORE

log = structlog.get_logger(__name__)

WINDOW = 10_000
"""The messages looked at together: more than a long outage leaves, so that it has one summary."""


class Outbox(Protocol):
    """What the store keeps of messages on their way. All of it may raise `StoreError`."""

    def queued(self, receiver: str, limit: int) -> Sequence[Queued]:
        """The receiver's first messages, the oldest first."""
        ...

    def begin(self, ids: Sequence[int]) -> None:
        """Remember that a try is being made: they are in flight."""
        ...

    def delivered(self, ids: Sequence[int]) -> None:
        """Forget these: they arrived, or were given up."""
        ...

    def failed(self, ids: Sequence[int], next_attempt_at: datetime, error: str) -> None:
        """Count a failed try; they are in flight no more."""
        ...

    def firing(self) -> FiringSince:
        """What fires now, of all accounts, with its `active_at`."""
        ...


class Channel(Protocol):
    """Who is notified; see `receiver.Receiver`."""

    @property
    def name(self) -> str:
        """What settings and metrics call it."""
        ...

    @property
    def format(self) -> BodyFormat:
        """How bodies are written for it."""
        ...

    @property
    def longest(self) -> int:
        """The characters that a message may have."""
        ...

    async def send(self, rendered: Rendered) -> None:
        """Send, or raise `NotifyError`."""
        ...


class Observer(Protocol):
    """Who counts; see the metrics."""

    def delivered(self, receiver: str) -> None:
        """A message was accepted."""
        ...

    def failed(self, receiver: str) -> None:
        """A message was not accepted."""
        ...

    def possible_duplicate(self, receiver: str) -> None:
        """A message of which no outcome is known is sent again."""
        ...

    def internal_error(self, where: str) -> None:
        """An error of our own; `where` is `message`."""
        ...


@dataclass(slots=True)
class Health:
    """How the tries to reach a receiver went, since the process started.

    `works` tells whether the last one succeeded; `failing_since` is the first failure since one did,
    `error` the last.
    """

    works: bool = False
    accepted_at: datetime | None = None
    failing_since: datetime | None = None
    error: str = ""

    def succeeded(self, now: datetime) -> None:
        """A message was accepted."""
        self.works, self.accepted_at = True, now
        self.failing_since, self.error = None, ""

    def failed(self, now: datetime, error: str) -> None:
        """A message was not accepted."""
        self.works, self.error = False, error
        self.failing_since = self.failing_since or now


@dataclass(slots=True)
class Delivery:
    """The way to one receiver; one for as long as the settings stay.

    `now` is UTC, `jitter` gives a number in 0..1 that spreads retries. A message older than
    `stale_after` of which nothing fires any more becomes a line of a summary. `accepted` are the ids that
    the store could not remove yet, `wrong` of those that were refused while others were accepted;
    who replaces this by another hands over the same sets, and the same `health`. A refusal of what is
    `wrong` says nothing about the health of a receiver that works.
    """

    receiver: Channel
    outbox: Outbox
    observer: Observer
    now: Callable[[], datetime]
    jitter: Callable[[], float]
    stale_after: timedelta
    accepted: set[int] = field(default_factory=set)
    wrong: set[int] = field(default_factory=set)
    health: Health = field(default_factory=Health)

    async def drain(self) -> timedelta | None:
        """Send what waits, until nothing does or the receiver does not accept it.

        May be cancelled: a message on its way then counts as in flight. One task at a time.

        Returns:
            How long to wait before the next drain, if messages are left.

        Raises:
            StoreError: the store failed. A try that could not be committed was not made.
        """
        while all_queued := await self._queue():
            if (left := self._left(all_queued)) > timedelta(0):
                return left
            queue = await self._without_repeats(all_queued)
            firing = await STORE.run(self.outbox.firing)
            stale = [q for q in queue if self._fate(q, firing) is Fate.SUMMARIZE]
            batch = stale or queue[:1]
            if await self._tell(batch, firing, summary=bool(stale)):
                continue
            tries = _attempts(batch) + 1
            passed = tries >= PROBE_AFTER and await self._pass(batch, queue, firing)
            if not (passed and tries >= GIVE_UP_AFTER):
                return self._wait(batch)
            await self._give_up(batch, firing, summary=not stale)
        # what was accepted but could not be removed: the store may be well by then
        return backoff(1, self.jitter()) if self.accepted else None

    async def _queue(self) -> list[Queued]:
        if self.accepted:
            await self._forget(())
        queue = await STORE.run(self.outbox.queued, self.receiver.name, WINDOW)
        return [queued for queued in queue if queued.id not in self.accepted]

    async def _without_repeats(self, queue: Sequence[Queued]) -> Sequence[Queued]:
        ids = {queued.id for queued in superseded(queue)}
        if not ids:
            return queue
        log.info("repeats superseded", receiver=self.receiver.name, messages=len(ids))
        await self._forget(sorted(ids))
        return [queued for queued in queue if queued.id not in ids]

    async def _pass(
        self, batch: Sequence[Queued], queue: Sequence[Queued], firing: FiringSince
    ) -> bool:
        """Send the others, until one is refused; whether any was accepted."""
        ids = {queued.id for queued in batch}
        passed = False
        for queued in queue:
            if queued.id not in ids:
                if not await self._tell([queued], firing):
                    break
                passed = True
        if passed:
            self.wrong = ids
        return passed

    async def _tell(
        self, batch: Sequence[Queued], firing: FiringSince, *, summary: bool = False
    ) -> bool:
        """Send a message, or several as a summary; whether it was accepted."""
        name, ids = self.receiver.name, [queued.id for queued in batch]
        rendered = await RENDERING.run(self._words, batch, firing, summary=summary)
        if any(queued.in_flight for queued in batch):
            log.warning("sending again what may have arrived", receiver=name, messages=ids)
            self.observer.possible_duplicate(name)
        await STORE.run(self.outbox.begin, ids)
        started = monotonic()
        try:
            await self.receiver.send(rendered)
        except NotifyError as error:
            log.warning("receiver did not accept", receiver=name, messages=ids, why=str(error))
            self.observer.failed(name)
            now = self.now()
            if not (self.health.works and self.wrong.issuperset(ids)):
                self.health.failed(now, str(error))
            await STORE.run(self.outbox.failed, ids, now + self._wait(batch), str(error))
            return False
        self.observer.delivered(name)
        alerts = sum(queued.message.firing + queued.message.resolved for queued in batch)
        log.info("notified", receiver=name, alerts=alerts, seconds=round(monotonic() - started, 3))
        self.health.succeeded(self.now())
        await self._forget(ids)
        return True

    async def _forget(self, ids: Sequence[int]) -> None:
        """Remove what was accepted; remembered until the store has done so."""
        self.accepted.update(ids)
        try:
            await STORE.run(self.outbox.delivered, sorted(self.accepted))
        except StoreError as error:
            log.error("cannot remove sent messages", receiver=self.receiver.name, why=str(error))  # noqa: TRY400 - the text says it all
        else:
            self.accepted.clear()

    async def _give_up(
        self, batch: Sequence[Queued], firing: FiringSince, *, summary: bool
    ) -> None:
        """The receiver takes others, but not these: one try as a summary, and no more."""
        ids = [queued.id for queued in batch]
        log.error("receiver refuses a message for good", receiver=self.receiver.name, messages=ids)
        if not (summary and await self._tell(batch, firing, summary=True)):
            await self._forget(ids)

    def _words(self, batch: Sequence[Queued], firing: FiringSince, *, summary: bool) -> Rendered:
        how = (self.receiver.format, self.now(), firing, self.receiver.longest)
        messages = [queued.message for queued in batch]
        try:
            return render_summary(messages, *how) if summary else render(messages[0], *how)
        except Exception:
            ids, name = [queued.id for queued in batch], self.receiver.name
            log.exception("internal error, please report it", receiver=name, messages=ids)
            self.observer.internal_error("message")
            return render_plainly(messages, self.receiver.format, self.receiver.longest)

    def _fate(self, queued: Queued, firing: FiringSince) -> Fate:
        return fate(queued.message, firing, self.stale_after, self.now())

    def _left(self, queue: Sequence[Queued]) -> timedelta:
        now = self.now()
        waits = (wait_left(q.next_attempt_at, now) for q in queue if q.next_attempt_at)
        return max(waits, default=timedelta(0))

    def _wait(self, batch: Sequence[Queued]) -> timedelta:
        return backoff(_attempts(batch) + 1, self.jitter())


def _attempts(batch: Sequence[Queued]) -> int:
    return max(queued.attempts for queued in batch)
