"""The watches over all accounts, and when each of them polls."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from fluence_watch.alerting.state import Stored
from fluence_watch.app.board import Board
from fluence_watch.app.book import Page
from fluence_watch.app.clock import Clock
from fluence_watch.app.decide import paused_subjects
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.poll import Watch
from fluence_watch.app.polled import Polled
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.wiring import Setup, connect
from fluence_watch.errors import StoreError
from fluence_watch.fluence import ClientConfig
from fluence_watch.model.duration import rough
from fluence_watch.model.snapshot import OVERDUE
from fluence_watch.settings import PollSettings
from fluence_watch.store import Store
from fluence_watch.threads import STORE

if TYPE_CHECKING:
    from fluence_watch.app.recording import Recording

_log = structlog.get_logger(__name__)

OVERDUE_INTERVALS = 3
"""A poll is overdue if it has not ended so many intervals after its timeout."""

_POLL, _LOOK = "poll", "look"
_LONGEST_STEP = timedelta(seconds=1)
"""Many accounts are spread over the interval; a few do not have to wait that long."""


class Listener(Protocol):
    """Hears of each poll, in the event loop; see `heartbeat`."""

    def poll_begins(self) -> None:
        """A poll begins."""
        ...

    def poll_ended(self, polled: Polled) -> None:
        """A poll ended, or is given up as overdue."""
        ...


class Watches:
    """One watch per account, each with a job of the schedule.

    `listener` hears of each poll, and `recording` of each that ended.
    """

    def __init__(
        self,
        schedule: Schedule,
        store: Store,
        board: Board,
        clock: Clock,
        dispatch: Dispatch,
    ) -> None:
        self._schedule = schedule
        self._store = store
        self._board = board
        self._clock = clock
        self._dispatch = dispatch
        self._watches: dict[str, Watch] = {}
        self._configs: dict[str, ClientConfig] = {}
        self._poll_settings: PollSettings | None = None
        self._slots = asyncio.Semaphore()
        self._ended: dict[str, float] = {}
        self.listener: Listener | None = None
        self.recording: Recording | None = None

    async def take_over(self, setup: Setup) -> None:
        """Watch exactly the accounts of the setup.

        An account with a new name, but the same key at the same API, counts as renamed.
        It keeps its state, even if accounts swap names.

        Raises:
            StoreError: the state of an account cannot be read or renamed; nothing changed.
        """
        renamed = self._renamed(setup)
        dropped = (self._watches.keys() - setup.policies.keys()) | renamed.keys()
        dropped |= self._watches.keys() & set(renamed.values())
        added = setup.policies.keys() - self._watches.keys() - set(renamed.values())
        stored = {name: await self._load(name) for name in added}
        stored |= await self._hand_over(dropped, renamed)
        # Drop the state of names that now belong to another account.
        self._board.expect(setup.policies.keys() - dropped)
        self._board.expect(set(setup.policies), setup.settings.poll.interval)
        for name, policy in setup.policies.items():
            config = setup.clients[name]
            if name not in self._watches:
                self._add(name, setup, stored.get(name, Stored()))
            elif config != self._configs[name]:
                client = connect(name, config, self._clock, self._board.own)
                await self._watches[name].change(policy, client)
            else:
                await self._watches[name].change(policy)
            self._configs[name] = config
        self._plan(list(setup.policies), setup.settings.poll)

    def _renamed(self, setup: Setup) -> dict[str, str]:
        """The new names of renamed accounts, by their old names.

        A name whose key changes to one that no account had stays with its account.
        """
        old = {name: _identity(self._configs[name]) for name in self._watches}
        new = {name: _identity(config) for name, config in setup.clients.items()}
        moved = [name for name in old if new.get(name) != old[name]]
        names = {}
        for name, identity in new.items():
            if old.get(name) != identity:
                former = next((each for each in moved if old[each] == identity), None)
                if former is not None:
                    moved.remove(former)
                    names[former] = name
        return names

    async def stop(self, seconds: float) -> None:
        """Start no more polls, and give running ones so many seconds to commit."""
        self._schedule.pause()
        resting = [asyncio.create_task(watch.rest()) for watch in self._watches.values()]
        if resting:
            _, late = await asyncio.wait(resting, timeout=seconds)
            if late:
                _log.warning("polls were cut off", polls=len(late))
            for task in late:
                task.cancel()
        await self._schedule.close()
        for watch in self._watches.values():
            await watch.client.aclose()

    def _add(self, name: str, setup: Setup, stored: Stored) -> None:
        policy = setup.policies[name]
        self._dispatch.follow(name, Page.of(stored, paused_subjects(stored.state, policy)))
        client = connect(name, setup.clients[name], self._clock, self._board.own)
        self._watches[name] = Watch(
            policy,
            client,
            self._store,
            stored,
            clock=self._clock,
            publish=self._board.publish,
            crashed=self._board.crashed,
            committed=self._dispatch.committed,
        )

    async def _hand_over(
        self, dropped: Collection[str], renamed: Mapping[str, str]
    ) -> dict[str, Stored]:
        """Stop these watches, and rename the states of renamed accounts.

        Where that fails, the watches continue.
        """
        watches = {name: self._watches.pop(name) for name in dropped}
        for name, watch in watches.items():
            self._schedule.drop((_POLL, name))
            self._schedule.drop((_LOOK, name))
            await watch.rest()
        try:
            await STORE.run(self._store.rename, renamed)
        except StoreError:
            self._watches |= watches
            if self._poll_settings:
                self._plan(list(self._watches), self._poll_settings)
            raise
        for name, watch in watches.items():
            del self._configs[name]
            self._dispatch.forget(name)
            await watch.client.aclose()
        for name, new_name in renamed.items():
            _log.info("account renamed", account=name, to=new_name)
        return {new: await self._load_renamed(new) for new in renamed.values()}

    async def _load(self, name: str) -> Stored:
        return await STORE.run(self._store.load, name)

    async def _load_renamed(self, name: str) -> Stored:
        try:
            return await self._load(name)
        except StoreError as error:
            _log.error("state of a renamed account is not read", account=name, error=str(error))
            return Stored()

    def _plan(self, names: Sequence[str], poll: PollSettings) -> None:
        if poll == self._poll_settings:
            new = [name for name in names if (_POLL, name) not in self._schedule]
        else:
            self._poll_settings, new = poll, list(names)
            self._slots = asyncio.Semaphore(poll.concurrency)
        step = min(poll.interval / max(1, len(names)), _LONGEST_STEP)
        for name in new:
            self._schedule.every(
                poll.interval.total_seconds(),
                (_POLL, name),
                partial(self._poll, name),
                first=(names.index(name) * step).total_seconds(),
                jitter=min(poll.jitter, poll.interval / 2).total_seconds(),
            )
            self._ended[name] = self._schedule.time()
            longest = poll.timeout + OVERDUE_INTERVALS * poll.interval
            look = partial(self._look, name, longest)
            self._schedule.every(poll.interval.total_seconds(), (_LOOK, name), look)

    async def _poll(self, name: str) -> None:
        async with self._slots:
            # looked up only now, because its account may have been removed while it waited
            if watch := self._watches.get(name):
                if self.listener:
                    self.listener.poll_begins()
                polled = await watch.poll()
                self._ended[name] = self._schedule.time()
                self._tell(polled)

    async def _look(self, name: str, longest: timedelta) -> None:
        """Find a poll that does not end or never begins."""
        watch = self._watches.get(name)
        if watch and self._schedule.time() - self._ended[name] > longest.total_seconds():
            why = f"no poll has ended for {rough(longest)}"
            self._board.stalled(name, why)
            if polled := await watch.fail(OVERDUE, why):
                self._tell(polled)

    def _tell(self, polled: Polled) -> None:
        if self.listener:
            self.listener.poll_ended(polled)
        if self.recording:
            self.recording.poll_ended(polled)


def _identity(config: ClientConfig) -> tuple[object, object]:
    """The identity of an account under any name."""
    return config.api_key, config.base_url
