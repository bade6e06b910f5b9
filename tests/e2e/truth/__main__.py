"""Run it by hand: `python -m tests.e2e.truth --seed 7 --days 30`."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from rich.console import Console
from rich.table import Table

from tests.e2e.truth.post import Mail
from tests.e2e.truth.run import Run, prepared


def main() -> None:
    """Run it, print the table, and exit with 1 if something is off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--minutes", type=int, default=5, help="between two polls")
    parser.add_argument("--vms", type=int, default=100, help="in each account")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--outages", type=int, default=3, help="of receivers")
    parser.add_argument(
        "--log",
        type=Path,
        default=os.devnull,
        help="write each message to this file, as a line of JSON",
    )
    asked, begun = parser.parse_args(), time.monotonic()
    interval = timedelta(minutes=asked.minutes)
    with (
        asked.log.open("w", encoding="utf-8") as log,
        TemporaryDirectory() as folder,
        prepared(
            asked.seed, asked.days, Path(folder), interval=interval, vms=asked.vms,
            kills=asked.kills, outages=asked.outages,
        ) as run,
    ):  # fmt: skip
        run.log = partial(_write, log)
        run.live(_progress)
    show(run)
    print(f"{time.monotonic() - begun:.0f} s")  # noqa: T201 - for who runs it
    sys.exit(bool(run.verdict.faults))


def _progress(now: datetime, faults: list[str]) -> None:
    last = faults[-1] if faults else ""
    print(f"{now:%d %b}: {len(faults)} faults {last}", file=sys.stderr)  # noqa: T201 - for who runs it


def _write(log: TextIO, mail: Mail) -> None:
    log.write(json.dumps(asdict(mail), default=str) + "\n")
    log.flush()


def show(run: Run) -> None:
    """Print what was compared."""
    table = Table("rule", "injected", "fired", "missed", "false", "lines", "median delay in polls")
    for rule, row in sorted(run.verdict.rows.items()):
        delay = "" if row.delay is None else f"{row.delay:.2f}"
        counts = (row.injected, row.fired, row.missed, row.false, row.lines)
        table.add_row(rule, *map(str, counts), delay)
    console, (requests, failed) = Console(width=110), run.requests
    console.print(table)
    happened = sum((each.happened for each in run.accounts), Counter())
    console.print(dict(happened.most_common()))
    console.print(dict(run.verdict.reasons))
    console.print("left open by the manual, and told:", dict(run.verdict.allowed))
    console.print("answers of why:", dict(run.answers.given.most_common()))
    people = run.people
    console.print(
        f"{run.polls} polls, {run.failed_polls} failed, {run.hiccups} hiccups; {failed} of {requests} "
        f"requests failed; {len(run.outages)} outages, {run.kills} kills; {run.messages} messages, "
        f"{run.verdict.repeated} of them repeat {run.verdict.duplicates} lines, {run.counted} counted; {people.silences} silences, "
        f"{people.expired} ended early, {people.acknowledged} acknowledged; "
        f"{run.verdict.late_deadlines} deadlines passed"
    )
    for fault in run.verdict.faults[:60]:
        console.print(fault, soft_wrap=True, markup=False)
    console.print(f"{len(run.verdict.faults)} faults")


if __name__ == "__main__":
    main()
