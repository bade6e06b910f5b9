"""A task that looks again and again at what a receiver is due: when it is woken, or time passes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from fluence_watch.errors import StoreError

_log = structlog.get_logger(__name__)

AFTER_TROUBLE = timedelta(seconds=10)
"""How long to wait when the store fails, and not the receiver."""


class Rounds:
    """Calls `one` again and again, in a task of its own.

    `one` returns how long to wait before the next round, `None` until woken. `timed_out` is called
    when nobody woke it meanwhile.
    """

    def __init__(
        self, one: Callable[[], Awaitable[timedelta | None]], timed_out: Callable[[], None]
    ) -> None:
        self._one = one
        self._timed_out = timed_out
        self._woken = asyncio.Event()
        self._resting = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Begin a round now."""
        self._resting.clear()
        self._woken.set()

    async def rest(self) -> None:
        """Return when a round has ended, and nobody asked for another one."""
        await self._resting.wait()

    async def stop(self) -> None:
        """Stop at once."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            again = await self._one()
            if not self._woken.is_set():
                self._resting.set()
            await self._sleep(again)

    async def _sleep(self, wait: timedelta | None) -> None:
        """Wait so long on the monotonic clock, or until woken."""
        try:
            async with asyncio.timeout(None if wait is None else wait.total_seconds()):
                await self._woken.wait()
        except TimeoutError:
            self._timed_out()


@asynccontextmanager
async def guarded(receiver: str) -> AsyncIterator[None]:
    """Log what goes wrong in a round, whatever it is: the next one must have its chance."""
    try:
        yield
    except StoreError as error:
        _log.error("nothing can be sent: the store fails", error=str(error))
    except Exception:  # noqa: BLE001 - see above
        _log.exception("delivery failed", receiver=receiver)
