"""Run a month by hand: `python -m tests.e2e.month --seed 7 --days 30`."""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.e2e.month.run import Month, month

_OUTCOMES = ("exact", "spread", "estimated", "off")


def main() -> None:
    """Run it, print the table, and exit with 1 if something is off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=30)
    asked, begun = parser.parse_args(), time.monotonic()
    with TemporaryDirectory() as folder, month(asked.seed, asked.days, Path(folder)) as lived:
        lived.live()
        lived.judge()
    show(lived)
    print(f"{time.monotonic() - begun:.0f} s")  # noqa: T201 - for who runs it
    sys.exit(bool(lived.verdict.faults))


def show(lived: Month) -> None:
    """Print what was compared."""
    table = Table("account", "kind", "things", "days", *_OUTCOMES)
    for row in lived.verdict.rows:
        counts = [row.days[outcome] for outcome in _OUTCOMES]
        table.add_row(row.account, row.kind, *map(str, (row.things, sum(counts), *counts)))
    console, (requests, failed) = Console(width=100), lived.requests
    console.print(table)
    console.print(
        f"{lived.polls} polls, {lived.happened} events, {lived.kills} kills, {failed} of {requests} "
        f"requests failed, {lived.outages} outages"
    )
    for fault in lived.verdict.faults:
        console.print(fault, soft_wrap=True)


if __name__ == "__main__":
    main()
