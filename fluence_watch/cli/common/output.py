"""How commands print: a table for people, JSON for programs; no colour when not a terminal."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fluence_watch.model.funding import FOREVER
from fluence_watch.model.moment import distance
from fluence_watch.model.money import MicroUsdc, plain
from fluence_watch.model.text import inert

UNKNOWN = "unknown"
_CELL = 300
_PIPE = 10_000  # columns: more than any table has


class OutputFormat(StrEnum):
    """What `--format` takes."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `key` names it in JSON, `title` in the table."""

    key: str
    title: str
    right: bool = False


Row = Mapping[str, object]


def print_rows(columns: Sequence[Column], rows: Sequence[Row], form: OutputFormat) -> None:
    """Print a listing; values may be text, amounts as `Decimal`, datetimes or `None`."""
    if form is OutputFormat.JSON:
        print_json([dict(row) for row in rows])
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(column.key))) for column in columns))
    console().print(table)


def console() -> Console:
    """The terminal; Rich honours NO_COLOR and keeps colour out of a pipe, where no line is folded."""
    width = None if sys.stdout.isatty() else _PIPE
    return Console(file=sys.stdout, highlight=False, markup=False, width=width)


def print_json(value: object) -> None:
    """Print JSON, in ASCII alone: amounts as decimal strings, times as RFC 3339 in UTC."""
    print(json.dumps(value, default=_plain_value, indent=2))  # noqa: T201 - this is the output


def _plain_value(value: object) -> str:
    if isinstance(value, datetime):
        return "forever" if value == FOREVER else value.isoformat().replace("+00:00", "Z")
    return str(value)


def cell(value: object) -> str:
    """A value as a cell of a table; what is not known says so."""
    match value:
        case None:
            return UNKNOWN
        case datetime():
            return "forever" if value == FOREVER else f"{value:%Y-%m-%d %H:%M} UTC"
        case Decimal():
            return format(value, "f")
        case _:
            return inert(str(value), _CELL)


def amount(micro: MicroUsdc | None) -> Decimal | None:
    """An amount in USDC with six decimals, for a row."""
    return None if micro is None else Decimal(plain(micro))


def lasting(moment: datetime | None, now: datetime) -> str:
    """How far away a time is that may be unknown or never come: `in 42 min`, `forever`."""
    if moment is None:
        return UNKNOWN
    return "forever" if moment == FOREVER else distance(moment, now)
