"""*Watcher*: how fluence-watch itself does."""

from grafana_foundation_sdk.builders.heatmap import HeatmapColorOptions, YAxisConfig
from grafana_foundation_sdk.builders.heatmap import Panel as Heatmap
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.dashboard import Dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.source.board import Section, board, finished, with_account
from grafana.source.panels import (
    COUNT,
    FROM_NOW,
    PLAIN,
    SECONDS,
    USDC,
    AnyPanel,
    asking,
    described,
    over_time,
    series,
    stat,
)
from grafana.source.queries import ACCOUNT, age, of_watcher

_GOOD_IS_ONE = ((None, "red"), (1, "green"))
_OLD = ((None, "green"), (300, "orange"), (900, "red"))
_BOOKED = f"sum by (account) (increase(fluence_account_charged_usdc_total{{{ACCOUNT}}}[1d]))"
_LAST_BEAT = (
    "time() - fluence_watch_heartbeat_last_success_timestamp_seconds"
    f" or {of_watcher('time() - process_start_time_seconds')}"
    " and on (instance) fluence_watch_heartbeat_failures_total > 0"
)
_REASONS = f"fluence_api_request_failures_total{{{ACCOUNT}}}"


def dashboard() -> Dashboard:
    """The dashboard *Watcher*."""
    made = board(
        "watcher", "Fluence · Watcher", "The health of fluence-watch itself.", "30s", "now-6h"
    )
    with_account(made)
    return finished(
        made,
        [
            Section("As it is now", _now()),
            Section("Polls", _polls()),
            Section("Delivery", _notifications()),
            Section("Process", _process()),
        ],
    )


def _now() -> list[AnyPanel]:
    return [
        stat(
            "Oldest good poll",
            "How long ago the account that waits longest was last read. Accounts that never could be"
            " read are not in it.",
            SECONDS,
            f"max({age('fluence_last_successful_poll_timestamp_seconds')})",
            steps=_OLD,
        ),
        stat(
            "Oldest message",
            "How long the oldest message has been waiting for its receiver; 0 when none waits.",
            SECONDS,
            "max(time() - fluence_watch_outbox_oldest_timestamp_seconds)"
            " or 0 * max(fluence_watch_outbox_messages)",
            steps=_OLD,
        ),
        stat(
            "Store",
            "Whether the last poll could be committed.",
            COUNT,
            "min(fluence_watch_store_up)",
            steps=_GOOD_IS_ONE,
            words={0: "fails", 1: "works"},
        ),
        stat(
            "Configuration",
            "Whether the configuration that was last read is in use; when it has mistakes, the one"
            " before goes on.",
            COUNT,
            "min(fluence_watch_config_last_reload_successful)",
            steps=_GOOD_IS_ONE,
            words={0: "has mistakes", 1: "in use"},
        ),
        stat(
            "Last reload",
            "When a configuration was last taken into use.",
            FROM_NOW,
            "1000 * max(fluence_watch_config_last_reload_success_timestamp_seconds)",
        ),
        stat(
            "Version",
            "The version of fluence-watch that runs.",
            COUNT,
            "max by (version) (fluence_watch_build_info)",
            steps=PLAIN,
            name="version",
        ),
    ]


def _polls() -> list[AnyPanel]:
    return [
        series(
            "Age of the last good poll",
            "How long ago each account was last read; the 20 oldest.",
            SECONDS,
            over_time(
                f"topk(20, {age('fluence_last_successful_poll_timestamp_seconds')})", "{{account}}"
            ),
        ),
        series(
            "API requests",
            "Requests to the API a second, by endpoint.",
            "reqps",
            over_time(
                "sum by (endpoint)"
                f" (rate(fluence_api_requests_total{{{ACCOUNT}}}[$__rate_interval]))",
                "{{endpoint}}",
            ),
        ),
        series(
            "API failures by reason",
            "Requests to the API that failed, a second. Empty while none ever failed.",
            "reqps",
            over_time(
                f"sum by (reason, endpoint) (rate({_REASONS}[$__rate_interval]))",
                "{{reason}} ({{endpoint}})",
            ),
        ),
        series(
            "Internal errors",
            "Errors of fluence-watch itself in each interval, by where they happened: please report"
            " them.",
            COUNT,
            over_time(
                "sum by (where) (increase(fluence_watch_internal_errors_total[$__rate_interval]))",
                "{{where}}",
            ),
        ),
        series(
            "Booked in the ledger",
            "What polls booked as charged in the 24 hours before each point, for each account; the 20"
            " largest. A line that falls to 0 while VMs run is a ledger that nobody writes.",
            USDC,
            over_time(f"topk(20, {_BOOKED})", "{{account}}"),
            width=24,
        ),
        _heatmap(
            "Duration of polls",
            "How many polls took how long, from the request to the commit.",
            "fluence_poll_duration_seconds_bucket",
        ),
        _heatmap(
            "Duration of API requests",
            "How many requests to the API took how long.",
            "fluence_api_request_duration_seconds_bucket",
        ),
    ]


def _heatmap(title: str, description: str, buckets: str) -> Heatmap:
    panel = described(Heatmap(), title, description, COUNT, (12, 8))
    expression = f"sum by (le) (increase({buckets}{{{ACCOUNT}}}[$__rate_interval]))"
    query = Dataquery().expr(expression).legend_format("{{le}}").range()
    asking(panel, [query.format(PromQueryFormat.HEATMAP)])
    panel.y_axis(YAxisConfig().unit(SECONDS))
    return panel.color(HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues"))


def _notifications() -> list[AnyPanel]:
    return [
        series(
            "Messages that wait",
            "Messages in the outbox of each receiver; the 20 with the most.",
            COUNT,
            over_time(
                "topk(20, max by (receiver) (fluence_watch_outbox_messages))", "{{receiver}}"
            ),
        ),
        series(
            "Age of the oldest message",
            "How long the oldest message has been waiting; the 20 longest. Empty while none waits.",
            SECONDS,
            over_time(
                "topk(20, max by (receiver)"
                " (time() - fluence_watch_outbox_oldest_timestamp_seconds))",
                "{{receiver}}",
            ),
        ),
        series(
            "Notifications",
            "Messages that each receiver accepted, attempts that failed, messages that may have"
            " arrived twice, and alerts that were refused for good, in each interval; the 20"
            " highest of each.",
            COUNT,
            *(
                over_time(
                    f"topk(20, sum by (receiver) (increase({metric}[$__rate_interval])))",
                    f"{{{{receiver}}}}: {what}",
                )
                for metric, what in (
                    ("fluence_watch_notifications_total", "accepted"),
                    ("fluence_watch_notification_failures_total", "failed"),
                    (
                        "fluence_watch_notification_possible_duplicates_total",
                        "possibly twice",
                    ),
                    ("fluence_watch_notification_given_up_alerts_total", "refused for good"),
                )
            ),
        ),
        series(
            "Alerts",
            "Open alerts of the chosen accounts and about the watcher itself, by state.",
            COUNT,
            over_time(
                'sum by (state, severity) (fluence_watch_alerts{account=~"$account|fluence-watch"})',
                "{{state}}, {{severity}}",
            ),
            stacked=True,
        ),
        series(
            "Age of the last heartbeat",
            "How long ago the service of the heartbeat last accepted that all is well; while it never"
            " did and calls fail, how long fluence-watch has been running. Empty without a heartbeat.",
            SECONDS,
            over_time(_LAST_BEAT, "{{instance}}"),
            width=24,
        ),
    ]


def _process() -> list[AnyPanel]:
    return [
        series(
            "Memory",
            "Resident and virtual memory of fluence-watch.",
            "bytes",
            over_time(of_watcher("process_resident_memory_bytes"), "resident {{instance}}"),
            over_time(of_watcher("process_virtual_memory_bytes"), "virtual {{instance}}"),
        ),
        series(
            "Processor",
            "Processors that fluence-watch keeps busy.",
            COUNT,
            over_time(
                of_watcher("rate(process_cpu_seconds_total[$__rate_interval])"), "{{instance}}"
            ),
        ),
        series(
            "Open files",
            "File descriptors in use, and how many there may be.",
            COUNT,
            over_time(of_watcher("process_open_fds"), "open {{instance}}"),
            over_time(of_watcher("process_max_fds"), "at most {{instance}}"),
        ),
        series(
            "Running for",
            "How long fluence-watch has been running; back at 0 after a restart.",
            SECONDS,
            over_time(of_watcher("time() - process_start_time_seconds"), "{{instance}}"),
        ),
    ]
