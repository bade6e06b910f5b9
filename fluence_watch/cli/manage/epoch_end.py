"""Waits in the foreground for the ends of paid epochs."""

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType

from fluence_watch.app.clock import Clock, utc_now
from fluence_watch.cli.common.output import console
from fluence_watch.cli.manage.choose import Target
from fluence_watch.model.duration import rough

_STEP = timedelta(seconds=1)

Sleep = Callable[[float], None]


def grouped(
    targets: Iterable[Target], margin_of: Callable[[Target], timedelta]
) -> list[tuple[Target, ...]]:
    """The VMs in groups that are waited for together, ordered by their charge.

    A group has the VMs that are charged at most a margin (that of its first VM) after the first: the
    next deadline does not pass while one is deleted. Every VM must have a charge.
    """
    groups: list[list[Target]] = []
    for target in sorted(targets, key=boundary_of):
        first = groups[-1][0] if groups else None
        if first and boundary_of(target) - boundary_of(first) <= margin_of(first):
            groups[-1].append(target)
        else:
            groups.append([target])
    return list(map(tuple, groups))


def boundary_of(target: Target) -> datetime:
    """The next charge of the VM, which must be known."""
    boundary = target.vm.next_billing_at
    assert boundary is not None
    return boundary


def wait_until(
    moment: datetime,
    title: str,
    *,
    clock: Clock = utc_now,
    sleep: Sleep = time.sleep,
) -> None:
    """Return at that wall-clock time; a terminal shows a progress bar.

    The steps are short, so that a machine that was suspended wakes in time.

    Raises:
        KeyboardInterrupt: by Ctrl-C, or by SIGTERM.
    """
    from rich.progress import BarColumn, Progress, TextColumn

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
