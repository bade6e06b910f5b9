from datetime import datetime

import pytest

from fluence_watch.metrics.exposition import ExpositionFormat
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.budget import Budget, BudgetState, Tally
from fluence_watch.model.money import MicroUsdc, Sum


@pytest.fixture
def own() -> OwnMetrics:
    return OwnMetrics("1.2.3")


def test_requests(own: OwnMetrics) -> None:
    """Every request is counted and timed, a failed one by its reason as well."""
    own.request("main", "list", 0.2)
    own.request("main", "list", 9.0, "server_error")
    value, labels = own.registry.get_sample_value, {"account": "main", "endpoint": "list"}
    failed = labels | {"reason": "server_error"}

    assert 2.0 == value("fluence_api_requests_total", labels)
    assert 1.0 == value("fluence_api_request_failures_total", failed)
    assert 9.2 == value("fluence_api_request_duration_seconds_sum", labels)


def test_polls(own: OwnMetrics) -> None:
    """Polls are timed per account."""
    own.poll_finished("main", 0.3)

    labels = {"account": "main", "le": "0.5"}
    assert 1.0 == own.registry.get_sample_value("fluence_poll_duration_seconds_bucket", labels)


def test_alerts_are_replaced(own: OwnMetrics) -> None:
    """A poll's counts take the place of those before; another account's stay."""
    own.alerts("main", {("low_balance", "critical", "firing"): 2})
    own.alerts("other", {("low_balance", "critical", "firing"): 1})
    own.alerts("main", {("port_drift", "warning", "pending"): 3})
    lines = {
        line
        for line in own.render(ExpositionFormat.TEXT).decode().splitlines()
        if "alerts{" in line
    }

    assert {
        'fluence_watch_alerts{account="main",rule="port_drift",severity="warning",state="pending"} 3.0',
        'fluence_watch_alerts{account="other",rule="low_balance",severity="critical",state="firing"} 1.0',
    } == lines


def test_budgets_are_replaced(own: OwnMetrics) -> None:
    """All at once, in USDC; a forecast that is not known in full has no sample."""
    one, two = (Budget(name, MicroUsdc(30_000_000)) for name in ("one", "two"))
    spent = Tally(MicroUsdc(12_345_678))
    own.budgets([BudgetState(two, spent)])
    own.budgets([BudgetState(one, spent, Sum(MicroUsdc(1), 1)), BudgetState(two, spent, Sum(MicroUsdc(1)))])  # fmt: skip
    value = own.registry.get_sample_value

    assert 30.0 == value("fluence_budget_limit_usdc", {"budget": "one"})
    assert 12.345678 == value("fluence_budget_spent_usdc", {"budget": "one"})
    assert value("fluence_budget_forecast_usdc", {"budget": "one"}) is None
    assert 12.345679 == value("fluence_budget_forecast_usdc", {"budget": "two"})
    own.budgets([])
    assert value("fluence_budget_limit_usdc", {"budget": "one"}) is None


def test_delivery(own: OwnMetrics, now: datetime) -> None:
    """A new receiver starts at zero; what waits is unknown until it is counted."""
    own.add_receiver("ops")
    value, labels = own.registry.get_sample_value, {"receiver": "ops"}
    assert 0.0 == value("fluence_watch_notifications_total", labels)
    assert value("fluence_watch_outbox_messages", labels) is None
    assert value("fluence_watch_outbox_oldest_timestamp_seconds", labels) is None

    own.delivered("ops")
    own.failed("ops")
    own.possible_duplicate("ops")
    own.outbox("ops", 4, now)
    assert 1.0 == value("fluence_watch_notifications_total", labels)
    assert 1.0 == value("fluence_watch_notification_failures_total", labels)
    assert 1.0 == value("fluence_watch_notification_possible_duplicates_total", labels)
    assert 4.0 == value("fluence_watch_outbox_messages", labels)
    assert now.timestamp() == value("fluence_watch_outbox_oldest_timestamp_seconds", labels)


def test_reloads_and_the_store(own: OwnMetrics, now: datetime) -> None:
    """A failed reload keeps the time of the last good one."""
    own.reloaded(now)
    own.reload_failed()
    own.store_up(up=True)
    value, reload = own.registry.get_sample_value, "fluence_watch_config_last_reload"

    assert 0.0 == value(f"{reload}_successful")
    assert now.timestamp() == value(f"{reload}_success_timestamp_seconds")
    assert 1.0 == value("fluence_watch_store_up")


def test_the_heartbeat(own: OwnMetrics, now: datetime) -> None:
    """Its time is absent until a first one is accepted."""
    value, beat = own.registry.get_sample_value, "fluence_watch_heartbeat"
    assert value(f"{beat}_last_success_timestamp_seconds") is None
    own.beat(now)
    own.heartbeat_failed()
    assert now.timestamp() == value(f"{beat}_last_success_timestamp_seconds")
    assert 1.0 == value(f"{beat}_failures_total")


def test_what_is_removed_leaves_no_series(own: OwnMetrics, now: datetime) -> None:
    """Neither an account nor a receiver stays on the page after it left the settings."""
    for name in ("gone", "stays"):
        own.request(name, "list", 0.1, "unreachable")
        own.poll_finished(name, 0.1)
        own.alerts(name, {("low_balance", "critical", "firing"): 1})
        own.add_receiver(name)
        own.outbox(name, 1, now)
    own.drop_account("gone")
    own.drop_receiver("gone")
    text = own.render(ExpositionFormat.TEXT).decode()

    assert 'account="gone"' not in text
    assert 'receiver="gone"' not in text
    assert 'account="stays"' in text
    assert 'receiver="stays"' in text


def test_the_usual_metrics_and_no_noise(own: OwnMetrics) -> None:
    """Process, Python and build are there; creation times, which nobody asked for, are not."""
    own.request("main", "list", 0.2)
    text = own.render(ExpositionFormat.TEXT).decode()

    assert 'fluence_watch_build_info{python="' in text
    assert ',version="1.2.3"} 1.0' in text
    assert "process_resident_memory_bytes " in text
    assert "python_gc_collections_total{" in text
    assert "_created" not in text
