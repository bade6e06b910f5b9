"""Notifies one receiver of what it is due, in a task of its own.

- After a failure it waits (`backoff`), and then looks again: what is sent is true at that time.
- A message may be at fault, and not the receiver: the service says so (a 4xx status), or
  `PROBE_AFTER` attempts failed. A trial (see `trial`) finds out.
- An alert at fault is held: it is tried alone from time to time, and holds up nothing else.
- It is given up if the service refused it for good, or `GIVE_UP_AFTER` times, each time with
  other messages accepted since the last.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from fluence_watch.alerting.attempts import MAX_BACKOFF, Attempts, marks
from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.alerting.muting import Muted
from fluence_watch.alerting.scribe import Scribe
from fluence_watch.alerting.telling import Line, Recipient
from fluence_watch.app.agenda import Agenda, Lines, longest_sleep
from fluence_watch.app.book import Book, Waiting
from fluence_watch.app.rounds import AFTER_TROUBLE, Rounds, guarded
from fluence_watch.app.trial import Culprit, Held, Refused, Trial
from fluence_watch.errors import NotifyError
from fluence_watch.notify.delivery import Channel, Delivery, Health
from fluence_watch.notify.shipped import Words

PROBE_AFTER = 5
GIVE_UP_AFTER = 3


class Courier:
    """The courier of one receiver.

    `waiting` is `None` before it is counted. `counted` is called each time that it is. `refresh`
    reads what keeps messages back, before each round.
    """

    heeds_mutes = True
    """Whether silences, maintenance and inhibition keep its messages back."""

    def __init__(
        self,
        delivery: Delivery,
        agenda: Agenda,
        book: Book,
        refresh: Callable[[], Awaitable[None]],
        counted: Callable[[], None],
    ) -> None:
        self.delivery = delivery
        self.agenda = agenda
        self.agenda.begun = lambda: self.delivery.attempts.begun
        self.agenda.scribe = delivery.scribe
        self.waiting: Waiting | None = None
        self._book = book
        self._refresh = refresh
        self._counted = counted
        self._held: dict[Episode, Held] = {}
        self._sending: frozenset[Episode] = frozenset()
        self._turn = 0
        self._accepted = 0
        self._hurried = False
        self._rounds = Rounds(self._guarded_round, agenda.look_again)

    def look(self, account: str, episodes: Iterable[Episode] | None = None) -> None:
        """Look at these episodes of the account now, or at all of them."""
        self.agenda.look(account, episodes)
        self.wake()

    def claims(self, alert: Alert, muted: Muted) -> bool:
        """Whether it is due anything of an ended alert, or has yet to hear of a firing one.

        `muted` is that of the account. Of what is being sent, it may be due the end.
        """
        is_sent = alert.episode in self._sending
        return is_sent or self.agenda.claims(alert, self.delivery.now(), muted)

    def adopt(self, channel: Channel, recipient: Recipient, words: Words) -> None:
        """The receiver of new settings, and the words for it."""
        self.delivery.channel, self.agenda.recipient = channel, recipient
        self.delivery.words = words

    def forget(self, account: str) -> None:
        """The account is no longer watched."""
        self.agenda.forget(account)

    def settled(self, episodes: Collection[Episode]) -> None:
        """Nothing is due of these any more."""
        self.scribe.settled(episodes)
        if self.attempts.begun:  # whether or not it arrived
            self.delivery.attempts = self.attempts.ended(marks(episodes))

    @property
    def scribe(self) -> Scribe:
        """What writes for it into the journal."""
        return self.delivery.scribe

    @property
    def attempts(self) -> Attempts:
        """The attempts to reach the receiver."""
        return self.delivery.attempts

    @property
    def health(self) -> Health:
        """How they went."""
        return self.delivery.health

    @property
    def stuck_since(self) -> datetime | None:
        """Since when the receiver fails, or an alert waits that it refused; `None` if neither."""
        tried = self._held or self.delivery.attempts.failures
        oldest = self.waiting.oldest_at if self.waiting and tried else None
        return min(filter(None, (self.delivery.health.failing_since, oldest)), default=None)

    @property
    def next_try_at(self) -> datetime | None:
        """When what was refused is tried again, `None` if nothing was; may run in any thread."""
        held = [each.until for each in list(self._held.values())]
        return min(filter(None, (self.attempts.next_at, *held)), default=None)

    def wake(self) -> None:
        """Begin a round now."""
        self._rounds.wake()

    async def hurry(self) -> None:
        """Try once more to deliver what waits, and return when nothing can be delivered now."""
        self._hurried = True
        self.wake()
        await self.rest()

    async def rest(self) -> None:
        """Return when nothing can be delivered now."""
        await self._rounds.rest()

    async def leave(self) -> None:
        """The receiver is removed."""
        await self.stop()

    async def stop(self) -> None:
        """Stop at once: a message that is being sent may have arrived."""
        await self._rounds.stop()

    async def _guarded_round(self) -> timedelta | None:
        async with guarded(self.delivery.channel.name):
            return await self._round()
        return AFTER_TROUBLE

    async def _round(self) -> timedelta | None:
        """Deliver what is due. Returns how long to wait before the next round."""
        await self._refresh()
        await self.delivery.save_unsaved()
        await self._count()
        left, self._hurried = self._left(), False
        if left <= timedelta(0):
            try:
                await self._deliver()
                await self._retry_held()
            except NotifyError:
                left = self.delivery.wait_left()
        await self._count()
        if not self.delivery.unsaved:
            await self.delivery.save_unsaved()  # what was judged
        if self.delivery.is_unsaved:
            left = max(left, AFTER_TROUBLE)
        if left > timedelta(0):
            return left
        return longest_sleep(self.agenda.next_look_at(), self.delivery.now())

    def _left(self) -> timedelta:
        return timedelta(0) if self._hurried else self.delivery.wait_left()

    async def _deliver(self) -> None:
        """Send what is due.

        Raises:
            NotifyError: the receiver does not accept anything now.
        """
        passed, refused = False, list[Refused]()
        for account in self.agenda.accounts(self.delivery.now()):
            while lines := await self._due(account):
                try:
                    await self._send(account, lines)
                except NotifyError as error:
                    if not self._suspect(error):
                        raise
                    refused.append(Refused(account, lines))
                    break
                passed = True
            if len(refused) > 1 and not passed:
                break
        if refused:
            await self._try(refused, passed=passed)

    async def _due(self, account: str) -> Lines:
        lines = await self.agenda.due(account, self.delivery.now())
        return tuple(line for line in lines if line.episode not in self._held)

    def _suspect(self, error: NotifyError) -> bool:
        """Whether the message may be at fault."""
        return error.permanent or self.delivery.attempts.failures >= PROBE_AFTER

    async def _try(self, refused: list[Refused], *, passed: bool) -> None:
        """Send what can be sent of refused messages, and hold what is at fault.

        Raises:
            NotifyError: the receiver does not accept anything now.
        """
        self._turn += 1
        trial = Trial(self._send_again, passed=passed, turn=self._turn)
        with self._claiming(line for each in refused for line in each.lines):
            try:
                await trial.run(refused)
                await self.delivery.excuse()
            except NotifyError:
                if len(trial.culprits) < sum(len(each.lines) for each in refused):
                    raise
                await self.delivery.do_not_wait()  # all that is due waits by itself
                for culprit in trial.culprits:
                    self._let_wait(culprit.line, refusals=0)
                return
            for culprit in trial.culprits:
                await self._hold(culprit, refusals=1)

    async def _retry_held(self) -> None:
        """Send each held alert whose time has come. That it is refused holds up nothing."""
        for episode, held in list(self._held.items()):
            account, now = episode.fingerprint.account, self.delivery.now()
            if held.until > now:
                continue
            del self._held[episode]
            for line in await self.agenda.due(account, now):
                if line.episode == episode:
                    await self._retry(Culprit(account, line, NotifyError("")), held)

    async def _retry(self, culprit: Culprit, held: Held) -> None:
        try:
            await self._send(culprit.account, (culprit.line,), plainly=True)
        except NotifyError as error:
            await self.delivery.do_not_wait()
            refused = culprit._replace(error=error)
            await self._hold(refused, refusals=held.refusals + (self._accepted > held.accepted))

    async def _hold(self, culprit: Culprit, *, refusals: int) -> None:
        """Let a refused alert wait alone, or give it up."""
        account, line, error = culprit
        if account not in self._book.pages:  # it was forgotten meanwhile
            return
        if (error.permanent and refusals) or refusals >= GIVE_UP_AFTER:
            told = self._book.told(account, self.delivery.channel.name)
            told.update(await self.delivery.give_up([line], told, str(error)))
        else:
            self._let_wait(line, refusals=refusals)

    def _let_wait(self, line: Line, *, refusals: int) -> None:
        until = self.delivery.now() + MAX_BACKOFF
        self._held[line.episode] = Held(refusals, self._accepted, until)
        self.agenda.look_at(line.episode.fingerprint.account, until)

    async def _send_again(self, account: str, lines: Lines) -> bool:
        """Send what is still true of refused lines, plainly. Returns whether anything is."""
        page = self._book.pages.get(account)
        lines = tuple(line for line in lines if page and page.has(line.alert))
        if lines:
            await self._send(account, lines, plainly=True)
        return bool(lines)

    @contextmanager
    def _claiming(self, lines: Iterable[Line]) -> Iterator[None]:
        """Meanwhile the receiver may hear of these: their ends are not settled."""
        before = self._sending
        self._sending = before.union(line.episode for line in lines)
        try:
            yield
        finally:
            self._sending = before

    async def _send(self, account: str, lines: Lines, *, plainly: bool = False) -> None:
        told = self._book.told(account, self.delivery.channel.name)
        with self._claiming(lines):
            known = await self.delivery.send(account, lines, told, plainly=plainly)
        self._accepted += 1
        page = self._book.pages.get(account)  # what was settled meanwhile is left out
        told.update({each: new for each, new in known.items() if page and each in page.alerts})

    async def _count(self) -> None:
        """Count what waits: nothing, unless the receiver fails or refuses an alert."""
        now = self.delivery.now()
        due = [await self.agenda.due(account, now) for account in self.agenda.accounts(now)]
        oldest = min((line.since for lines in due for line in lines), default=None)
        self.waiting = Waiting(sum(map(bool, due)), oldest)
        self._counted()
