"""One firing alert, for tests to vary."""

from datetime import UTC, datetime

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.finding import Fingerprint, Severity

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def firing() -> Alert:
    """A warning that fires since noon."""
    return Alert(
        fingerprint=Fingerprint("main", "port_drift", "0xab", "opened:80/tcp"),
        severity=Severity.WARNING,
        state=State.FIRING,
        facts="80/tcp is open",
        active_at=NOW,
        starts_at=NOW,
    )
