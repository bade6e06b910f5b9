"""`costs`: what was charged, by what, as the daemon on this machine has it in its ledger."""

import csv
import sys
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fluence_watch.cli.common.options import AccountOption, ConfigOption, settings_from
from fluence_watch.cli.common.output import Column, OutputFormat, print_json, print_rows
from fluence_watch.model.ledger import By, Cost
from fluence_watch.model.money import in_usdc

if TYPE_CHECKING:
    from fluence_watch.views.costs import CostView

_FIELDS = ("what", "account", "id", "name", "cost", "estimated", "days")


class CostsFormat(StrEnum):
    """How costs are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    FOCUS_CSV = "focus-csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(costs)


def costs(
    config: ConfigOption = None,
    account: AccountOption = None,
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            metavar="DAY",
            help="The first day (UTC); default: the first of this month.",
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], metavar="DAY", help="The last day (UTC); default: today."
        ),
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
    prices until the API has told the charges of the day.
    """
    from fluence_watch.app.clock import utc_now
    from fluence_watch.store import Store
    from fluence_watch.views import costs as views

    today = utc_now().date()
    first, last = _range(since, until, today)
    with Store.open(settings_from(config).store.url, exclusive=False) as store:
        found = store.costs(first, last, account, By.VM if form is CostsFormat.FOCUS_CSV else by)
        earlier = (
            store.costs(_month_before(first), _month_before(last), account, By.ACCOUNT)
            if form is CostsFormat.TABLE
            else []
        )
    if form is CostsFormat.FOCUS_CSV:
        _print_focus(found)
        return
    shown = views.cost_views(found, by)
    if form is CostsFormat.JSON:
        print_json(shown)
    elif form is CostsFormat.CSV:
        _print_csv(shown)
    elif shown:
        _print_table(shown, by)
        _print_sums(first, last, found, earlier)
    else:
        typer.echo(f"nothing was charged from {first} to {last}, as far as the ledger has it")


def _range(since: datetime | None, until: datetime | None, today: date) -> tuple[date, date]:
    last = until.date() if until else today
    first = since.date() if since else last.replace(day=1)
    if last < first:
        raise typer.BadParameter(f"{last} is before {first}", param_hint="--until")
    return first, last


def _month_before(day: date) -> date:
    """The same day of the month before, or its last one."""
    end = day.replace(day=1) - timedelta(days=1)
    return end.replace(day=min(day.day, monthrange(end.year, end.month)[1]))


def _print_table(shown: "Sequence[CostView]", by: By) -> None:
    columns = [Column("what", by.value.upper()), Column("cost", "COST", right=True)]
    if len({view.account for view in shown}) > 1 and by is By.VM:
        columns.insert(1, Column("account", "ACCOUNT"))
    if any(view.estimated for view in shown):
        columns.append(Column("estimated", "OF IT ESTIMATED", right=True, drop=1))
    print_rows(columns, shown, OutputFormat.TABLE)


def _print_sums(
    first: date, last: date, found: "Sequence[Cost]", earlier: "Sequence[Cost]"
) -> None:
    from fluence_watch.views.costs import total

    typer.echo(f"\n{first} to {last}: {in_usdc(total(found)):,.2f} USDC")
    if earlier:
        days = f"{_month_before(first)} to {_month_before(last)}"
        typer.echo(f"{days}: {in_usdc(total(earlier)):,.2f} USDC")


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
    text = "" if value is None else str(value)
    is_formula = isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{text}" if is_formula else text
