"""Time that passes at once where nothing but a timer is waited for, and stands still with the machine."""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from time import monotonic
from typing import Any


class _Skipping(selectors.DefaultSelector):
    """Waits for I/O as ever. For timers it waits a moment, and skips the rest of the time.

    The moment is for what is on its way over the loopback device. While calls run in threads, it
    skips nothing. Neither a wait nor a turn of the loop lasts longer than it should: a machine that
    has no time for the test lets no time-out expire.
    """

    moment = 0.005  # seconds
    longest_turn = 0.001
    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self._passed = self._turned = monotonic()

    def time(self) -> float:
        """The time in seconds: what was waited for and skipped, and what turns of the loop took."""
        return self._passed + min(monotonic() - self._turned, self.longest_turn)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The files that are ready."""
        self._passed, begun = self.time(), monotonic()
        wait = None if timeout is None else min(timeout, self.moment)
        ready = super().select(wait)
        self._turned = monotonic()
        if wait is not None:
            skips = not (ready or self.calls)
            self._passed += timeout if skips else min(self._turned - begun, wait)
        return ready


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when there is nothing else to do."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """The loop's own time: not how late it is, but how far the test has come."""
        return self._skipping.time()

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
