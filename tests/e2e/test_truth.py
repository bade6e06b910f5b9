"""Days of three simulated accounts, with kills and outages: what is told is what a perfect watcher tells."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.truth.__main__ import show
from tests.e2e.truth.metered import daily
from tests.e2e.truth.run import prepared

SEED, DAYS, KILLS, OUTAGES = 22, 2.3, 2, 3
EVERY_RULE = {
    "billing_due", "delivery_failing", "low_balance", "poll_failing", "port_drift",
    "price_changed", "public_ip_changed", "ssh_key_drift", "topup_failed", "unexpected_charge",
    "vm_appeared", "vm_status", "vm_vanished", "debt", "funds_exhausted_soon", "idle_resource",
    "gpu_reserve", "gpu_status", "account_low", "vm_unreadable", "bill_mismatch", "budget",
    "spend_anomaly",
}  # fmt: skip
EVERY_REASON = {"first", "escalated", "worse", "repeat", "resolved", "missed"}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_nothing_is_missed_and_nothing_is_false(tmp_path: Path) -> None:
    """To each receiver, line by line: whatever is silenced, inhibited, acknowledged, held or lost."""
    interval = timedelta(minutes=20)
    with prepared(
        SEED, DAYS, tmp_path, interval=interval, vms=40, kills=KILLS, outages=OUTAGES
    ) as run:
        run.live()
    show(run)  # see `pytest -rP`
    verdict, (requests, failed) = run.verdict, run.requests
    happened = set().union(*(each.happened for each in run.accounts))

    assert [] == verdict.faults
    assert EVERY_RULE <= {rule for rule, row in verdict.rows.items() if row.fired}
    assert EVERY_REASON <= verdict.reasons.keys()
    assert len({what for each in run.accounts for what in daily(each)}) <= len(happened)
    assert (KILLS, OUTAGES) == (run.kills, len(run.outages))
    assert verdict.repeated <= run.counted
    assert 0 == run.hiccups
    assert 0.05 < failed / requests < 0.2  # 5 %, and all of them while the API is down
    assert run.people.silences
    assert run.people.acknowledged
