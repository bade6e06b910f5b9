"""Delivery: one attempt to notify one receiver, and what is remembered of it.

- An attempt is committed before it is made, and its outcome after. A crash between the two leaves
  a message that may have arrived: it is sent again, and counted as a possible duplicate.
- What was accepted is not sent again by this process, even if the store cannot be written then.
- A message that cannot be rendered is sent in its plainest form.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

import structlog

from fluence_watch.alerting.attempts import Attempts, marks
from fluence_watch.alerting.grouping import Rank, compose
from fluence_watch.alerting.journal import Entry
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.scribe import Scribe
from fluence_watch.alerting.telling import Line, Notified, Told
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered, render_plainly
from fluence_watch.notify.shipped import SHIPPED, Words
from fluence_watch.threads import RENDERING, STORE

log = structlog.get_logger(__name__)


class Attempted(Protocol):
    """The store, as delivery uses it."""

    def save_attempts(
        self,
        receiver: str,
        attempts: Attempts,
        told: Mapping[Episode, Notified],
        entries: Sequence[Entry] = (),
    ) -> None:
        """Write all of it, or raise `StoreError`."""
        ...


class Channel(Protocol):
    """A receiver's service; see `receiver.Receiver`."""

    @property
    def name(self) -> str:
        """The receiver's name."""
        ...

    @property
    def format(self) -> BodyFormat:
        """The format of bodies."""
        ...

    @property
    def longest(self) -> int:
        """The most characters of a message."""
        ...

    async def send(self, rendered: Rendered) -> None:
        """Send, or raise `NotifyError`."""
        ...


class Observer(Protocol):
    """Counts; see the metrics."""

    def delivered(self, receiver: str) -> None:
        """A message was accepted."""
        ...

    def failed(self, receiver: str) -> None:
        """A message was not accepted."""
        ...

    def possible_duplicate(self, receiver: str) -> None:
        """A message whose outcome is unknown is sent again."""
        ...

    def given_up(self, receiver: str, alerts: int) -> None:
        """A receiver refuses alerts for good, or a digest."""
        ...

    def internal_error(self, where: str) -> None:
        """An internal error; `where` is `message`."""
        ...


@dataclass(slots=True)
class Health:
    """How the attempts to reach a receiver went, since the process started.

    `works` is whether the last one succeeded; `failing_since` is the first failure since one did,
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
    """Delivers to one receiver.

    `now` is UTC, `jitter` gives a number in 0..1 that spreads retries. `unsaved` is what was
    accepted but could not be written yet. `ranks` orders alerts by rule. `words` renders.
    `scribe` has what is yet to be written into the journal.
    """

    channel: Channel
    store: Attempted
    observer: Observer
    now: Callable[[], datetime]
    jitter: Callable[[], float]
    ranks: Mapping[str, Rank]
    attempts: Attempts = field(default_factory=Attempts)
    health: Health = field(default_factory=Health)
    words: Words = SHIPPED
    unsaved: dict[Episode, Notified] = field(default_factory=dict)
    scribe: Scribe = field(init=False)

    def __post_init__(self) -> None:
        """Begin to write."""
        self.scribe = Scribe(self.channel.name)

    async def send(
        self, account: str, lines: Sequence[Line], told: Told, *, plainly: bool = False
    ) -> dict[Episode, Notified]:
        """Send the lines as one message. Returns what the receiver knows now.

        May be cancelled: then the message may have arrived.

        Raises:
            NotifyError: the receiver did not accept it.
            StoreError: the attempt could not be committed, so it was not made.
        """
        name = self.channel.name
        rendered, marked = await RENDERING.run(self._prepared, account, lines, plainly=plainly)
        if self.attempts.repeats(marked):
            log.warning("sending again what may have arrived", receiver=name, account=account)
            self.observer.possible_duplicate(name)
        before = self.attempts.begun  # may have arrived, whatever comes of this attempt
        await self._begin(marked)
        started = monotonic()
        try:
            await self.channel.send(rendered)
        except NotifyError as error:
            await self._refused(error, lines, marked - before)
            raise
        now = self.now()
        log.info("notified", receiver=name, account=account, **_tally(lines, monotonic() - started))
        self.observer.delivered(name)
        self.health.succeeded(now)
        self.scribe.works(now, self.attempts.failures + 1)
        self.scribe.sent(lines, now, self.attempts.failures + 1)
        attempts = self.attempts.succeeded().ended(marked)
        return await self._keep(attempts, lines, told, Line.notified)

    async def accepted(self, known: Mapping[Episode, Notified]) -> None:
        """A part of the receiver, a member of its cluster, accepted a post. `known` is what is new."""
        self.health.succeeded(self.now())
        self.scribe.works(self.now(), self.attempts.failures + 1)
        self.unsaved |= known
        failed, self.attempts = self.attempts.failures, self.attempts.succeeded()
        await (self._save(self.attempts) if failed else self.save_unsaved())

    async def failed(self, error: NotifyError) -> None:
        """No part of the receiver accepts anything."""
        now = self.now()
        self.health.failed(now, str(error))
        self.scribe.failing(now, str(error))
        self.attempts = self.attempts.failed(str(error), now, self.jitter())
        await self._save(self.attempts)

    async def give_up(
        self, lines: Sequence[Line], told: Told, error: str
    ) -> dict[Episode, Notified]:
        """The receiver accepts other messages, but refuses these lines for good."""
        name = self.channel.name
        what = [line.episode.fingerprint.words for line in lines]
        log.error("receiver refuses alerts for good", receiver=name, alerts=what, error=error)
        self.observer.given_up(name, len(lines))
        self.scribe.given_up(lines, self.now(), error)
        return await self._keep(self.attempts, lines, told, Line.given_up)

    async def excuse(self) -> None:
        """The receiver works: not it, but a message was at fault."""
        self.health.succeeded(self.now())
        self.scribe.works(self.now(), self.attempts.failures + 1)
        self.attempts = self.attempts.succeeded()
        await self._save(self.attempts)

    async def do_not_wait(self) -> None:
        """A failure of one alert alone delays no other message."""
        self.attempts = replace(self.attempts, next_at=None)
        await self._save(self.attempts)

    async def save_unsaved(self) -> None:
        """Write what is not written yet; without effect while the store fails."""
        if self.is_unsaved:
            try:
                await self._save(self.attempts)
            except StoreError as error:
                log.error("cannot store what was sent", receiver=self.channel.name, why=str(error))  # noqa: TRY400 - the text says it all

    @property
    def is_unsaved(self) -> bool:
        """Whether anything is not written yet."""
        return bool(self.unsaved or self.scribe)

    def wait_left(self) -> timedelta:
        """The time left until the next attempt; zero or less means now."""
        return self.attempts.wait_left(self.now())

    async def _keep(
        self,
        attempts: Attempts,
        lines: Sequence[Line],
        told: Told,
        outcome: Callable[[Line, Notified | None, datetime], Notified],
    ) -> dict[Episode, Notified]:
        now = self.now()
        known = {line.episode: outcome(line, told.get(line.episode), now) for line in lines}
        self.unsaved |= known
        self.attempts = attempts
        await self.save_unsaved()
        return known

    async def _refused(
        self, error: NotifyError, lines: Sequence[Line], marked: frozenset[str]
    ) -> None:
        name, now = self.channel.name, self.now()
        log.warning("receiver did not accept", receiver=name, error=str(error))
        self.observer.failed(name)
        self.health.failed(now, str(error))
        self.scribe.failing(now, str(error))
        self.scribe.refused(lines, now, str(error))
        failed = self.attempts.failed(str(error), now, self.jitter())
        self.attempts = failed if error.may_have_arrived else failed.ended(marked)
        await self._save(self.attempts)

    async def _begin(self, marked: frozenset[str]) -> None:
        """Commit the attempt, and what was accepted before. What is due may yet be sent."""
        await self._write(self.attempts.begin(marked), ())

    async def _save(self, attempts: Attempts) -> None:
        entries = self.scribe.take()
        try:
            await self._write(attempts, entries)
        except BaseException:
            self.scribe.put_back(entries)
            raise

    async def _write(self, attempts: Attempts, entries: Sequence[Entry]) -> None:
        told = dict(self.unsaved)
        await STORE.run(self.store.save_attempts, self.channel.name, attempts, told, entries)
        self.attempts = attempts
        for episode in told:
            self.unsaved.pop(episode, None)

    def _prepared(
        self, account: str, lines: Sequence[Line], *, plainly: bool
    ) -> tuple[Rendered, frozenset[str]]:
        """The message, and the marks of its episodes."""
        rendered = self._rendered(account, lines, plainly=plainly)
        return rendered, marks(line.episode for line in lines)

    def _rendered(self, account: str, lines: Sequence[Line], *, plainly: bool) -> Rendered:
        message = compose(self.channel.name, account, lines, self.ranks)
        fmt, longest = self.channel.format, self.channel.longest
        if not plainly:
            try:
                return self.words.render(message, fmt, self.now(), longest)
            except Exception:
                log.exception("internal error, please report it", receiver=self.channel.name)
                self.observer.internal_error("message")
        return render_plainly(message, fmt, longest)


def _tally(lines: Sequence[Line], seconds: float) -> dict[str, object]:
    """The number of lines, in all and by reason, and how long the service took."""
    reasons = Counter(line.reason.value for line in lines)
    return {"alerts": len(lines), **reasons, "seconds": round(seconds, 3)}
