"""Has written what polls saw, beside the polls: nothing waits for it, and no failure of it disturbs them."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from fluence_watch.app.faults import described
from fluence_watch.app.polled import Polled
from fluence_watch.model.text import inert
from fluence_watch.record.files import Bounds
from fluence_watch.record.wire import Seen
from fluence_watch.record.writing import Writer
from fluence_watch.settings import RecordSettings
from fluence_watch.threads import RECORD

_log = structlog.get_logger(__name__)

_MOST_WAITING = 1000
"""So many polls may wait for a slow disk. Any more are left out, as if they had not been."""

_MIB = 2**20


def make_writer(folder: Path, settings: RecordSettings) -> Writer:
    """What writes into the folder, within the bounds of the settings."""
    return Writer(folder, Bounds(settings.max_age, settings.max_size_mb * _MIB))


class Recording:
    """Writes the polls that were committed. It is used in the event loop alone.

    `failed` counts a poll that was not written. It is logged once, until one is written again.
    """

    def __init__(self, writer: Writer, failed: Callable[[], None]) -> None:
        self._writer = writer
        self._failed = failed
        self._waiting: set[asyncio.Task[None]] = set()
        self._is_failing = False

    def poll_ended(self, polled: Polled) -> None:
        """Have it written. What was not committed is decided again, so the next poll shows it."""
        if polled.store_error:
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._fail("the disk is too slow")
            return
        seen = Seen(polled.outcome, tuple(polled.notes))
        task = asyncio.create_task(self._write(seen))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def rest(self, seconds: float) -> None:
        """Give what waits so many seconds to be written."""
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=seconds)

    async def _write(self, seen: Seen) -> None:
        try:
            await RECORD.run(self._writer.write, seen)
        except Exception as error:  # noqa: BLE001 - whatever it is, polls go on
            self._fail(str(error) if isinstance(error, OSError) else described(error))
            return
        if self._is_failing:
            _log.info("polls are recorded again")
        self._is_failing = False

    def _fail(self, why: str) -> None:
        self._failed()
        if not self._is_failing:
            _log.error("polls cannot be recorded, they go on without", error=inert(why))
        self._is_failing = True
