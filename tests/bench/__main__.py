"""`make bench`: how fast and how small the watcher is, and whether that is what is expected.

`python -m tests.bench accounts` measures the many accounts alone, `replay` a replay.
"""

import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Column, Table

from tests.bench import (
    accounts,
    bodies,
    daemon,
    dispatch,
    journal,
    metered,
    polls,
    replay,
    stages,
    start,
    stored,
)
from tests.bench.fleet import write_bodies
from tests.bench.simulator import simulated
from tests.bench.timing import apart

_SIZES = {100: 15, 1_000: 9, 10_000: 5}  # VMs, and how often a step is repeated
_BODIES = 6
_POLLS = 6
_SCRAPED = (10_000, 100_000)  # VMs
_SMALL, _STARTS = 100, 5
_LARGEST = max(_SIZES)
_ALERTS, _RECEIVERS = 10_000, 5
_ACCOUNTS = 100
_JOURNALED = 1_000  # VMs
_REPLAYED, _DAYS = 1_000, 90
Scrapes = Mapping[int, tuple[float, float]]
"""MB and milliseconds by the number of VMs."""

_NOTES = """\
Times are CPU time of all threads, so that others on the machine matter little: of a step the least
of several, of ordinary polls (1 % of the VMs changed) the median of several. The garbage collector
is as it is by default, for orjson too. Scrapes of the daemon go over HTTP to a client on the same
machine and are wall time: the least, the median, the 99th percentile."""


def main() -> None:
    """Measure everything and print it."""
    console = Console(width=110, highlight=False)
    wanted = sys.argv[1:] or ["fleets", "accounts", "replay"]
    if "fleets" in wanted:
        _fleets(console)
    if "accounts" in wanted:
        _many_accounts(console)
    if "replay" in wanted:
        with console.status("a replay"):
            found = apart(replay.measure, _REPLAYED, _DAYS)
        console.print(replay.words(found))


def _many_accounts(console: Console) -> None:
    with console.status(f"{_ACCOUNTS} accounts"), metered.simulated(_ACCOUNTS) as url:
        found = apart(accounts.measure, url, _ACCOUNTS)
    table = Table(accounts.TITLE, *_right(f"{_ACCOUNTS} accounts", "an account"))
    for row in accounts.rows(found):
        table.add_row(*row)
    console.print(table)


def _fleets(console: Console) -> None:
    console.print(f"Python {platform.python_version()}, {platform.machine()}\n{_NOTES}")
    table = Table("VMs", "what", *_right("ms", "x generate_latest", "x orjson.loads"))
    measured = {vms: _measured(vms, repeats, console) for vms, repeats in _SIZES.items()}
    for vms, (steps, whole) in measured.items():
        for row in _rows(vms, steps, whole):
            table.add_row(*row)
        table.add_section()
    with console.status("the daemon"):
        process = daemon.measure(_LARGEST, _POLLS)
    with console.status("big bodies"):
        scrapes = {vms: bodies.measure(vms) for vms in _SCRAPED}
    with console.status("the start"):
        begun = start.measure(_SMALL, _STARTS)
    with console.status("dispatch"):
        idle = dispatch.measure(_ALERTS, _RECEIVERS, 5)
    with console.status("the journal"):
        written = _journal(_JOURNALED)
    with console.status("a large store"):
        large = apart(stored.measure, max(_SCRAPED), _ALERTS, _RECEIVERS)
    for row in (*_daemon_rows(process), *_scrape_rows(scrapes), *_start_rows(begun)):
        table.add_row(*row)
    for row in (*_idle_rows(idle), *_stored_rows(large)):
        table.add_row(*row)
    console.print(table)
    for line in _verdicts(*measured[_LARGEST], process, scrapes, begun, idle):
        console.print(line)
    console.print(
        _verdict(
            f"the journal's share of deciding and committing {_JOURNALED:,} VMs", written.share, 0.1
        )
    )


def _measured(vms: int, repeats: int, console: Console) -> tuple[stages.Stages, polls.Polls]:
    with console.status(f"{vms} VMs"):
        return _stages(vms, repeats), _polls(vms)


def _journal(vms: int) -> journal.Costs:
    with TemporaryDirectory() as folder:
        files = apart(write_bodies, vms, _BODIES, Path(folder))
        return apart(journal.measure, files, _SIZES[vms])


def _right(*names: str) -> Iterable[Column]:
    return [Column(name, justify="right") for name in names]


def _stages(vms: int, repeats: int) -> stages.Stages:
    with TemporaryDirectory() as folder:
        files = apart(write_bodies, vms, _BODIES, Path(folder))
        return apart(stages.measure, files, repeats)


def _polls(vms: int) -> polls.Polls:
    with simulated(vms) as url:
        return apart(polls.measure, url, _POLLS)


def _rows(vms: int, steps: stages.Stages, whole: polls.Polls) -> Iterable[tuple[str, ...]]:
    latest, loads = steps.others["generate_latest"], steps.others["orjson.loads"]
    for name, ms in steps.others.items():
        what = f"{steps.samples:,} samples" if ms == latest else f"{steps.megabytes:.1f} MB"
        yield f"{vms:,}", f"{name}, {what}", f"{ms:.2f}", "", ""
    for name, ms in steps.ours.items():
        against = f"{ms / loads:.3f}" if name.startswith("decode") else ""
        yield f"{vms:,}", name, f"{ms:.2f}", f"{ms / latest:.3f}", against
    yield f"{vms:,}", "first poll, CPU", f"{whole.first:.0f}", f"{whole.first / latest:.3f}", ""
    yield (
        f"{vms:,}",
        "ordinary poll, CPU",
        f"{whole.typical:.0f}",
        f"{whole.typical / latest:.3f}",
        "",
    )


def _daemon_rows(process: daemon.Daemon) -> Iterable[tuple[str, ...]]:
    vms, idle, busy = f"{_LARGEST:,}", process.idle, process.busy
    yield vms, "daemon: gzip scrape between polls", " ".join(f"{ms:.1f}" for ms in idle), "", ""
    yield vms, "daemon: gzip scrape beside a poll", " ".join(f"{ms:.1f}" for ms in busy), "", ""
    yield vms, "daemon: plain scrape between polls", f"{process.plain:.1f}", "", ""
    yield vms, "daemon: peak resident memory", f"{process.peak:.0f} MB", "", ""
    yield vms, "daemon: steady resident memory", f"{process.steady:.0f} MB", "", ""


def _scrape_rows(scrapes: Scrapes) -> Iterable[tuple[str, ...]]:
    for vms, (megabytes, ms) in scrapes.items():
        yield f"{vms:,}", f"gzip scrape alone, {megabytes:.1f} MB", f"{ms:.1f}", "", ""


def _start_rows(begun: start.Start) -> Iterable[tuple[str, ...]]:
    vms = f"{_SMALL:,}"
    yield vms, "daemon: from its start to ready", f"{begun.ready * 1000:.0f}", "", ""
    yield (
        vms,
        "daemon: resident, proportional memory",
        f"{begun.rss:.1f}, {begun.pss:.1f} MB",
        "",
        "",
    )


def _idle_rows(idle: dispatch.Idle) -> Iterable[tuple[str, ...]]:
    of = f"{_ALERTS:,} alerts, {_RECEIVERS} receivers"
    for what, seconds in (
        ("after a poll that changed nothing", idle.quiet),
        ("after one that changed 1 %", idle.changed),
        ("a look at all for repetitions", idle.again),
    ):
        yield of, f"dispatch: {what}", f"{seconds * 1000:.1f}", "", ""


def _stored_rows(large: stored.Sizes) -> Iterable[tuple[str, ...]]:
    of = f"{max(_SCRAPED):,}, {_ALERTS:,} alerts"
    for what, seconds in (
        ("first commit", large.first),
        ("load", large.load),
        ("commit of 1 % changed", large.poll),
        ("commit of nothing changed", large.quiet),
        ("a message about 100 alerts accepted", large.told),
        ("history of 100", large.history),
    ):
        yield of, f"store, {large.megabytes:.0f} MB: {what}", f"{seconds * 1000:.1f}", "", ""


def _verdicts(
    steps: stages.Stages,
    whole: polls.Polls,
    process: daemon.Daemon,
    scrapes: Scrapes,
    begun: start.Start,
    idle: dispatch.Idle,
) -> Iterable[str]:
    """Whether each figure that is expected of the largest fleet is met."""
    latest, loads, ours = steps.others["generate_latest"], steps.others["orjson.loads"], steps.ours
    figures = (
        ("first render, x generate_latest", ours["render, first"] / latest, 0.07),
        ("ordinary render, x generate_latest", ours["render, 1 %"] / latest, 0.07),
        ("first decode, x orjson.loads", ours["decode, first"] / loads, 0.5),
        ("first poll, CPU seconds", whole.first / 1000, 1.0),
        ("ordinary poll, CPU seconds", whole.typical / 1000, 0.3),
        ("gzip scrape between polls, fastest, ms", process.idle[0], 5.0),
        ("peak resident memory, MB", process.peak, 200.0),
        ("gzip scrape of 100,000 VMs, ms", scrapes[max(_SCRAPED)][1], 40.0),
        ("ready with 100 VMs, seconds", begun.ready, 0.7),
        ("resident memory with 100 VMs, MB", begun.rss, 65.0),
        ("idle dispatch of 10,000 alerts, ms", idle.quiet * 1000, 20.0),
        ("memory left by 100 idle dispatches, bytes", idle.grown, 10_000),
    )
    return (_verdict(*each) for each in figures)


def _verdict(name: str, value: float, limit: float) -> str:
    return f"{'met' if value <= limit else 'NOT MET':8}{name}: {value:.3g}, expected {limit:g}"


if __name__ == "__main__":
    main()
