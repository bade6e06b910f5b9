"""`costs`: what was charged, by what, as the daemon on this machine has it in its ledger."""

import csv
import sys
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import (
    AccountOption,
    ConfigOption,
    check_account,
    settings_from,
)
from fluence_watch.cli.common.output import Column, OutputFormat, print_json, print_rows
from fluence_watch.model.ledger import By, Cost
from fluence_watch.model.text import inert

if TYPE_CHECKING:
    from fluence_watch.cli.inspect.cost_report import CostReport
    from fluence_watch.views.costs import CostView

_FIELDS = ("what", "account", "id", "name", "cost", "estimated", "days")


class CostsFormat(StrEnum):
    """How costs are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    FOCUS_CSV = "focus-csv"


def _day(text: str) -> date:
    """Read a day; ends the command where it is none."""
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.common.times import read_day

    try:
        return read_day(text, utc_now())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(costs)


def costs(
    config: ConfigOption = None,
    account: AccountOption = None,
    *,
    since: Annotated[
        date | None,
        typer.Option(
            parser=_day,
            metavar="DAY",
            help="The first day (UTC), or 7d: so long ago; default: the first of this month.",
        ),
    ] = None,
    until: Annotated[
        date | None,
        typer.Option(parser=_day, metavar="DAY", help="The last day (UTC); default: today."),
    ] = None,
    by: Annotated[By, typer.Option(help="What to sum up by; vm means each thing.")] = By.VM,
    form: Annotated[
        CostsFormat,
        typer.Option(
            "--format", "-o", help="How to print it; focus-csv has a row for each thing and day."
        ),
    ] = CostsFormat.TABLE,
) -> None:
    """Print what was charged, by what, from the daemon's ledger.

    Amounts are USDC. It begins when the daemon first saw an account; what was charged while it did not
    run is there as far as the API's totals show it. What is charged by the second is estimated from
    prices until the API has told the charges of the day. A status is that of the last poll.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.cli.inspect.cost_report import cost_report, views_of
    from fluence_watch.store import Store

    now = utc_now()
    days = _range(since, until, now.date())
    settings = settings_from(config)
    with Store.open(settings.store.url, exclusive=False) as store:
        epochs = {each.name: each.epoch for each in settings.accounts}
        check_account(account, list(dict.fromkeys([*epochs, *store.ledger_begins()])))
        found = store.costs(*days, account, By.VM if form is CostsFormat.FOCUS_CSV else by)
        if form is CostsFormat.FOCUS_CSV:
            _print_focus(found)
            return
        shown = views_of(store, found, days, account, by)
        report = cost_report(store, found, days, account, epochs=epochs, now=now)
    match form:
        case CostsFormat.CSV:
            _print_csv(shown)
        case CostsFormat.JSON:
            print_json({**report.fields(), "costs": shown})
        case _:
            _print_tables(shown, by, report, now)


def _range(since: date | None, until: date | None, today: date) -> tuple[date, date]:
    last = min(until, today) if until else today
    first = since or last.replace(day=1)
    if first > today:
        raise typer.BadParameter(f"{first} is after today, {today} (UTC)", param_hint="--since")
    if last < first:
        raise typer.BadParameter(f"{last} is before {first}", param_hint="--until")
    return first, last


def _print_tables(shown: "Sequence[CostView]", by: By, report: "CostReport", now: datetime) -> None:
    from fluence_watch.cli.inspect.cost_sums import forecast_lines, sums

    if shown:
        _print_table(shown, by)
        typer.echo()
    lines = sums(report, now)
    for line in (*lines, *forecast_lines(report.forecast, now)):
        typer.echo(line)


def _print_table(shown: "Sequence[CostView]", by: By) -> None:
    columns = [Column("what", by.value.upper()), Column("cost", "COST", right=True)]
    if len({view.account for view in shown}) > 1 and by is By.VM:
        columns.insert(1, Column("account", "ACCOUNT"))
    if any(view.estimated for view in shown):
        columns.append(Column("estimated", "OF IT ESTIMATED", right=True, drop=1))
    if any(view.balance is not None for view in shown):
        columns.append(Column("balance", "BALANCE", right=True, drop=2))
    print_rows(columns, shown, OutputFormat.TABLE)


def _print_csv(shown: "Sequence[CostView]") -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_FIELDS)
    for view in shown:
        writer.writerow([_cell(getattr(view, field)) for field in _FIELDS])


def _print_focus(found: "Sequence[Cost]") -> None:
    from fluence_watch.views.focus import COLUMNS, focus_row

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cost in found:
        writer.writerow(map(_cell, focus_row(cost)))


def _cell(value: object) -> str:
    """A cell; a text that a spreadsheet would take for a formula is quoted."""
    text = "" if value is None else inert(value) if isinstance(value, str) else str(value)
    is_formula = isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{text}" if is_formula else text
