import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fluence_watch.cli.common.output import (
    Column,
    OutputFormat,
    amount,
    cell,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.model.funding import FOREVER
from fluence_watch.model.money import MicroUsdc

NOW = datetime(2026, 4, 16, 17, 17, 42, tzinfo=UTC)
COLUMNS = (Column("vm", "VM"), Column("price", "PRICE", right=True), Column("until", "UNTIL"))
ROWS = (
    {"vm": "web-1", "price": Decimal("0.298160"), "until": NOW, "vm_id": "0xa1"},
    {"vm": "db", "price": None, "until": FOREVER},
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (NOW, "2026-04-16 17:17 UTC"),
        (FOREVER, "forever"),
        (Decimal("0.000001"), "0.000001"),
        (Decimal("1E+3"), "1000"),
        (3, "3"),
        ("", ""),
        ("web\x1b[31m\n1", "web [31m 1"),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_cells(value: object, text: str) -> None:
    """Each kind of value as a cell; what is unknown says so, and text is harmless and short."""
    assert text == cell(value)


@pytest.mark.parametrize(
    ("micro", "shown"), [(298_160, "0.298160"), (0, "0.000000"), (-1, "-0.000001")]
)
def test_amounts(micro: int, shown: str) -> None:
    """Six decimals, exactly."""
    assert shown == str(amount(MicroUsdc(micro)).__format__("f"))
    assert amount(None) is None


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (None, "unknown"),
        (FOREVER, "forever"),
        (NOW + timedelta(minutes=42), "in 42 min"),
        (NOW - timedelta(hours=3, minutes=12), "3 h 12 min ago"),
        (NOW, "just now"),
    ],
)
def test_how_far_away(moment: datetime | None, text: str) -> None:
    """A time from now, also where there is none."""
    assert text == lasting(moment, NOW)


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Aligned columns with a head, without colour or blanks at the ends where nobody looks."""
    print_rows(COLUMNS, ROWS, OutputFormat.TABLE)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]

    assert [
        "VM         PRICE   UNTIL",
        "web-1   0.298160   2026-04-16 17:17 UTC",
        "db       unknown   forever",
    ] == lines


def test_a_listing_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """All that is known, under stable keys: amounts exact, times in UTC, unknown as null."""
    print_rows(COLUMNS, ROWS, OutputFormat.JSON)

    assert [
        {"vm": "web-1", "price": "0.298160", "until": "2026-04-16T17:17:42Z", "vm_id": "0xa1"},
        {"vm": "db", "price": None, "until": "forever"},
    ] == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("form", list(OutputFormat))
def test_nothing_reaches_the_terminal(
    capsys: pytest.CaptureFixture[str], form: OutputFormat
) -> None:
    """No control code, no markup and no direction change, whatever a VM is called."""
    evil = "[red]a\x1b[2J\x9b31m\u202e\x7f\ud800\n- b"
    print_rows((Column("vm", "VM"),), [{"vm": evil}], form)
    out = capsys.readouterr().out

    assert not {"\x1b", "\x9b", "\u202e", "\x7f", "\ud800"} & set(out)
    assert "[red]a" in out
    if form is OutputFormat.JSON:
        assert [{"vm": evil}] == json.loads(out)


def test_an_empty_listing_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that reads it finds a list."""
    print_rows(COLUMNS, [], OutputFormat.JSON)
    assert [] == json.loads(capsys.readouterr().out)
    print_json({"at": NOW})
    assert {"at": "2026-04-16T17:17:42Z"} == json.loads(capsys.readouterr().out)
