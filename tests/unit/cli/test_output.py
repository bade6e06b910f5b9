import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from fluence_watch.cli.common.output import (
    Column,
    OutputFormat,
    cell,
    identity_columns,
    lasting,
    print_json,
    print_rows,
)
from fluence_watch.model.funding import FOREVER


@pytest.fixture(autouse=True)
def _no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


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
        ("web\x1b[31m\n1", "web 1"),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_cells(value: object, text: str) -> None:
    """Each kind of value as a cell; what is unknown says so, and text is harmless and short."""
    assert text == cell(value)


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
        "VM        PRICE   UNTIL",
        "web-1   0.29816   2026-04-16 17:17 UTC",
        "db      unknown   forever",
    ] == lines


@pytest.mark.parametrize(
    ("amounts", "shown"),
    [
        (["0.298160"], ["0.29816"]),
        (["0.298160", "1234567.500000", None], ["0.29816", "1,234,567.50000", "unknown"]),
        (["3.000000", "-12.500000"], ["3.00", "-12.50"]),
        (["0.000001", "0.000000"], ["0.000001", "0.000000"]),
        (["1000.000000"], ["1,000.00"]),
    ],
)
def test_amounts_of_a_column(
    capsys: pytest.CaptureFixture[str], amounts: list[str | None], shown: list[str]
) -> None:
    """As many decimals as the longest needs, two to six, and commas at the thousands."""
    rows = [{"a": None if each is None else Decimal(each)} for each in amounts]
    print_rows([Column("a", "A", right=True)], rows, OutputFormat.TABLE)
    assert shown == [line.strip() for line in capsys.readouterr().out.splitlines()[2:]]


DROPPING = (
    Column("vm", "VM"),
    Column("b", "B", drop=1),
    Column("c", "C", drop=3),
    Column("d", "D", drop=2),
)


@pytest.mark.parametrize(
    ("columns", "form", "titles"),
    [
        ("49", "table", ["VM", "B", "C", "D"]),
        ("48", "table", ["VM", "B", "D"]),
        ("36", "table", ["VM", "B", "D"]),
        ("35", "table", ["VM", "B"]),
        ("22", "table", ["VM"]),
        ("3", "table", ["VM"]),
        ("22", "wide", ["VM", "B", "C", "D"]),
        ("", "table", ["VM", "B", "C", "D"]),
    ],
)
def test_columns_that_do_not_fit(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    form: str,
    titles: list[str],
) -> None:
    """They are left out in the stated order; a pipe has room for all, and wide takes it."""
    monkeypatch.setenv("COLUMNS", columns)
    row = dict.fromkeys(("vm", "b", "c", "d"), "0123456789")
    print_rows(DROPPING, [row], OutputFormat(form))
    first = "".join(capsys.readouterr().out.splitlines()[0].split())
    assert "".join(titles) == first


@pytest.mark.parametrize(
    ("columns", "titles"), [("49", "VM B C D"), ("48", "VM C D"), ("35", "VM D"), ("22", "VM")]
)
def test_columns_in_which_all_is_unknown_go_first(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
    titles: str,
) -> None:
    """Also one that else always stays, but only where room is short; one that is known stays."""
    monkeypatch.setenv("COLUMNS", columns)
    row = dict.fromkeys(("vm", "c", "d"), "0123456789") | {"b": None}
    wide = [*DROPPING[:1], Column("b", "B-89012345"), *DROPPING[2:]]
    print_rows(wide, [row, row], OutputFormat.TABLE)
    head = capsys.readouterr().out.splitlines()[0].replace("B-89012345", "B")
    assert titles.split() == head.split()


@pytest.mark.parametrize("accounts", [("main",), ("main", "staging")])
def test_a_narrow_listing_of_alerts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, accounts: tuple[str, ...]
) -> None:
    """At 80 columns rules, accounts and ids stay whole, and what is wrong wraps at words."""
    monkeypatch.setenv("COLUMNS", "80")
    what = "the reserve lasts for 2 more charges and is used up in 9 min: add money to the account"
    rows = [
        {"severity": "critical", "rule": "delivery_failing", "account": account, "what": what}
        | {"title": "indexer-1 (0xa1b2c3)"}
        for account in accounts
    ]
    columns = [*identity_columns(accounts), Column("what", "WHAT", wraps=30)]
    print_rows(columns, rows, OutputFormat.TABLE)
    head, _, *lines = capsys.readouterr().out.splitlines()

    words = [word for line in lines for word in line.split()]
    assert all(len(line) <= 80 for line in lines)
    assert {"delivery_failing", "indexer-1", "(0xa1b2c3)", *what.split()} <= set(words)
    assert (len(accounts) > 1) == ("ACCOUNT" in head) == ("SEVERITY" not in head)
    assert len(lines) <= 4 * len(rows)


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
