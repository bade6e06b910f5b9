"""Waiting in the foreground for the end of an epoch that is paid already."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType

from rich.progress import BarColumn, Progress, TextColumn

from fluence_watch.app.clock import Clock, utc_now
from fluence_watch.cli.output import console
from fluence_watch.model.duration import rough

_STEP = timedelta(seconds=1)

Sleep = Callable[[float], None]


def wait_until(
    moment: datetime,
    title: str,
    *,
    clock: Clock = utc_now,
    sleep: Sleep = time.sleep,
) -> None:
    """Return at that time, by the clock on the wall; a progress bar shows the way on a terminal.

    The steps are short, so that a machine that slept meanwhile does not oversleep.

    Raises:
        KeyboardInterrupt: by Ctrl-C, or by SIGTERM.
    """
    started, out = clock(), console()
    total = (moment - started).total_seconds()
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), console=out, disable=not out.is_terminal
    )
    with _terminated_as_interrupted(), bar:
        task = bar.add_task(title, total=max(total, 0.0))
        while (left := moment - clock()) > timedelta(0):
            done = total - left.total_seconds()
            bar.update(task, completed=done, description=f"{title}, {rough(left)} left")
            sleep(min(left, _STEP).total_seconds())


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM end the wait like Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
