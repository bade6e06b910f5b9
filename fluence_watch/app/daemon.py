"""The long-running process: a schedule, a server and the couriers, in one event loop."""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from fluence_watch.alerting.matching import GIVE_UP_AFTER
from fluence_watch.app.board import Board
from fluence_watch.app.clock import Clock
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.faults import described
from fluence_watch.app.logs import configure_logs
from fluence_watch.app.runtime import favour_scrapes, settle
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.selfwatch import SelfWatch
from fluence_watch.app.server import WebServer, address
from fluence_watch.app.site import site
from fluence_watch.app.watches import Watches
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import ConfigError, FluenceWatchError, ReloadError, StoreError
from fluence_watch.model.finding import WATCHER
from fluence_watch.settings import RecordSettings, WatchSettings
from fluence_watch.store import Store
from fluence_watch.threads import SETTINGS, STORE
from fluence_watch.web.reports import ReceiverReport

if TYPE_CHECKING:
    from fluence_watch.app.alert_pages import AlertPages
    from fluence_watch.app.digests import Digests
    from fluence_watch.app.heartbeat import Heartbeat

_log = structlog.get_logger(__name__)

LAST_POLL_SECONDS = 4.0
LAST_DELIVERY_SECONDS = 3.0
LAST_RECORD_SECONDS = 1.0
_DAY = timedelta(days=1)


def need_restart(running: WatchSettings, fresh: WatchSettings) -> list[str]:
    """The settings that differ from those at the start and that a reload does not apply."""
    pairs = {
        "server.listen": (running.server.listen, fresh.server.listen),
        "store.url": (running.store.url, fresh.store.url),
    }
    return [key for key, (before, after) in pairs.items() if before != after]


class Daemon:
    """Watches what a setup names until it is stopped.

    `load` reads the settings of a reload and makes their setup. The caller closes the store.
    """

    def __init__(self, first: Setup, store: Store, clock: Clock, load: Callable[[], Setup]) -> None:
        self.board = Board(clock)
        self._plan = first
        self._first = first.settings
        self._store = store
        self._clock = clock
        self._load = load
        # from the first answer on: who has polled nothing is not ready
        self.board.expect(set(first.policies), first.settings.poll.interval)
        self._schedule = Schedule()
        self._dispatch = Dispatch(store, self.board, clock)
        self._watches = Watches(self._schedule, store, self.board, clock, self._dispatch)
        self._selfwatch = SelfWatch(self._schedule, store, self.board, clock, self._dispatch)
        self._digests: Digests | None = None
        self._heartbeat: Heartbeat | None = None
        self._recorded: RecordSettings | None = None
        self._stopping = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
        self._pruning = asyncio.Lock()

    def stop(self) -> None:
        """Drain and end."""
        self._stopping.set()

    async def run(self, listener: socket.socket) -> None:
        """Serve, poll and deliver until stopped."""
        favour_scrapes()
        server = WebServer(site(self.board, self._receivers, self.reload, self._alert_pages))
        self._obey_signals()
        await server.start(listener)
        await self._take_over(self._plan)
        self._schedule.every(_DAY.total_seconds(), "prune", self._prune)
        _log.info("watching", accounts=len(self._plan.policies), serving=address(listener))
        settle()
        await self._stopping.wait()
        _log.info("stopping")
        until = self._schedule.time() + LAST_POLL_SECONDS
        await self._stop_heartbeat()  # first: the last polls are no cycle
        await self._rest_pruning(LAST_POLL_SECONDS)
        await self._watches.stop(max(0.0, until - self._schedule.time()))
        await self._take_over_recording(None)
        await self._dispatch.stop(LAST_DELIVERY_SECONDS)
        await server.stop()
        _log.info("stopped")

    def _receivers(self) -> list[ReceiverReport]:
        return [self._dispatch.report(name) for name in self._plan.receivers]

    def _alert_pages(self) -> "AlertPages":
        from fluence_watch.app.alert_pages import AlertPages  # noqa: PLC0415 - at the first page

        return AlertPages(self._store, self.board, self._clock, self._plan)

    async def reload(self) -> Sequence[str]:
        """Read the settings again and switch to them, all or nothing.

        Returns the settings that changed and need a restart, as keys.

        Raises:
            ConfigError: they cannot be used; the old ones stay.
            StoreError: the state of a new account cannot be read; the old ones stay.
            ReloadError: an error of our own came up.
        """
        async with self._reloading:
            try:
                fresh = await SETTINGS.run(self._load)
                await self._take_over(fresh)
            except (ConfigError, StoreError) as error:
                self.board.own.reload_failed()
                problems = str(error).splitlines()
                _log.error("reload failed, the old settings stay", problems=problems)
                raise
            except Exception as error:
                self.board.own.reload_failed()
                what = f"internal error, please report it: {described(error)}"
                _log.error("reload failed", problems=[what], exc_info=error)
                raise ReloadError(what) from error
            pending = need_restart(self._first, fresh.settings)
            _log.info("reloaded", accounts=len(fresh.policies), receivers=len(fresh.receivers))
            for key in pending:
                _log.warning("changed, restart to apply it", setting=key)
            return pending

    async def _take_over(self, fresh: Setup) -> None:
        await self._watches.take_over(fresh)
        await self._take_over_heartbeat(fresh)  # before the first poll begins
        await self._take_over_recording(fresh.settings.record)
        await STORE.run(self._note_absent, fresh)
        await self._dispatch.take_over(fresh)
        await self._selfwatch.take_over(fresh)  # looks at the receivers at once
        await self._take_over_digests(fresh)
        configure_logs(fresh.settings.log)
        self._plan = fresh
        self.board.own.reloaded(self._clock())
        for note in fresh.settings.notes:
            _log.warning("doubtful setting", note=str(note))

    async def _take_over_digests(self, fresh: Setup) -> None:
        if not fresh.digests and self._digests is None:
            await STORE.run(self._forget_digests)
            return
        from fluence_watch.app.digests import LOOK_SECONDS, Digests  # noqa: PLC0415 - only with digests

        if self._digests is None:
            self._digests = Digests(self._store, self.board.own, self._clock)
            # the first look comes after the first polls, so that a late digest knows what is now
            self._schedule.every(LOOK_SECONDS, "digests", self._digests.look, first=LOOK_SECONDS)
        self._digests.take_over(fresh.digests, fresh.words)

    async def _take_over_heartbeat(self, fresh: Setup) -> None:
        if fresh.heartbeat is None:
            await self._stop_heartbeat()
            return
        from fluence_watch.app.heartbeat import Heartbeat  # noqa: PLC0415 - only with a heartbeat

        if self._heartbeat is None:
            self._heartbeat = self._watches.listener = Heartbeat(
                fresh.heartbeat,
                self.board.own,
                now=self._clock,
                monotonic=self._schedule.time,
                troubles=self._troubles,
            )
        self._heartbeat.take_over(fresh.heartbeat, fresh.policies.keys())

    async def _take_over_recording(self, wanted: RecordSettings | None) -> None:
        """Record by these settings from now on. What was recorded before them ends well."""
        if wanted == self._recorded:
            return
        self._recorded, former = wanted, self._watches.recording
        self._watches.recording = None
        if former is not None:
            await former.rest(LAST_RECORD_SECONDS)
        if wanted is not None and wanted.dir is not None:
            from fluence_watch.app.recording import Recording, make_writer  # noqa: PLC0415 - only with a record

            writer = make_writer(wanted.dir, wanted)
            self._watches.recording = Recording(writer, self.board.own.record_failed)

    async def _stop_heartbeat(self) -> None:
        former, self._heartbeat, self._watches.listener = self._heartbeat, None, None
        if former is not None:
            await former.stop()

    def _troubles(self, max_outbox_age: timedelta) -> list[str]:
        """What is wrong beside the polls of a cycle."""
        own = [self._selfwatch.trouble] if self._selfwatch.trouble else []
        return [*self.board.problems(), *own, *self._dispatch.stuck(max_outbox_age)]

    def _forget_digests(self) -> None:
        """Let a digest that is named again later begin anew."""
        try:
            self._store.forget_digests()
        except StoreError as error:
            _log.error("cannot forget removed digests", error=str(error))

    def _note_absent(self, fresh: Setup) -> None:
        """Keep the state of accounts that are missing from the settings, perhaps by mistake."""
        keep = fresh.settings.store.forget_accounts_after
        try:
            absent = self._store.watch_only({WATCHER, *fresh.policies}, self._clock())
        except StoreError as error:
            _log.error("cannot note which accounts are absent", error=str(error))
            return
        for account, since in absent.items():
            _log.warning(
                "account is missing from the settings, its state is kept",
                account=account,
                since=since.isoformat(),
                until=(since + keep).isoformat(),
            )
        self.board.absent({account: since + keep for account, since in absent.items()})

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _reload_soon(self) -> None:
        task = asyncio.create_task(self._reload_logged())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload_logged(self) -> None:
        with suppress(FluenceWatchError):  # it was logged
            await self.reload()

    async def _prune(self) -> None:
        async with self._pruning:
            await STORE.run(self._prune_store)

    async def _rest_pruning(self, seconds: float) -> None:
        """Give it so many seconds to end, and to say what it removed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._pruning:
                return

    def _prune_store(self) -> None:
        now, settings = self._clock(), self._plan.settings.store
        try:
            self._store.prune(now - settings.retention)
            # what is over may be due until then, and a link must not make its silence anew
            self._store.silences.prune(now - max(settings.retention, GIVE_UP_AFTER))
            self._store.prune_ledger(now - settings.ledger_retention)
            gone = self._store.forget_absent(now - settings.forget_accounts_after)
        except StoreError as error:
            _log.error("old alerts and accounts cannot be removed", error=str(error))
            return
        for account in gone:
            _log.warning("account was missing for long, its state is forgotten", account=account)
        self.board.forgotten(gone)
