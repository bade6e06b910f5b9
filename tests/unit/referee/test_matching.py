"""What the referee takes the settings to mean."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.truth.plan import Maintenance, Receiver
from tests.e2e.truth.referee.matching import is_active, is_on, matches, takes

LABELS = {
    "rule": "port_drift", "severity": "warning", "account": "main", "vm_id": "0x1", "vm_name": "web-1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ("rule=port_drift", True),
        ("rule!=port_drift", False),
        ('vm="web-1"', True),
        ("vm=0x1", True),
        ('vm=~"web-.*"', True),
        ('vm=~"web"', False),
        ("rule!~port_.*", False),
        ("status=", True),
        ("vm_id!=", True),
    ],
)
def test_matchers(matcher: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """As Alertmanager's: a regular expression matches the whole value, an absent label is empty."""
    assert expected == matches((matcher,), LABELS)


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [
        (Receiver("ops"), True),
        (Receiver("ops", min_severity="critical"), False),
        (Receiver("ops", rules=("vm_*",)), False),
        (Receiver("ops", rules=()), False),
        (Receiver("ops", accounts=("lab",)), False),
        (Receiver("ops", match=('vm=~"db-.*"',)), False),
    ],
)
def test_receivers(receiver: Receiver, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """All that is set must fit."""
    assert expected == takes(receiver, LABELS, of_watcher=False)


def test_no_receiver_hears_of_its_own_failures() -> None:
    """But of those of others, whatever its accounts."""
    labels = {"rule": "delivery_failing", "severity": "critical", "account": "fluence-watch"}
    ops = Receiver("ops", accounts=("main",))

    assert takes(ops, labels, of_watcher=True, about="pager")
    assert not takes(ops, labels, of_watcher=True, about="ops")


@pytest.mark.parametrize(
    ("active", "at", "expected"),
    [
        ((), "2026-06-01T03:00", True),
        (("Mon-Fri 08:00-18:00",), "2026-06-01T05:59", False),
        (("Mon-Fri 08:00-18:00",), "2026-06-01T06:00", True),
        (("Mon-Fri 08:00-18:00",), "2026-06-06T10:00", False),
        (("22:00-06:00",), "2026-06-01T20:30", True),
        (("22:00-06:00",), "2026-06-02T03:59", True),
        (("22:00-06:00",), "2026-06-02T04:00", False),
        (("Mon 22:00-06:00",), "2026-06-02T03:00", True),
        (("Mon 22:00-06:00",), "2026-06-01T03:00", False),
    ],
)
def test_active_times(active: tuple[str, ...], at: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """In the receiver's zone, which is two hours ahead; a night belongs to the day on which it begins."""
    office = Receiver("office", active=active, timezone="Europe/Paris")

    assert expected == is_active(office, datetime.fromisoformat(at).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("at", "expected"),
    [("00:59", False), ("01:00", True), ("02:59", True), ("03:00", False)],
)
def test_maintenance(at: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A window begins at its hour of its zone."""
    backups = Maintenance("backups", (), 3, timedelta(hours=2), "Europe/Paris")

    assert expected == is_on(backups, datetime.fromisoformat(f"2026-06-01T{at}+00:00"))
