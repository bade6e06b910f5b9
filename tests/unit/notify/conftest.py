"""What the tests of messages share: a moment, and messages made the way the daemon makes them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.rules.low_balance import LowBalance

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def low_balance() -> Callable[..., Message]:
    """A message that the balance of one VM is low, made when asked."""

    def make(name: str = "web-1") -> Message:
        due = NOW + timedelta(minutes=42)
        facts = LowBalance(
            vm=VmRef(f"0x{name}", name, "FR-PAR-1"),
            price=298_160,
            reserved=100_000,
            needed=298_160,
            next_billing_at=due,
            funded_until=due,
        )
        alert = Alert(
            fingerprint=Fingerprint("main", "low_balance", f"0x{name}"),
            severity=Severity.CRITICAL,
            state=State.FIRING,
            facts=facts,
            active_at=NOW - timedelta(minutes=30),
        )
        return compose("ops", "main", [Line(alert, Reason.FIRST, NOW)])

    return make
