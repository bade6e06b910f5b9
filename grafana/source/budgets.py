"""The table of budgets. They may span accounts, so no choice of accounts narrows it."""

from grafana_foundation_sdk.builders.table import Panel as Table

from grafana.source.panels import USDC, Steps
from grafana.source.tables import Column, table

_STEPS: Steps = ((None, "green"), (80, "orange"), (100, "red"))


def budgets() -> Table:
    """How far each budget is spent, and what the month comes to."""
    return table(
        "Budgets",
        "What is spent of each of the [[budgets]] this month (UTC), whatever accounts are chosen, and what"
        " the month comes to if all that runs is kept; empty while that is unknown.",
        ("budget",),
        [
            Column("Spent in percent", f"100 * {_of('spent')} / {_of('limit')}", "percent", _STEPS),
            Column("Spent", _of("spent"), USDC),
            Column("Limit", _of("limit"), USDC),
            Column("By its end", _of("forecast"), USDC),
        ],
        width=24,
        descending=True,
    )


def _of(what: str) -> str:
    return f"max by (budget) (fluence_budget_{what}_usdc)"
