"""Confirmed writes, one after the other: read again, write, read back, report."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import NoReturn

import typer

from fluence_watch import eventloop
from fluence_watch.app.clock import utc_now
from fluence_watch.app.wiring import Setup, connect
from fluence_watch.cli.common.output import Column, OutputFormat, console, print_rows
from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.confirm import FAILED, REFUSED, stop
from fluence_watch.errors import ApiError
from fluence_watch.fluence import FluenceClient
from fluence_watch.model.vm import Vm

LOOKS, SECONDS_BETWEEN = 3, 0.5
_COLUMNS = (Column("account", "ACCOUNT"), Column("vm", "VM"), Column("result", "RESULT"))


class End(Enum):
    """How a write ended."""

    DONE = 0
    REFUSED = REFUSED
    FAILED = FAILED


@dataclass(frozen=True, slots=True)
class Job:
    """One write. `done` says in the past tense what it does.

    `stale` says why the VM, read again, is no longer what was confirmed; `differs` how the VM that
    was read back differs from what was requested.
    """

    target: Target
    done: str
    write: Callable[[FluenceClient], Awaitable[None]]
    stale: Callable[[Vm], str | None]
    differs: Callable[[Vm], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How the write of a job ended, in words too."""

    job: Job
    end: End
    text: str


class Work:
    """The jobs of one command and their outcomes, also when it was interrupted."""

    def __init__(
        self, setup: Setup, jobs: Sequence[Job], pause: Callable[[float], Awaitable[None]]
    ) -> None:
        self._todo = setup
        self._jobs = sorted(jobs, key=lambda job: job.target.account)
        self._pause = pause
        self.results: list[Result] = []
        self.running: Job | None = None

    async def run(self, advance: Callable[[], None]) -> None:
        """Do all of them; a failure does not stop the next."""
        for account, jobs in groupby(self._jobs, lambda job: job.target.account):
            async with connect(account, self._todo.clients[account], utc_now) as client:
                await self._run_account(client, list(jobs), advance)

    async def _run_account(
        self, client: FluenceClient, jobs: list[Job], advance: Callable[[], None]
    ) -> None:
        try:
            seen = await _list(client)
        except ApiError as error:
            self.results += [Result(job, End.FAILED, str(error)) for job in jobs]
            return
        before = len(self.results)
        for job in jobs:
            self.running = job
            self.results.append(await _attempt(job, client, seen.get(job.target.vm.key)))
            self.running = None
            advance()
        self.results[before:] = await self._checked(client, self.results[before:])

    async def _checked(self, client: FluenceClient, results: list[Result]) -> list[Result]:
        """The outcomes of the writes when read back; the API may take a moment to show them."""
        checked = results
        for look in range(LOOKS):
            if look:
                await self._pause(SECONDS_BETWEEN)
            if not any(_to_check(result) for result in results):
                break
            checked = await _read_back(client, results)
            if all(
                result.text == first.text for result, first in zip(checked, results, strict=True)
            ):
                break
        return checked


async def _attempt(job: Job, client: FluenceClient, vm: Vm | None) -> Result:
    stale = "it is not in the list any more" if vm is None else job.stale(vm)
    if stale:
        return Result(job, End.REFUSED, f"nothing was changed: {stale}")
    try:
        await job.write(client)
    except ApiError as error:
        return Result(job, End.FAILED, str(error))
    return Result(job, End.DONE, job.done)


async def _read_back(client: FluenceClient, results: list[Result]) -> list[Result]:
    try:
        seen = await _list(client)
    except ApiError as error:
        text = f"sent, but not read back: {error}"
        return [
            Result(result.job, End.FAILED, text) if _to_check(result) else result
            for result in results
        ]
    return [_compared(result, seen.get(result.job.target.vm.key)) for result in results]


def _to_check(result: Result) -> bool:
    return result.end is End.DONE and result.job.differs is not None


def _compared(result: Result, vm: Vm | None) -> Result:
    job = result.job
    if result.end is not End.DONE or job.differs is None:
        return result
    differs = "the VM is not in the list" if vm is None else job.differs(vm)
    return Result(job, End.FAILED, f"accepted, but read back: {differs}") if differs else result


async def _list(client: FluenceClient) -> dict[str, Vm]:
    return {vm.key: vm for vm in (await client.list_vms()).vms}


def carry_out(
    setup: Setup,
    jobs: Sequence[Job],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> NoReturn:
    """Do all of the jobs, print their outcomes and exit."""
    raise typer.Exit(do_all(setup, jobs, pause=pause))


def do_all(
    setup: Setup,
    jobs: Sequence[Job],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> int:
    """Do all of the jobs and print their outcomes; returns the exit code."""
    work = Work(setup, jobs, pause)
    out = console()
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=out,
        transient=True,
        disable=len(jobs) == 1 or not out.is_terminal,
    )
    try:
        with bar:
            task = bar.add_task("writing", total=len(jobs))
            eventloop.run(work.run(lambda: bar.advance(task)))
    except KeyboardInterrupt:
        _stop_interrupted(work, len(jobs))
    _report(work.results)
    return max((result.end.value for result in work.results), default=0)


def _stop_interrupted(work: Work, total: int) -> NoReturn:
    if work.results:
        _report(work.results)
    doubt = ""
    if work.running:
        doubt = f"; it is not known what became of {work.running.target.title}"
    stop(f"interrupted, {total} were to be done{doubt}: see `fluence-watch vm ls`", FAILED)


def _report(results: Sequence[Result]) -> None:
    if len(results) == 1:
        _report_one(results[0])
        return
    rows = [
        {"account": r.job.target.account, "vm": r.job.target.title, "result": r.text}
        for r in results
    ]
    print_rows(_COLUMNS, rows, OutputFormat.TABLE)


def _report_one(result: Result) -> None:
    target = result.job.target
    if result.end is End.DONE:
        typer.echo(f"{target.title}: {result.text}")
    else:
        typer.echo(f"fluence-watch: {target.title}: {result.text}", err=True)
