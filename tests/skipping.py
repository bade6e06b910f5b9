"""Time that passes at once where nothing but a timer is waited for."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any


class _Skipping(selectors.DefaultSelector):
    """Waits for I/O as ever. For timers it waits a moment, and skips the rest of the time.

    The moment is for what is on its way over the loopback device. While calls run in threads, it
    skips nothing.
    """

    moment = 0.005  # seconds
    skipped = 0.0
    calls = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The files that are ready."""
        if timeout is None or timeout <= self.moment or self.calls:
            return super().select(timeout)
        ready = super().select(self.moment)
        if not ready:
            self.skipped += timeout - self.moment
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """The loop's own time, which is ahead of the real one by what was skipped."""
        return super().time() + self._skipping.skipped

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., Any], *args: object
    ) -> "asyncio.Future[Any]":
        """Run a call in a thread, and let time pass as it does until it is done."""
        self._skipping.calls += 1
        call = super().run_in_executor(executor, func, *args)
        call.add_done_callback(self._done)
        return call

    def _done(self, _: object) -> None:
        self._skipping.calls -= 1
