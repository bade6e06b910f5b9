"""Which links the alerts of a message have."""

from datetime import UTC, datetime

import pytest

from fluence_watch.alerting.grouping import compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.telling import Line, Reason
from fluence_watch.app.wiring import RANKS
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.notify.links import Links
from fluence_watch.rules.account_low import AccountLow
from fluence_watch.rules.port_drift import Direction, PortDrift
from fluence_watch.rules.public_ip_changed import PublicIpChanged

NOW = datetime(2026, 4, 16, 17, 17, tzinfo=UTC)
VM = VmRef("0xa1", "web-1")


def alert(rule: str, facts: object, subject: str = "0xa1", key: str = "") -> Alert:
    about = Fingerprint("main", rule, subject, key)
    return Alert(about, Severity.WARNING, State.FIRING, facts, NOW, NOW)


def drift(port: str, *, configured: bool = False) -> Alert:
    facts = PortDrift(VM, port, Direction.OPENED, configured, ("22/tcp",), ("22/tcp", port))
    return alert("port_drift", facts, key=f"opened:{port}")


POOR = alert("account_low", AccountLow(2_500_000, 1_015_000, None, NOW, 2), subject="")
MOVED = alert("public_ip_changed", PublicIpChanged(VM, "203.0.113.7", "203.0.113.8"))


def kinds(*alerts: Alert, secret: str = "s" * 32, reason: Reason = Reason.FIRST) -> list[list[str]]:
    """What the links of each alert are for."""
    message = compose("ops", "main", [Line(each, reason, NOW) for each in alerts], RANKS)
    items = Links("https://watch", secret).on(message, NOW).items
    return [[link.words.split()[0] for link in item.links] for item in items]


@pytest.mark.parametrize(
    ("alerts", "expected"),
    [
        ([POOR], [["Details", "Acknowledge", "Snooze"]]),
        ([MOVED], [["Details"]]),
        ([drift("1/tcp", configured=True)], [["Details", "Acknowledge", "Snooze"]]),
        (
            [drift("1/tcp"), drift("2/tcp")],
            [["Details", "Acknowledge", "Snooze", "Accept"], ["Details", "Acknowledge"]],
        ),
    ],
)
def test_what_can_be_done(alerts: list[Alert], expected: list[list[str]]) -> None:
    """An event is over; ports of the configuration are changed there; a VM is snoozed once."""
    assert expected == kinds(*alerts)


def test_what_is_over_or_unsigned_only_has_a_page() -> None:
    """There is nothing to do, or nothing to sign with."""
    assert [["Details"]] == kinds(POOR, secret="")
    assert [["Details"]] == kinds(POOR, reason=Reason.RESOLVED)
