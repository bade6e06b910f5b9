"""*VM*: the money, ports, status and price of one VM over time."""

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery
from grafana_foundation_sdk.builders.dashboard import Dashboard as Builder
from grafana_foundation_sdk.builders.statetimeline import Panel as StateTimeline
from grafana_foundation_sdk.models.common import VisibilityMode
from grafana_foundation_sdk.models.dashboard import Dashboard, ValueMap, ValueMappingResult

from grafana.source.board import Section, board, finished, with_account, with_datacenter, with_vm
from grafana.source.panels import (
    BAD_ABOVE_ZERO,
    COUNT,
    DATASOURCE,
    DATE,
    DAYS_LEFT,
    FROM_NOW,
    SECONDS,
    USDC,
    AnyPanel,
    asking,
    described,
    over_time,
    series,
    stat,
)
from grafana.source.queries import LEFT, SPENT, vm
from grafana.source.tables import Column, table


def dashboard() -> Dashboard:
    """The dashboard *VM*."""
    made = board("vm", "Fluence · VM", "One VM: money, ports, status, price.", "1m", "now-7d")
    with_vm(with_datacenter(with_account(made)), several=False)
    _annotate(made)
    return finished(
        made,
        [
            Section("As it is now", _now()),
            Section("Money", _money()),
            Section("Ports and status", _ports_and_status()),
        ],
    )


def _annotate(made: Builder) -> None:
    boundary = "changes(fluence_vm_next_billing_timestamp_seconds{%s}[5m]) > 0"
    alerts = 'sum by (account, rule, severity) (fluence_watch_alerts{%s, state="firing"}) > 0'
    for name, colour, expression in (
        ("Charges", "blue", boundary % 'account=~"$account", vm_id=~"$vm"'),
        ("Alerts of the account", "orange", alerts % 'account=~"$account"'),
        # per VM there are only those of the rules for Prometheus
        (
            "Alerts of the VM, by Prometheus",
            "red",
            'ALERTS{alertname=~"Fluence.+", alertstate="firing", account=~"$account", vm_id=~"$vm"}',
        ),
    ):
        query = AnnotationQuery().name(name).enable(True).icon_color(colour).expr(expression)
        made.annotation(query.datasource(DATASOURCE))


def _now() -> list[AnyPanel]:
    return [
        stat(
            "Status",
            "The status of the VM, as the API tells it now.",
            COUNT,
            f"max by (status) ({vm('status')})",
            name="status",
        ),
        stat(
            "Price",
            "Of an epoch of 24 hours; of an hour in the dialect cloud.",
            USDC,
            f"max({vm('price_per_epoch_usdc')})",
        ),
        stat(
            "Funded for",
            "How long the VM is still paid, its reserve included. Unknown in the dialect cloud, which has"
            " no reserves: there the runway of the account counts.",
            SECONDS,
            f"min({LEFT})",
            steps=DAYS_LEFT,
        ),
        stat(
            "Next charge",
            "When the next epoch of the VM is charged.",
            FROM_NOW,
            f"1000 * max({vm('next_billing_timestamp_seconds')})",
        ),
        stat(
            "Spent in the range",
            "What the VM spent in the dashboard's range, as the ledger has it.",
            USDC,
            f"sum({SPENT})",
        ),
        stat(
            "Drifted ports",
            "Open ports that differ from what is expected, opened and closed together.",
            COUNT,
            f"sum({vm('drifted_ports')})",
            steps=BAD_ABOVE_ZERO,
        ),
        table(
            "What it is",
            "Name, place, address, image and size, as the API tells them.",
            (
                "vm_name",
                "account",
                "datacenter",
                "tier",
                "public_ip",
                "os_image",
                "dialect",
                "vm_id",
            ),
            [
                Column("vCPUs", _described("vcpus"), COUNT),
                Column("Memory", _described("memory_bytes"), "bytes"),
                Column("Storage", _described("storage_bytes"), "bytes"),
                Column("Created", f"1000 * ({_described('created_timestamp_seconds')})", DATE),
            ],
            width=24,
        ).height(5),
    ]


def _described(metric: str) -> str:
    labels = "account, vm_id, vm_name, datacenter, tier, public_ip, os_image, dialect"
    more = "datacenter, tier, public_ip, os_image, dialect"
    return (
        f"max by ({labels}) ({vm(metric)} * on (account, vm_id) group_left ({more}) {vm('info')})"
    )


def _money() -> list[AnyPanel]:
    return [
        series(
            "Reserve and price",
            "The reserve in the VM and the price of a charge. Under the price, the next charge ends"
            " the VM, unless it is topped up before. The dialect cloud has no reserves. The market's"
            " price is there while the rule overpriced is enabled.",
            USDC,
            over_time(f"max({vm('reserved_balance_usdc')})", "reserve"),
            over_time(f"max({vm('price_per_epoch_usdc')})", "price"),
            over_time(f"max({vm('market_price_usdc')})", "the market's price"),
        ),
        series(
            "Spent so far",
            "What the VM has cost since it was created, which the dialect cloud does not tell, and since"
            " fluence-watch watches it.",
            USDC,
            over_time(f"max({vm('total_spent_usdc')})", "since it was created"),
            over_time(f"max({vm('charged_usdc_total')})", "since it is watched"),
        ),
        series(
            "Spent in the last 24 hours",
            "What the VM was charged in the 24 hours before each point.",
            USDC,
            over_time(f"sum(increase({vm('charged_usdc_total')}[1d]))", "spent"),
        ),
        series(
            "Funded for over time",
            "How long the VM was still paid at each time, its reserve included. Empty in the dialect"
            " cloud, which has no reserves.",
            SECONDS,
            over_time(f"min({LEFT})", "funded for"),
        ),
    ]


def _ports_and_status() -> list[AnyPanel]:
    return [
        series(
            "Ports",
            "Open ports, and those that differ from what is expected; a range counts as one.",
            COUNT,
            over_time(f"max({vm('open_ports')})", "open"),
            over_time(f"max by (direction) ({vm('drifted_ports')})", "{{direction}}, unexpected"),
        ),
        _status(),
    ]


def _status() -> StateTimeline:
    panel = described(
        StateTimeline(),
        "Status over time",
        "Which status the VM had when; a gap is a time in which it was not in the list, or"
        " fluence-watch could not see it.",
        COUNT,
        (12, 8),
    )
    asking(panel, [over_time(f"max by (status) ({vm('status')})", "{{status}}")])
    shown = ValueMap({"1": ValueMappingResult(text="yes", color="blue")})
    return panel.mappings([shown]).show_value(VisibilityMode.NEVER)
