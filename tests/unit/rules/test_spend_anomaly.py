from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from fluence_watch.model.finding import Finding, Fingerprint, Severity
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.spending import Hour, Spending, ThingSpending
from fluence_watch.rules.situation import Situation
from fluence_watch.rules.spend_anomaly import SpendAnomaly, SpendAnomalySettings, judge

See = Callable[..., Situation]
SETTINGS = SpendAnomalySettings()
USDC = 1_000_000
DAY = date(2025, 4, 16)
THING = ThingSpending("0xa1", "vm", "web-1", MicroUsdc(9), MicroUsdc(0))


def spent(today: int, *days: int) -> Spending:
    """So much in USDC today, and on the days before, of which each was the same by noon."""
    before = tuple(MicroUsdc(each * USDC) for each in days)
    return Spending(Hour(DAY, 12), MicroUsdc(today * USDC), before, before, (THING,))


@pytest.mark.parametrize(
    ("spending", "expected"),
    [
        (None, "unknown"),
        (spent(20), "gone"),
        (spent(20, *[10] * 6), "gone"),
        (spent(20, *[10] * 7), "found"),
        (spent(15, *[10] * 7), "over"),
        (spent(0, *[0] * 7), "over"),
        (spent(1, *[0] * 7), "over"),
        (spent(2, *[0] * 7), "found"),
        (spent(0, *[10] * 7, 20), "unknown"),
        (spent(10, *[10] * 7, 20), "unknown"),
        (spent(10, *[10] * 7, 20, 10), "over"),
        (spent(20, *[10] * 14, *[20] * 13), "found"),
        (spent(20, *[10] * 14, *[20] * 14), "unknown"),
        (spent(20, *[10] * 13, *[20] * 15), "over"),
    ],
)
def test_when_it_is_found(see: See, spending: Spending | None, expected: str) -> None:
    """See the table of the rule; a fleet that has doubled is over when the median has followed."""
    judgement = judge(see(spending=spending), SETTINGS)
    found = {
        "found": bool(judgement.findings),
        "unknown": judgement.unknown == {""},
        "gone": judgement.gone == {""},
    }

    assert [expected] == ([name for name, held in found.items() if held] or ["over"])


def test_what_is_found(see: See) -> None:
    """One alert of the account, whatever the day, with what makes the difference."""
    (finding,) = judge(see(spending=spent(20, *[10] * 29)), SETTINGS).findings
    facts = SpendAnomaly(DAY, 12, MicroUsdc(20 * USDC), MicroUsdc(10 * USDC), 28, (THING,))

    assert Finding(Fingerprint("main", "spend_anomaly"), Severity.WARNING, facts) == finding
    assert ("VM", "0xa1") == (THING.word, THING.id)


def test_no_deviation_at_all_is_no_limit() -> None:
    """Then any day that is above the median would be odd."""
    with pytest.raises(ValueError, match="greater than 0"):
        SpendAnomalySettings(deviations=Decimal(0))
