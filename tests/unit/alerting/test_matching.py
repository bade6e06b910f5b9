from dataclasses import replace

import pytest

from fluence_watch.alerting.labels import labels
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity, VmRef
from fluence_watch.rules.low_balance import LowBalance

CRITICAL = Route("ops", min_severity=Severity.CRITICAL)


@pytest.mark.parametrize(
    ("route", "matches"),
    [
        (Route("ops"), True),
        (Route("ops", min_severity=Severity.WARNING), True),
        (CRITICAL, False),
        (Route("ops", rules=("port_drift",)), True),
        (Route("ops", rules=("low_*", "port_*")), True),
        (Route("ops", rules=("low_balance",)), False),
        (Route("ops", rules=()), False),
        (Route("ops", accounts=("ma*",)), True),
        (Route("ops", accounts=("test", "MAIN")), False),
        (Route("ops", match=parse_matchers("rule=port_drift,severity!=info")), True),
        (Route("ops", match=parse_matchers("rule=port_drift,account=test")), False),
        (Route("ops", rules=("low_balance",), match=parse_matchers("account=main")), False),
    ],
)
def test_which_alerts_a_route_matches(firing: Alert, route: Route, matches: bool) -> None:  # noqa: FBT001 - a column of the table
    """Severity, rule and account must all match."""
    assert matches == route.matches(firing)


@pytest.mark.parametrize(
    ("route", "matches"),
    [
        (Route("chat"), True),
        (Route("chat", accounts=("test",)), True),
        (Route("chat", min_severity=Severity.CRITICAL), False),
        (Route("chat", rules=("low_*",)), False),
        (Route("ops"), False),
        (Route("ops", accounts=("*",)), False),
    ],
)
def test_a_receiver_is_never_notified_of_its_own_failure(
    firing: Alert,
    route: Route,
    matches: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """All others are, whatever their accounts, if they take the rule and the severity."""
    of_ops = replace(firing, fingerprint=Fingerprint(WATCHER, "delivery_failing", "ops"))

    assert matches == route.matches(of_ops)


def test_a_vm_may_be_called_like_a_receiver(firing: Alert) -> None:
    """Only alerts about the watcher itself are about receivers."""
    of_vm = replace(firing, fingerprint=firing.fingerprint._replace(subject="ops"))

    assert Route("ops").matches(of_vm)


def test_labels(firing: Alert) -> None:
    """The same names for every rule; what is unknown is absent."""
    facts = LowBalance(VmRef("0xAB", "web-1"), None, None, None, None, None, status="SmallBalance")
    of_vm = replace(firing, facts=facts)
    of_watcher = replace(firing, fingerprint=Fingerprint(WATCHER, "delivery_failing", "ops"))

    assert {"rule": "port_drift", "severity": "warning", "account": "main"} == labels(firing)
    assert "fluence-watch" == labels(of_watcher)["account"]
    assert labels(firing) | {
        "vm_id": "0xAB",
        "vm_name": "web-1",
        "status": "SmallBalance",
    } == labels(of_vm)
