"""*Accounts*: balances, runway and failing polls, side by side."""

from grafana_foundation_sdk.builders.table import Panel as Table
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source.board import Section, board, finished, with_account
from grafana.source.budgets import budgets
from grafana.source.panels import (
    BAD_ABOVE_ZERO,
    COUNT,
    DAYS_LEFT,
    SECONDS,
    USDC,
    AnyPanel,
    over_time,
    series,
    stat,
)
from grafana.source.queries import ACCOUNT, CHARGED, VM, age
from grafana.source.tables import Column, table

_UP = f"fluence_up{{{ACCOUNT}}}"
_AGE = f"({age('fluence_last_successful_poll_timestamp_seconds')})"
_BALANCE = f"fluence_account_balance_usdc{{{ACCOUNT}}}"
_RUNWAY = f"(fluence_account_funded_until_timestamp_seconds{{{ACCOUNT}}} - time())"
_REJECTED = f"fluence_rejected_vms{{{ACCOUNT}}}"
_FAILURES = f"fluence_api_request_failures_total{{{ACCOUNT}}}"
_BURN = f"max by (account) (fluence_account_burn_usdc_per_day{{{ACCOUNT}}})"
_MONTH = f"max by (account) (fluence_account_month_to_date_usdc{{{ACCOUNT}}})"
_MONTH_END = f"max by (account) (fluence_account_month_forecast_usdc{{{ACCOUNT}}})"
_DAY = f"max by (account) (increase({CHARGED}[1d]))"
_OWED = f"max by (account) (fluence_account_overage_usdc{{{ACCOUNT}}})"
_REMOVED = f"fluence_account_removal_timestamp_seconds{{{ACCOUNT}}}"
_RENTED = f"fluence_resources{{{ACCOUNT}}}"
_RENTED_BURN = f"fluence_resources_burn_usdc_per_day{{{ACCOUNT}}}"
_BILLED = f'fluence_account_billed_usdc{{{ACCOUNT}, kind!="other"}}'
_EXPECTED = f'fluence_account_expected_charge_usdc{{{ACCOUNT}, bound="high"}}'
_PERMISSION = f"fluence_account_permission{{{ACCOUNT}}}"
_NOT_ENDED = f'unless on ({VM}) fluence_vm_status{{{ACCOUNT}, status=~"draft|terminating|terminated|failed"}}'
_NEAREST = (
    f"min by (account) (fluence_vm_funded_until_timestamp_seconds{{{ACCOUNT}}} - time()"
    f" {_NOT_ENDED})"
)
_STALE = ((None, "green"), (300, "orange"), (900, "red"))
_UP_COLOURS = ((None, "red"), (1, "green"))


def dashboard() -> Dashboard:
    """The dashboard *Accounts*."""
    made = board("accounts", "Fluence · Accounts", "All accounts, side by side.", "1m", "now-24h")
    with_account(made)
    return finished(
        made,
        [
            Section("As it is now", _now()),
            Section("Side by side", [_side_by_side()]),
            Section("Money", [*_money(), budgets()]),
            Section("Disks, public IPs, GPU instances", _rented()),
            Section("Polls", _polls()),
        ],
    )


def _now() -> list[AnyPanel]:
    return [
        stat("Accounts", "Accounts in the configuration of fluence-watch.", COUNT, f"count({_UP})"),
        stat(
            "Not watched now",
            "Accounts whose last poll failed or was not complete.",
            COUNT,
            f"count({_UP} == 0) or vector(0)",
            steps=BAD_ABOVE_ZERO,
        ),
        stat(
            "Oldest list",
            "How long ago the list of the account that waits longest was last read. Accounts that"
            " never could be read are not in it: see Not watched now.",
            SECONDS,
            f"max({_AGE})",
            steps=_STALE,
        ),
        stat(
            "Balance",
            "All balances together, where the API tells them: in the dialect cloud.",
            USDC,
            f"sum({_BALANCE})",
        ),
        stat(
            "Shortest runway",
            "How long the account that runs dry first can pay for what it rents, where the API tells"
            " its balance: in the dialect cloud.",
            SECONDS,
            f"min({_RUNWAY})",
            steps=DAYS_LEFT,
        ),
        stat(
            "Owed",
            "What accounts owe beyond their balance: all that is rented is removed when it is not"
            " paid. Where the API tells it: in the dialect cloud.",
            USDC,
            f"sum({_OWED})",
            steps=BAD_ABOVE_ZERO,
        ),
        stat(
            "Rejected elements",
            "Elements of the last lists that could not be read: their VMs are unknown.",
            COUNT,
            f"sum({_REJECTED})",
            steps=BAD_ABOVE_ZERO,
        ),
    ]


def _side_by_side() -> Table:
    fired = f'sum by (account) (fluence_watch_alerts{{{ACCOUNT}, state="firing"}})'
    failed = f"sum by (account) (increase({_FAILURES}[$__range]))"
    return table(
        "All accounts",
        "Each account in a row; a click on a heading sorts. Balance and runway are those of the"
        " account where the API tells them, the shortest funding that of the VM that runs dry"
        " first. Failed requests are those of the dashboard's range.",
        ("account",),
        [
            Column("Watched", f"max by (account) ({_UP})", COUNT, _UP_COLOURS, {0: "no", 1: "yes"}),
            Column("List read ago", f"max by (account) ({_AGE})", SECONDS, _STALE),
            Column("VMs", f"sum by (account) (fluence_vms{{{ACCOUNT}}})", COUNT),
            Column("Rejected", f"max by (account) ({_REJECTED})", COUNT, BAD_ABOVE_ZERO),
            Column("Burn a day", _BURN, USDC),
            Column("In 24 hours", _DAY, USDC),
            Column("This month", _MONTH, USDC),
            Column("By its end", _MONTH_END, USDC),
            Column("Balance", f"max by (account) ({_BALANCE})", USDC),
            Column("Owed", _OWED, USDC, BAD_ABOVE_ZERO),
            Column("Runway", f"min by (account) ({_RUNWAY})", SECONDS, DAYS_LEFT),
            Column("Shortest funding", _NEAREST, SECONDS, DAYS_LEFT),
            Column("Failed requests", failed, COUNT),
            Column("Alerts", fired, COUNT),
        ],
        width=24,
    ).height(16)


def _money() -> list[AnyPanel]:
    return [
        series(
            "Lowest balances",
            "The 20 lowest balances, where the API tells them: in the dialect cloud.",
            USDC,
            over_time(f"bottomk(20, {_BALANCE})", "{{account}}"),
        ),
        series(
            "Runway",
            "How long the balance paid for the VMs at each time; the 20 shortest, in the dialect"
            " cloud.",
            SECONDS,
            over_time(f"bottomk(20, {_RUNWAY})", "{{account}}"),
        ),
        series(
            "Burn a day",
            "What each account's VMs, disks and public IPs cost in 24 hours; the 20 largest. Needs the recording rules"
            " of grafana/prometheus/rules: empty without them.",
            USDC,
            over_time(f"topk(20, fluence:account_burn_usdc:1d{{{ACCOUNT}}})", "{{account}}"),
        ),
        series(
            "Spent in the last 24 hours",
            "What each account was charged in the 24 hours before each point, for everything that it"
            " rents; the 20 largest.",
            USDC,
            over_time(f"topk(20, {_DAY})", "{{account}}"),
        ),
        series(
            "This month, and by its end",
            "What was charged this month (UTC) since the account is watched, and what it comes to by"
            " the month's end if all that runs is kept; the 10 largest.",
            USDC,
            over_time(f"topk(10, {_MONTH})", "{{account}}"),
            over_time(f"topk(10, {_MONTH_END})", "{{account}} by its end"),
        ),
        series(
            "Charged and expected",
            "What the API charged for the last settled day, and the most that everything should have"
            " cost; the 10 largest. In the dialect cloud, with a key that may read charges.",
            USDC,
            over_time(f"topk(10, {_sum(_BILLED)})", "{{account}} charged"),
            over_time(f"topk(10, {_sum(_EXPECTED)})", "{{account}} expected"),
        ),
        series(
            "VMs",
            "How many VMs each account has; the 20 largest.",
            COUNT,
            over_time(f"topk(20, sum by (account) (fluence_vms{{{ACCOUNT}}}))", "{{account}}"),
            width=24,
        ),
    ]


def _rented() -> list[AnyPanel]:
    return [
        table(
            "Disks, public IPs and GPU instances by account",
            "How many are rented and billed by themselves, by whether a VM uses them; the 100 largest"
            " numbers. `fluence-watch disk ls --idle` and `ip ls --idle` list those that no VM uses."
            " In the dialect cloud, and of the GPU cloud.",
            ("account", "kind", "attached"),
            [Column("Number", f"topk(100, {_by('account, kind, attached', _RENTED)} > 0)", COUNT)],
            descending=True,
        ),
        table(
            "When what is not paid is removed",
            "How long VMs, public IPs and disks stay at most, unless the account is topped up; the 100"
            " nearest. In the dialect cloud, while everything that the account rents is known.",
            ("account", "kind"),
            [
                Column(
                    "Removed in",
                    f"bottomk(100, {_by('account, kind', _REMOVED)} - time())",
                    SECONDS,
                    DAYS_LEFT,
                )
            ],
        ),
        table(
            "What they cost a day",
            "The 100 largest costs of disks, public IPs and GPU instances in 24 hours. In the dialect"
            " cloud, and of the GPU cloud.",
            ("account", "kind"),
            [Column("Burn a day", f"topk(100, {_by('account, kind', _RENTED_BURN)})", USDC)],
            descending=True,
        ),
        table(
            "What keys may not read",
            "Permissions that a poll needs and the key lacks: that part of the account is not watched."
            " Empty when nothing is missing. In the dialect cloud.",
            ("account", "permission"),
            [
                Column(
                    "Allowed",
                    f"topk(100, {_by('account, permission', _PERMISSION)} == 0)",
                    COUNT,
                    _UP_COLOURS,
                    {0: "no"},
                )
            ],
        ),
        _gpus(),
    ]


def _gpus() -> Table:
    labels = ("account", "gpu_name", "kind", "gpu", "gpu_id")
    by = ", ".join(labels)
    nearest = f"bottomk(100, {_by(by, _gpu('funded_until_timestamp_seconds'))} - time())"

    def of_nearest(metric: str) -> str:
        return f"{_by(by, _gpu(metric))} and on (account, gpu_id) {nearest}"

    return table(
        "GPU instances, nearest end first",
        "The 100 GPU instances that run dry first. Each hour is charged from a reserve of two hours,"
        " which is then topped up; an instance whose hour cannot be paid ends and is deleted. Of"
        " accounts with gpu = true.",
        labels,
        [
            Column("Funded for", nearest, SECONDS),
            Column("Reserve", of_nearest("reserved_balance_usdc"), USDC),
            Column("Price an hour", of_nearest("price_per_hour_usdc"), USDC),
            Column("Spent", of_nearest("total_spent_usdc"), USDC),
        ],
        width=24,
    )


def _gpu(metric: str) -> str:
    return f"fluence_gpu_{metric}{{{ACCOUNT}}}"


def _by(labels: str, expression: str) -> str:
    return f"max by ({labels}) ({expression})"


def _sum(expression: str) -> str:
    """The kinds of an account together, however many watch it."""
    return f"sum by (account) (max by (account, kind) ({expression}))"


def _polls() -> list[AnyPanel]:
    return [
        series(
            "Age of the list",
            "How long ago each account was last read; the 20 oldest. It should not exceed a few poll"
            " intervals.",
            SECONDS,
            over_time(f"topk(20, {_AGE})", "{{account}}"),
        ),
        series(
            "Failing requests",
            "Requests to the API that failed, a second, by reason; the 20 highest. Empty while none"
            " ever failed.",
            "reqps",
            over_time(
                f"topk(20, sum by (account, reason) (rate({_FAILURES}[$__rate_interval])))",
                "{{account}}: {{reason}}",
            ),
        ),
        series(
            "Rejected elements by account",
            "Elements of each list that could not be read; the 20 highest. Upgrade fluence-watch"
            " when there are any.",
            COUNT,
            over_time(f"topk(20, {_REJECTED})", "{{account}}"),
            width=24,
        ),
    ]
