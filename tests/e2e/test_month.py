"""A month of a simulated fleet, ten kills, two outages: the ledger is the simulator's own books."""

from pathlib import Path

import pytest

from tests.e2e.month.__main__ import show
from tests.e2e.month.run import KILLS, OUTAGES, month

SEED, DAYS = 7, 30


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_ledger_of_a_month_is_what_was_charged(tmp_path: Path) -> None:
    """To the micro-USDC, by thing, day and account; what no poll could see is marked."""
    with month(SEED, DAYS, tmp_path) as lived:
        lived.live()
        lived.judge()
    show(lived)  # see `pytest -rP`
    requests, failed = lived.requests

    assert [] == lived.verdict.faults
    assert (KILLS, len(OUTAGES)) == (lived.kills, lived.outages)
    assert 0.04 < failed / requests < 0.07
    assert {"v2", "v3", "cloud"} == {row.account for row in lived.verdict.rows}
    assert all(row.days["exact"] for row in lived.verdict.rows)
    assert {"vm", "disk", "public_ip", "gpu_vm"} <= {row.kind for row in lived.verdict.rows}
