"""The metrics of the watcher itself: a few hundred lines, rendered at each scrape.

They use a separate registry. Every method may be called from any thread.
Accounts and receivers have the names from the settings.
"""

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from fluence_watch.metrics.negotiation import ExpositionFormat
from fluence_watch.metrics.replaced import ReplacedGauge, Series
from fluence_watch.model.budget import BudgetState
from fluence_watch.model.money import MicroUsdc, in_usdc

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_REQUEST = ("account", "endpoint")
_RECEIVER = ("receiver",)

AlertCounts = Mapping[tuple[str, str, str], int]
"""The number of alerts by rule, severity and state (pending, firing or silenced)."""

SILENCED = "silenced"
"""The state of an alert that fires and of which nobody is notified now."""


class OwnMetrics:
    """Metrics of the watcher itself."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # process-wide
        self.registry = CollectorRegistry()
        self._describe_process(version)
        self._describe_api()
        self._describe_delivery()
        self._describe_state()
        self._describe_budgets()
        self._describe_heartbeat()
        self._record_failures = Counter(
            "fluence_watch_record_failures",
            "Polls that could not be recorded.",
            registry=self.registry,
        )

    def _describe_process(self, version: str) -> None:
        build = Info(
            "fluence_watch_build", "Version of fluence-watch and Python.", registry=self.registry
        )
        build.info({"version": version, "python": platform.python_version()})
        self._internal_errors = Counter(
            "fluence_watch_internal_errors",
            "Internal errors of fluence-watch, by place.",
            ("where",),
            registry=self.registry,
        )
        for where in ("poll", "exposition", "message", "receivers"):
            self._internal_errors.labels(where)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def _describe_api(self) -> None:
        counter = partial(Counter, registry=self.registry)
        seconds = partial(Histogram, buckets=_SECONDS, registry=self.registry)
        self._requests = counter("fluence_api_requests", "Requests to the Fluence API.", _REQUEST)
        self._request_failures = counter(
            "fluence_api_request_failures",
            "Requests to the Fluence API that failed, by reason.",
            (*_REQUEST, "reason"),
        )
        self._request_seconds = seconds(
            "fluence_api_request_duration_seconds",
            "Duration of requests to the Fluence API.",
            _REQUEST,
        )
        self._poll_seconds = seconds(
            "fluence_poll_duration_seconds",
            "Duration of polls, from the request to the commit.",
            ("account",),
        )

    def _describe_delivery(self) -> None:
        counter = partial(Counter, registry=self.registry)
        replaced = partial(ReplacedGauge, registry=self.registry)
        self._notifications = counter(
            "fluence_watch_notifications", "Messages that a receiver accepted.", _RECEIVER
        )
        self._notification_failures = counter(
            "fluence_watch_notification_failures",
            "Failed attempts to deliver a message.",
            _RECEIVER,
        )
        self._duplicates = counter(
            "fluence_watch_notification_possible_duplicates",
            "Messages sent again because it was unknown whether they had arrived.",
            _RECEIVER,
        )
        self._given_up = counter(
            "fluence_watch_notification_given_up_alerts",
            "Alerts that a receiver refuses for good, and digests that it did not accept in time.",
            _RECEIVER,
        )
        self._outbox = replaced(
            "fluence_watch_outbox_messages", "Number of messages waiting for delivery.", _RECEIVER
        )
        self._outbox_oldest = replaced(
            "fluence_watch_outbox_oldest_timestamp_seconds",
            "Time since which the oldest alert of the waiting messages waits.",
            _RECEIVER,
        )

    def _describe_state(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self._alerts = ReplacedGauge(
            "fluence_watch_alerts",
            "Number of open alerts.",
            ("account", "rule", "severity", "state"),
            registry=self.registry,
        )
        self._silences = gauge("fluence_watch_silences", "Number of silences in force.")
        self._reload_ok = gauge(
            "fluence_watch_config_last_reload_successful",
            "Whether the last configuration reload was successful.",
        )
        self._reload_at = gauge(
            "fluence_watch_config_last_reload_success_timestamp_seconds",
            "Time of the last successful configuration reload.",
        )
        self._store_up = gauge(
            "fluence_watch_store_up", "Whether the last use of the store was successful."
        )

    def _describe_budgets(self) -> None:
        gauge = partial(ReplacedGauge, labels=("budget",), registry=self.registry)
        self._limit = gauge("fluence_budget_limit_usdc", "What a calendar month may cost in USDC.")
        self._spent = gauge(
            "fluence_budget_spent_usdc", "What is spent of the budget this month in USDC."
        )
        self._forecast = gauge(
            "fluence_budget_forecast_usdc",
            "What the month costs by its end, if all that runs is kept, in USDC.",
        )

    def _describe_heartbeat(self) -> None:
        self._heartbeat_at = ReplacedGauge(
            "fluence_watch_heartbeat_last_success_timestamp_seconds",
            "Time of the last heartbeat that its service accepted.",
            (),
            registry=self.registry,
        )
        self._heartbeat_failures = Counter(
            "fluence_watch_heartbeat_failures",
            "Calls of the heartbeat that failed, retries included.",
            registry=self.registry,
        )

    def request(
        self, account: str, endpoint: str, seconds: float, failure: str | None = None
    ) -> None:
        """Count a finished request. `failure` is `ApiError.reason` if it failed."""
        self._requests.labels(account, endpoint).inc()
        self._request_seconds.labels(account, endpoint).observe(seconds)
        if failure is not None:
            self._request_failures.labels(account, endpoint, failure).inc()

    def poll_finished(self, account: str, seconds: float) -> None:
        """Observe a finished poll, successful or failed."""
        self._poll_seconds.labels(account).observe(seconds)

    def internal_error(self, where: str) -> None:
        """Count an internal error. `where` is `poll`, `exposition`, `message` or `receivers`."""
        self._internal_errors.labels(where).inc()

    def alerts(self, account: str, counts: AlertCounts) -> None:
        """Set the account's open alerts."""
        self._alerts.replace(account, dict(counts.items()))

    def silences(self, number: int) -> None:
        """Set how many silences are in force."""
        self._silences.set(number)

    def budgets(self, states: Sequence[BudgetState]) -> None:
        """Set the budgets; an unknown forecast has no sample."""
        self._limit.replace_all({each.budget.name: _usdc(each.budget.limit) for each in states})
        self._spent.replace_all({each.budget.name: _usdc(each.spent) for each in states})
        self._forecast.replace_all({each.budget.name: _usdc(each.forecast) for each in states})

    def add_receiver(self, receiver: str) -> None:
        """Start the counters of a configured receiver at 0. Its queue is still unknown."""
        for counter in self._of_receivers:
            counter.labels(receiver)

    def delivered(self, receiver: str) -> None:
        """Count a message that the receiver accepted."""
        self._notifications.labels(receiver).inc()

    def failed(self, receiver: str) -> None:
        """Count a failed delivery attempt."""
        self._notification_failures.labels(receiver).inc()

    def possible_duplicate(self, receiver: str) -> None:
        """Count a message that is sent again although it may have arrived."""
        self._duplicates.labels(receiver).inc()

    def given_up(self, receiver: str, alerts: int) -> None:
        """Count alerts that the receiver refuses for good, or a digest that it does not accept."""
        self._given_up.labels(receiver).inc(alerts)

    @property
    def _of_receivers(self) -> tuple[Counter, ...]:
        attempts = self._notifications, self._notification_failures
        return *attempts, self._duplicates, self._given_up

    def outbox(self, receiver: str, waiting: int, oldest: datetime | None) -> None:
        """Set how many messages wait for the receiver, and since when the oldest alert does."""
        self._outbox.replace(receiver, {(): waiting})
        self._outbox_oldest.replace(receiver, {(): oldest.timestamp()} if oldest else {})

    def reloaded(self, at: datetime) -> None:
        """Record a successful configuration reload."""
        self._reload_ok.set(1)
        self._reload_at.set(at.timestamp())

    def reload_failed(self) -> None:
        """Record a failed reload. The previous configuration stays in use."""
        self._reload_ok.set(0)

    def store_up(self, *, up: bool) -> None:
        """Record whether the store could be used."""
        self._store_up.set(int(up))

    def beat(self, at: datetime) -> None:
        """Record a heartbeat that was accepted."""
        self._heartbeat_at.replace("", {(): at.timestamp()})

    def heartbeat_failed(self) -> None:
        """Count a call of the heartbeat that failed."""
        self._heartbeat_failures.inc()

    def record_failed(self) -> None:
        """Count a poll that could not be recorded."""
        self._record_failures.inc()

    def drop_account(self, account: str) -> None:
        """Remove all series of an account."""
        labels = {"account": account}
        self._requests.remove_by_labels(labels)
        self._request_failures.remove_by_labels(labels)
        self._request_seconds.remove_by_labels(labels)
        self._poll_seconds.remove_by_labels(labels)
        self._alerts.drop(account)

    def drop_receiver(self, receiver: str) -> None:
        """Remove all series of a receiver."""
        for counter in self._of_receivers:
            counter.remove_by_labels({"receiver": receiver})
        self._outbox.drop(receiver)
        self._outbox_oldest.drop(receiver)

    def render(self, chosen: ExpositionFormat) -> bytes:
        """Render all metrics. In OpenMetrics they end with the end mark, so they go last."""
        render = generate_openmetrics if chosen is ExpositionFormat.OPENMETRICS else generate_latest
        return render(self.registry)


def _usdc(amount: MicroUsdc | None) -> Series:
    """The series of an amount, none if it is unknown."""
    value = in_usdc(amount)
    return {} if value is None else {(): float(value)}
