"""Unit tests start no processes and print no coloured tracebacks: both take half a second."""

import asyncio
import os
import selectors
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import pytest
import structlog
from hypothesis import settings

settings.register_profile("quick", max_examples=25)
settings.register_profile("thorough", max_examples=200)
settings.load_profile(os.environ.get("TESTS_HYPOTHESIS", "quick"))


@pytest.fixture(autouse=True)
def _no_process(apprise_within_this_process: None) -> None:
    """Nothing is started to ask about URLs."""


@pytest.fixture(autouse=True)
def _plain_tracebacks() -> None:
    """Print exceptions as the daemon does, not with colours and local variables."""
    *processors, _ = structlog.get_config()["processors"]
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*processors, renderer])


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


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Time-outs, back-off and intervals take no time where all that answers is in the loop."""
    inside = item.path.parent.name in {"app", "fluence", "simulator"}
    return {"loop": SkippingLoop if inside else asyncio.SelectorEventLoop}
