"""The metrics of the watcher itself; a few hundred lines, rendered at each scrape.

They live on a registry of their own. Every method may be called from any thread. Accounts and
receivers are called as the settings call them.
"""

import platform
from collections.abc import Mapping
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
from fluence_watch.metrics.replaced import ReplacedGauge

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_REQUEST = ("account", "endpoint")
_RECEIVER = ("receiver",)

AlertCounts = Mapping[tuple[str, str, str], int]
"""How many alerts there are, by rule, severity and state (pending, firing or silenced)."""


class OwnMetrics:
    """Metrics of the watcher itself."""

    def __init__(self, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # for the process: no others
        self.registry = CollectorRegistry()
        self._describe_process(version)
        self._describe_api()
        self._describe_delivery()
        self._describe_state()

    def _describe_process(self, version: str) -> None:
        build = Info("fluence_watch_build", "The watcher that runs.", registry=self.registry)
        build.info({"version": version, "python": platform.python_version()})
        self._internal_errors = Counter(
            "fluence_watch_internal_errors",
            "Errors of the watcher itself, by where they happened.",
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
            "How long requests to the Fluence API took.",
            _REQUEST,
        )
        self._poll_seconds = seconds(
            "fluence_poll_duration_seconds",
            "How long polls took, from the request to the commit.",
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
            "Attempts to deliver a message that failed.",
            _RECEIVER,
        )
        self._duplicates = counter(
            "fluence_watch_notification_possible_duplicates",
            "Messages sent again because nobody knows whether they arrived.",
            _RECEIVER,
        )
        self._outbox = replaced(
            "fluence_watch_outbox_messages", "Messages waiting to be delivered.", _RECEIVER
        )
        self._outbox_oldest = replaced(
            "fluence_watch_outbox_oldest_timestamp_seconds",
            "Since when the oldest message waits.",
            _RECEIVER,
        )

    def _describe_state(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self._alerts = ReplacedGauge(
            "fluence_watch_alerts",
            "Open alerts.",
            ("account", "rule", "severity", "state"),
            registry=self.registry,
        )
        self._reload_ok = gauge(
            "fluence_watch_config_last_reload_successful",
            "Whether the configuration that was last read could be used.",
        )
        self._reload_at = gauge(
            "fluence_watch_config_last_reload_success_timestamp_seconds",
            "When a configuration was last taken over.",
        )
        self._store_up = gauge(
            "fluence_watch_store_up", "Whether the store could be used when last needed."
        )

    def request(
        self, account: str, endpoint: str, seconds: float, failure: str | None = None
    ) -> None:
        """A request was answered or given up; `failure` is `ApiError.reason`."""
        self._requests.labels(account, endpoint).inc()
        self._request_seconds.labels(account, endpoint).observe(seconds)
        if failure is not None:
            self._request_failures.labels(account, endpoint, failure).inc()

    def poll_finished(self, account: str, seconds: float) -> None:
        """A poll ended, well or not."""
        self._poll_seconds.labels(account).observe(seconds)

    def internal_error(self, where: str) -> None:
        """An error of our own; `where` is `poll`, `exposition`, `message` or `receivers`."""
        self._internal_errors.labels(where).inc()

    def alerts(self, account: str, counts: AlertCounts) -> None:
        """These are the account's open alerts now."""
        self._alerts.replace(account, dict(counts.items()))

    def add_receiver(self, receiver: str) -> None:
        """A receiver is configured: its counters start at 0. What waits for it is still unknown."""
        for counter in (self._notifications, self._notification_failures, self._duplicates):
            counter.labels(receiver)

    def told(self, receiver: str) -> None:
        """A receiver accepted a message."""
        self._notifications.labels(receiver).inc()

    def failed(self, receiver: str) -> None:
        """An attempt to deliver failed."""
        self._notification_failures.labels(receiver).inc()

    def possible_duplicate(self, receiver: str) -> None:
        """A message is sent again although it may have arrived."""
        self._duplicates.labels(receiver).inc()

    def outbox(self, receiver: str, waiting: int, oldest: datetime | None) -> None:
        """So many messages wait for the receiver, the oldest since then."""
        self._outbox.replace(receiver, {(): waiting})
        self._outbox_oldest.replace(receiver, {(): oldest.timestamp()} if oldest else {})

    def reloaded(self, at: datetime) -> None:
        """A configuration was taken over."""
        self._reload_ok.set(1)
        self._reload_at.set(at.timestamp())

    def reload_failed(self) -> None:
        """A configuration could not be used; the one before goes on."""
        self._reload_ok.set(0)

    def store_up(self, *, up: bool) -> None:
        """The store could be used, or could not."""
        self._store_up.set(int(up))

    def drop_account(self, account: str) -> None:
        """An account is gone, and its series with it."""
        labels = {"account": account}
        self._requests.remove_by_labels(labels)
        self._request_failures.remove_by_labels(labels)
        self._request_seconds.remove_by_labels(labels)
        self._poll_seconds.remove_by_labels(labels)
        self._alerts.drop(account)

    def drop_receiver(self, receiver: str) -> None:
        """A receiver is gone, and its series with it."""
        for counter in (self._notifications, self._notification_failures, self._duplicates):
            counter.remove_by_labels({"receiver": receiver})
        self._outbox.drop(receiver)
        self._outbox_oldest.drop(receiver)

    def render(self, chosen: ExpositionFormat) -> bytes:
        """All of them; for OpenMetrics with the end mark, so they go last."""
        render = generate_openmetrics if chosen is ExpositionFormat.OPENMETRICS else generate_latest
        return render(self.registry)
