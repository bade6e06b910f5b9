from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import Reason, Route, reason_to_notify
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL = Route("ops")
HOURLY = Route("ops", repeat_interval=HOUR)
CRITICAL = Route("ops", min_severity=Severity.CRITICAL)
SILENT = Route("ops", send_resolved=False)


@pytest.mark.parametrize(
    ("route", "wanted"),
    [
        (ALL, True),
        (Route("ops", min_severity=Severity.WARNING), True),
        (CRITICAL, False),
        (Route("ops", rules=("port_drift",)), True),
        (Route("ops", rules=("low_*", "port_*")), True),
        (Route("ops", rules=("low_balance",)), False),
        (Route("ops", rules=()), False),
        (Route("ops", accounts=("ma*",)), True),
        (Route("ops", accounts=("test", "MAIN")), False),
    ],
)
def test_what_a_receiver_wants(firing: Alert, route: Route, wanted: bool) -> None:  # noqa: FBT001 - a column of the table
    """Severity, rule and account must all fit."""
    assert wanted == route.matches(firing)


@pytest.mark.parametrize(
    ("route", "notified_hours_ago", "reason"),
    [
        (ALL, None, Reason.FIRST),
        (CRITICAL, None, None),
        (ALL, 0, None),
        (ALL, 1_000, None),
        (HOURLY, 0.99, None),
        (HOURLY, 1, Reason.REPEAT),
        (HOURLY, 50, Reason.REPEAT),
        (HOURLY, 0, None),
        (HOURLY, -0.99, None),
        (HOURLY, -1, Reason.REPEAT),  # the clock was set back
        (HOURLY, -24, Reason.REPEAT),
        (replace(HOURLY, min_severity=Severity.CRITICAL), 5, None),
        (replace(HOURLY, rules=("low_balance",)), 5, None),
    ],
)
def test_who_is_notified_of_a_firing_alert(
    firing: Alert, route: Route, notified_hours_ago: float | None, reason: Reason | None
) -> None:
    """Once, and again after the repeat interval, as long as the receiver wants it."""
    notified_at = None if notified_hours_ago is None else NOW - notified_hours_ago * HOUR
    assert reason == reason_to_notify(firing, route, notified_at, NOW)


def test_what_is_paused_is_not_repeated(firing: Alert) -> None:
    """Whoever did not hear of it hears of it once."""
    last_notified = [None, NOW - 5 * HOUR]
    reasons = [reason_to_notify(firing, HOURLY, at, NOW, repeats=False) for at in last_notified]
    assert [Reason.FIRST, None] == reasons


@pytest.mark.parametrize(
    ("route", "heard", "quiet", "reason"),
    [
        (ALL, True, False, Reason.RESOLVED),
        (HOURLY, True, False, Reason.RESOLVED),
        (CRITICAL, True, False, Reason.RESOLVED),
        (ALL, False, False, None),
        (SILENT, True, False, None),
        (ALL, True, True, None),
    ],
)
def test_who_is_notified_that_it_resolved(
    firing: Alert,
    route: Route,
    heard: bool,  # noqa: FBT001 - a column of the table
    quiet: bool,  # noqa: FBT001 - a column of the table
    reason: Reason | None,
) -> None:
    """Whoever heard that it fired, be it that they would not hear of it today."""
    resolved = replace(firing, state=State.RESOLVED, ends_at=NOW, quiet=quiet)
    assert reason == reason_to_notify(resolved, route, NOW - HOUR if heard else None, NOW)


@pytest.mark.parametrize("notified_at", [None, NOW - 2 * HOUR])
def test_nobody_is_notified_of_a_pending_alert(firing: Alert, notified_at: datetime | None) -> None:
    """It may never fire."""
    pending = replace(firing, state=State.PENDING, starts_at=None)
    assert reason_to_notify(pending, HOURLY, notified_at, NOW) is None


@pytest.mark.parametrize(
    ("route", "wanted"),
    [
        (Route("chat"), True),
        (Route("chat", accounts=("test",)), True),
        (Route("chat", min_severity=Severity.CRITICAL), False),
        (Route("chat", rules=("low_*",)), False),
        (Route("ops"), False),
        (Route("ops", accounts=("*",), repeat_interval=HOUR), False),
    ],
)
def test_a_receiver_that_fails_is_never_notified_of_it(
    firing: Alert,
    route: Route,
    wanted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """All others are, whatever their accounts, if they take the rule and the severity."""
    of_ops = replace(firing, fingerprint=Fingerprint(WATCHER, "delivery_failing", "ops"))

    assert wanted == route.matches(of_ops)
    assert (Reason.FIRST if wanted else None) is reason_to_notify(of_ops, route, None, NOW)


def test_a_vm_may_be_called_like_a_receiver(firing: Alert) -> None:
    """Only alerts about the watcher itself are about receivers."""
    of_vm = replace(firing, fingerprint=firing.fingerprint._replace(subject="ops"))

    assert ALL.matches(of_vm)
