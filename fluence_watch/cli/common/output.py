"""How commands print: a table for people, JSON for programs; no colour when not a terminal."""

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from fluence_watch.model.funding import FOREVER
from fluence_watch.model.moment import distance
from fluence_watch.model.text import inert
from fluence_watch.views.as_json import as_json

if TYPE_CHECKING:
    from rich.console import Console

UNKNOWN = "unknown"
_CELL = 300
_PIPE = 10_000  # columns: more than any table has
_GAP = 3  # columns of the terminal between two columns of a table
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 6


class OutputFormat(StrEnum):
    """What `--format` takes; `wide` is the table with every column, whatever the width."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `key` names an attribute or a key of a row, `title` stands above it.

    Where a terminal is too narrow, columns are left out: the one with the highest `drop` first.
    One with 0 stays, unless all of its cells are unknown: such columns go first. Text is not broken, except in a column that `wraps`: there it
    breaks at words when the column is wider than so many characters.
    """

    key: str
    title: str
    right: bool = False
    drop: int = 0
    wraps: int = 0


Row = Mapping[str, object]


def print_rows(columns: Sequence[Column], rows: Sequence[object], form: OutputFormat) -> None:
    """Print a listing of views or of mappings.

    Values may be text, amounts as `Decimal`, datetimes or `None`. In a table all amounts of a
    column have as many decimals as its longest one needs, two to six.
    """
    if form is OutputFormat.JSON:
        print_json(rows)
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = {column: _cells([_value(row, column.key) for row in rows]) for column in columns}
    out = console(_PIPE if form is OutputFormat.WIDE else None)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    widths = _widths(cells, out.width)
    for column, width in widths.items():
        table.add_column(
            column.title, justify="right" if column.right else "left", width=width, overflow="fold"
        )
    for row in zip(*(cells[column] for column in widths), strict=True):
        table.add_row(*map(Text, row))
    out.width = max(out.width, _total(widths.values()))
    out.print(table)


def _value(row: object, key: str) -> object:
    return row.get(key) if isinstance(row, Mapping) else getattr(row, key)


def _cells(values: Sequence[object]) -> list[str]:
    amounts = [value for value in values if isinstance(value, Decimal)]
    decimals = max(map(_decimals, amounts), default=_FEWEST_DECIMALS)
    return [
        f"{value:,.{decimals}f}" if isinstance(value, Decimal) else cell(value) for value in values
    ]


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    needed = -exponent if isinstance(exponent, int) else 0
    return min(max(needed, _FEWEST_DECIMALS), _MOST_DECIMALS)


def _widths(cells: Mapping[Column, Sequence[str]], width: int) -> dict[Column, int]:
    """The columns that fit and their widths; those that wrap share the remaining width."""
    from rich.cells import cell_len

    full = {column: max(map(cell_len, [column.title, *texts])) for column, texts in cells.items()}
    least = {c: min(each, c.wraps or each) for c, each in full.items()}
    unknown = {column for column, texts in cells.items() if set(texts) == {UNKNOWN}}
    widths = _fitting(least, width, unknown)
    for column in widths:
        spare = max(width - _total(widths.values()), 0)
        widths[column] = min(full[column], widths[column] + spare)
    return widths


def _fitting(
    least: Mapping[Column, int], width: int, unknown: Collection[Column]
) -> dict[Column, int]:
    shown = dict(least)
    while _total(shown.values()) > width:
        worst = max(shown, key=lambda column: (column in unknown, column.drop))
        if not worst.drop and worst not in unknown:
            break
        del shown[worst]
    return shown


def _total(widths: Collection[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def identity_columns(accounts: Collection[str]) -> list[Column]:
    """The first columns of alerts and findings; the name of a single account is left out first."""
    return [
        Column("severity", "SEVERITY", drop=1),
        Column("rule", "RULE"),
        Column("account", "ACCOUNT", drop=0 if len(set(accounts)) > 1 else 4),
        Column("title", "VM", wraps=16),
    ]


def console(width: int | None = None) -> "Console":
    """Standard output; Rich honours NO_COLOR and COLUMNS, and keeps colour out of a pipe.

    In a pipe no line is folded, unless COLUMNS is set.
    """
    from rich.console import Console

    if width is None and not (sys.stdout.isatty() or os.environ.get("COLUMNS")):
        width = _PIPE
    return Console(file=sys.stdout, highlight=False, markup=False, width=width)


def print_json(value: object) -> None:
    """Print a view, or many, as JSON in ASCII alone."""
    print(json.dumps(as_json(value), indent=2))  # noqa: T201 - this is the output


def cell(value: object) -> str:
    """A value as a cell of a table; `None` is `unknown`."""
    match value:
        case None:
            return UNKNOWN
        case datetime():
            return "forever" if value == FOREVER else f"{value:%Y-%m-%d %H:%M} UTC"
        case Decimal():
            return format(value, "f")
        case _:
            return inert(str(value), _CELL)


def lasting(moment: datetime | None, now: datetime) -> str:
    """The distance of a time that may be unknown or never come: `in 42 min`, `forever`."""
    if moment is None:
        return UNKNOWN
    return "forever" if moment == FOREVER else distance(moment, now)
