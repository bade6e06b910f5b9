"""Keeps one member of a cluster up to date, in a task of its own.

- What begins, changes or ends is posted at once.
- All is posted again every `REFRESH`, and after a failure: a member that was restarted knows nothing.
- After a failure it waits, at most `REFRESH`. What is posted then is true at that time.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

import structlog

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.posting import Posting
from fluence_watch.app.alertmanager.desk import Desk, Standing
from fluence_watch.app.rounds import AFTER_TROUBLE, Rounds, guarded
from fluence_watch.errors import NotifyError
from fluence_watch.notify.alertmanager.cluster import Member
from fluence_watch.notify.alertmanager.holdings import Holdings
from fluence_watch.threads import RENDERING

_log = structlog.get_logger(__name__)

REFRESH = timedelta(minutes=1)
"""How often all is posted."""
MOST = 64
"""The most alerts of a post."""
MOST_PARTS = 24
"""The most parts of refused posts to try in a round, so that one alert at fault holds up no other."""
_NOW = timedelta(0)


class MemberCourier:
    """The courier of one member."""

    def __init__(self, member: Member, desk: Desk) -> None:
        self.member = member
        self.standing = Standing()
        self._desk = desk
        self._holdings = Holdings()
        self._attempts = Attempts()
        self._refreshed_at: datetime | None = None
        self._hurried = False
        self._rounds = Rounds(self._guarded_round, lambda: None)

    @property
    def next_try_at(self) -> datetime | None:
        """When it is tried again after a failure, `None` if it did not fail."""
        return self._attempts.next_at

    def look(self, episodes: Iterable[Episode]) -> None:
        """Post these episodes now."""
        self.standing.due.update(episodes)
        self._rounds.wake()

    def forget(self, account: str) -> None:
        """The account is no longer watched: its alerts end."""
        now = self._desk.delivery.now()
        for episode in self._holdings.episodes:
            if episode.fingerprint.account == account:
                self._holdings.leave(episode, now)
        self._rounds.wake()

    def refresh(self) -> None:
        """Post all now."""
        self._refreshed_at = None
        self._rounds.wake()

    def hurry(self) -> None:
        """Try once more now, after a failure too."""
        self._hurried = True
        self._rounds.wake()

    async def rest(self) -> None:
        """Return when nothing can be posted now."""
        await self._rounds.rest()

    async def stop(self) -> None:
        """Stop at once."""
        await self._rounds.stop()
        await self.member.aclose()

    async def _guarded_round(self) -> timedelta:
        async with guarded(self._desk.name):
            return await self._round()
        return AFTER_TROUBLE

    async def _round(self) -> timedelta:
        """Post what is due. Returns how long to wait before the next round."""
        now = self._desk.delivery.now()
        left = _NOW if self._hurried else self._attempts.wait_left(now)
        if left <= _NOW:
            self._hurried = False
            left = await self._attempt(now)
        self._desk.count(now)
        if self._desk.delivery.scribe:
            await self._desk.delivery.save_unsaved()
        return left

    async def _attempt(self, now: datetime) -> timedelta:
        if self._refresh_left(now) <= _NOW:
            self._begin_refresh(now)
        try:
            await self._post_all(now)
        except NotifyError as error:
            await self._failed(error, now)
            return self._attempts.wait_left(now)
        await self._desk.settle(now)
        return max(self._refresh_left(now), _NOW)

    def _refresh_left(self, now: datetime) -> timedelta:
        """The time left until all is posted again. One far ahead means that the clock was set back."""
        left = self._refreshed_at + REFRESH - now if self._refreshed_at else _NOW
        return left if left <= REFRESH else _NOW

    def _begin_refresh(self, now: datetime) -> None:
        there = self._desk.episodes()
        for episode in self._holdings.episodes:
            if episode not in there:
                self._holdings.leave(episode, now)
        ended = self.standing.ended
        self.standing.ended = {each: at for each, at in ended.items() if each in there}
        self.standing.due |= there
        self._desk.payloads.keep_only(there)
        self._refreshed_at = now

    async def _post_all(self, now: datetime) -> None:
        """Post what is due, the news first.

        Raises:
            NotifyError: the member does not accept something.
        """
        batches = deque(_batches(self._wanted(now)))
        refused: NotifyError | None = None
        left = MOST_PARTS
        while batches:
            batch = batches.popleft()
            try:
                await self._post(batch, now)
            except NotifyError as error:
                if not error.permanent:
                    raise
                refused = error  # the fault may be in this batch alone
                parts = _halves(batch) if left else ()
                left -= len(parts)
                batches.extend(parts)
        if refused:
            raise refused

    def _wanted(self, now: datetime) -> list[Posting]:
        """The postings of what is due. What is not to be posted any more ends."""
        found = []
        for episode in list(self.standing.due):
            wanted = self._desk.posting(episode, now)
            if wanted is None:
                self._holdings.leave(episode, now)
            if wanted is None or self.standing.is_settled(wanted):
                self.standing.due.discard(episode)
            else:
                found.append(wanted)
        return sorted(found, key=self._order)

    def _order(self, each: Posting) -> tuple[bool, datetime, Episode]:
        """The news first, the oldest first; by the episode last, as a set has no order."""
        return not self._desk.is_news(each), each.starts_at, each.episode

    async def _post(self, batch: Sequence[Posting], now: datetime) -> None:
        payloads = await RENDERING.run(self._desk.payloads.of, batch, now)
        pairs = list(zip(batch, payloads, strict=True))
        endings = self._holdings.endings(pairs, now)
        if not pairs and not endings:
            return
        await self.member.post([*endings, *payloads])
        self._holdings.accepted(pairs, endings)
        self._works()
        await self._desk.accepted(batch, now, self.member.shown)
        self.standing.ended |= {each.episode: now for each in batch if each.over}
        same = {each.episode for each in batch if self._desk.alert(each.episode) is each.alert}
        self.standing.due -= same

    def _works(self) -> None:
        if self.standing.works is False:
            _log.info("Alertmanager accepts again", **self._named())
        self.standing.works = True
        self._attempts = self._attempts.succeeded()

    async def _failed(self, error: NotifyError, now: datetime) -> None:
        if str(error) != self._attempts.error:
            _log.warning("receiver did not accept", error=str(error), **self._named())
        self.standing.works, self._refreshed_at = False, None
        failed = self._attempts.failed(str(error), now, self._desk.delivery.jitter())
        soon = min(failed.next_at or now, now + REFRESH)
        self._attempts = replace(failed, next_at=soon)
        await self._desk.failed(error)

    def _named(self) -> dict[str, str]:
        return {"receiver": self._desk.name, "alertmanager": self.member.shown}


def _halves(batch: Sequence[Posting]) -> tuple[Sequence[Posting], ...]:
    """Both halves; none of what cannot be divided."""
    middle = len(batch) // 2
    return (batch[:middle], batch[middle:]) if middle else ()


def _batches(postings: Iterable[Posting]) -> Iterator[Sequence[Posting]]:
    """The postings in parts; one that is empty if there are none."""
    rest = iter(postings)
    yield tuple(islice(rest, MOST))
    while batch := tuple(islice(rest, MOST)):
        yield batch
