"""What users' dashboards, scripts and container checks depend on: adding is free, changing is not."""

import importlib.metadata
import platform
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from typer.main import get_command
from typer.testing import CliRunner

import fluence_watch
from fluence_watch.cli.commands import app
from fluence_watch.metrics.exposition import AccountView, Exposition
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.bill import Bill, Span
from fluence_watch.model.billing import METERED
from fluence_watch.model.budget import Budget, BudgetState, Tally
from fluence_watch.model.debt import Removal
from fluence_watch.model.market import Market, Quote, offers_of
from fluence_watch.model.money import MicroUsdc, Sum
from fluence_watch.model.ports import SSH
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Datacenter, Status, Vm
from fluence_watch.rules import RULES

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)

ACCOUNT = ("account",)
VM = ("account", "vm_id", "vm_name")
PLACE = ("datacenter", "country", "city")
METRICS = {
    "fluence_up": ACCOUNT,
    "fluence_last_successful_poll_timestamp_seconds": ACCOUNT,
    "fluence_vms": (*ACCOUNT, *PLACE, "status"),
    "fluence_vm_info": (*VM, *PLACE, "tier", "public_ip", "os_image", "dialect"),
    "fluence_vm_status": (*VM, "status"),
    "fluence_vm_price_per_epoch_usdc": VM,
    "fluence_vm_reserved_balance_usdc": VM,
    "fluence_vm_total_spent_usdc": VM,
    "fluence_vm_next_billing_timestamp_seconds": VM,
    "fluence_vm_created_timestamp_seconds": VM,
    "fluence_vm_funded_until_timestamp_seconds": VM,
    "fluence_vm_open_ports": VM,
    "fluence_vm_drifted_ports": (*VM, "direction"),
    "fluence_vm_vcpus": VM,
    "fluence_vm_memory_bytes": VM,
    "fluence_vm_storage_bytes": VM,
    "fluence_account_balance_usdc": ACCOUNT,
    "fluence_account_funded_until_timestamp_seconds": ACCOUNT,
    "fluence_rejected_vms": ACCOUNT,
    **dict.fromkeys(
        (
            "fluence_gpu_price_per_hour_usdc",
            "fluence_gpu_reserved_balance_usdc",
            "fluence_gpu_total_spent_usdc",
            "fluence_gpu_funded_until_timestamp_seconds",
            "fluence_gpu_running",
        ),
        (*ACCOUNT, "kind", "gpu_id", "gpu_name", "gpu"),
    ),
    "fluence_account_overage_usdc": ACCOUNT,
    "fluence_vm_market_price_usdc": VM,
    "fluence_account_billed_usdc": (*ACCOUNT, "kind"),
    "fluence_account_expected_charge_usdc": (*ACCOUNT, "kind", "bound"),
    "fluence_account_removal_timestamp_seconds": (*ACCOUNT, "kind"),
    "fluence_account_burn_usdc_per_day": ACCOUNT,
    "fluence_vm_charged_usdc_total": VM,
    "fluence_account_charged_usdc_total": ACCOUNT,
    "fluence_account_month_to_date_usdc": ACCOUNT,
    "fluence_account_month_forecast_usdc": ACCOUNT,
    "fluence_resources": ("account", "kind", "attached"),
    "fluence_resources_burn_usdc_per_day": ("account", "kind"),
    "fluence_account_permission": ("account", "permission"),
    "fluence_budget_limit_usdc": ("budget",),
    "fluence_budget_spent_usdc": ("budget",),
    "fluence_budget_forecast_usdc": ("budget",),
    "fluence_watch_silences": (),
    "fluence_watch_alerts": ("account", "rule", "severity", "state"),
    "fluence_api_requests_total": ("account", "endpoint"),
    "fluence_api_request_failures_total": ("account", "endpoint", "reason"),
    "fluence_api_request_duration_seconds_bucket": ("account", "endpoint", "le"),
    "fluence_api_request_duration_seconds_count": ("account", "endpoint"),
    "fluence_api_request_duration_seconds_sum": ("account", "endpoint"),
    "fluence_poll_duration_seconds_bucket": ("account", "le"),
    "fluence_poll_duration_seconds_count": ACCOUNT,
    "fluence_poll_duration_seconds_sum": ACCOUNT,
    "fluence_watch_notifications_total": ("receiver",),
    "fluence_watch_notification_failures_total": ("receiver",),
    "fluence_watch_notification_given_up_alerts_total": ("receiver",),
    "fluence_watch_outbox_messages": ("receiver",),
    "fluence_watch_outbox_oldest_timestamp_seconds": ("receiver",),
    "fluence_watch_config_last_reload_successful": (),
    "fluence_watch_config_last_reload_success_timestamp_seconds": (),
    "fluence_watch_internal_errors_total": ("where",),
    "fluence_watch_heartbeat_last_success_timestamp_seconds": (),
    "fluence_watch_heartbeat_failures_total": (),
    "fluence_watch_record_failures_total": (),
    "fluence_watch_build_info": ("version", "python"),
    "process_resident_memory_bytes": (),
    "python_info": ("implementation", "major", "minor", "patchlevel", "version"),
}
COMMANDS = {
    "run": {"config"},
    "demo": set(),
    "simulate": {"dialect", "vms", "epoch", "seed", "faults", "listen"},
    "check": {"config", "format"},
    "config check": {"config"},
    "config show": {"config"},
    "config example": set(),
    "notify test": {"config", "receiver"},
    "notify preview": {"config", "receiver", "count", "format", "escalated", "browser"},
    "test": {"files", "format"},
    "replay": {
        "folder",
        "config",
        "diff",
        "since",
        "until",
        "account",
        "receiver",
        "full",
        "format",
    },
    "alerts": {"config", "format"},
    "forecast": {"config", "format"},
    "healthcheck": {"config"},
}


@pytest.fixture(scope="module")
def exposed() -> dict[str, set[str]]:
    """Every sample that the watcher can show, with the names of its labels."""
    own = OwnMetrics(fluence_watch.__version__)
    own.request("main", "list_vms", 0.2, "server_error")
    own.poll_finished("main", 0.3)
    own.alerts("main", {("low_balance", "critical", "firing"): 2})
    state = BudgetState(Budget("all", MicroUsdc(1)), Tally(MicroUsdc(1)), Sum())
    own.budgets([state])
    own.add_receiver("ops")
    own.outbox("ops", 1, NOW)
    own.reloaded(NOW)
    own.beat(NOW)
    vm = Vm(
        id="0xA1",
        name="web",
        status=Status.ACTIVE,
        status_word="ACTIVE",
        price=MicroUsdc(1),
        reserved=MicroUsdc(1),
        spent=MicroUsdc(1),
        created_at=NOW,
        next_billing_at=NOW,
        datacenter=Datacenter("FR", "PAR", 1, 4),
        ports=(SSH,),
        plan="small",
        vcpus=2,
        memory_bytes=1,
        storage_bytes=1,
    )
    one = MicroUsdc(1)
    gpu = Resource(
        Kind.GPU_CONTAINER, "g", "n", "ACTIVE", one, reserved=one, spent=one,
        next_billing_at=NOW, is_running=True,
    )  # fmt: skip
    page = Exposition(own.render)
    page.publish(
        AccountView(
            "main",
            up=True,
            vms={vm.key: vm},
            expected={vm.key: ()},
            last_good_at=NOW,
            rejected=0,
            balance=MicroUsdc(1),
            funded_until=NOW,
            overage=MicroUsdc(0),
            month_to_date=MicroUsdc(0),
            month_forecast=MicroUsdc(0),
            charged={vm.key: MicroUsdc(0)},
            billing=METERED,
            kinds=frozenset(Kind),
            permissions={"storage:read": True},
            removal=Removal(NOW, NOW, NOW),
            resources={gpu.key: gpu},
            market=Market(offers_of([Quote("vm", "small", "FR-PAR-1", Decimal(24))])),
            bill=Bill({"vm": one}, {"vm": Span(one, one)}),
        )
    )
    text = page.scrape("application/openmetrics-text; version=1.0.0").body.decode()
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(("name", "labels"), METRICS.items())
def test_metrics(exposed: dict[str, set[str]], name: str, labels: tuple[str, ...]) -> None:
    """Each metric of the contract is there, under its name and with its labels."""
    assert set(labels) == exposed[name]


def test_every_metric_is_in_the_contract(exposed: dict[str, set[str]]) -> None:
    """A metric that is new goes into the table above, and into the manual."""
    ours = {name for name in exposed if name.startswith("fluence_")}
    beside = {"fluence_watch_notification_possible_duplicates_total", "fluence_watch_store_up"}

    assert METRICS.keys() | beside >= ours


def test_the_manual_names_every_metric(exposed: dict[str, set[str]]) -> None:
    """A metric that nobody can read about is of no use, and one that is not there misleads."""
    manual = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in exposed}
    ours = {name for name in families if name.startswith("fluence_")}

    assert ours == set(re.findall(r"^\| `(\w+)` \|", manual, re.MULTILINE))


def test_the_manual_has_every_rule() -> None:
    """Each rule has a section of its own, and there is none of a rule that is not."""
    manual = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")

    assert {rule.name for rule in RULES} == set(re.findall(r"^### (\w+)$", manual, re.MULTILINE))


def test_the_manual_names_every_command() -> None:
    """Each command is in the table of commands."""
    manual = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    table = " ".join(line for line in manual.splitlines() if line.startswith("| `"))

    missing = {
        path
        for path, _ in commands()
        if f"`{path}`" not in table and f"`{path.split()[-1]}`" not in table
    }
    assert set() == missing


def commands() -> Iterator[tuple[str, set[str]]]:
    """Each command with its options."""
    pending = [("", get_command(app))]
    while pending:
        path, command = pending.pop()
        below = getattr(command, "commands", None) or {}
        if not below or (path and getattr(command, "invoke_without_command", False)):
            yield path, {option.name or "" for option in command.params}
        if below:
            pending += [(f"{path} {name}".strip(), each) for name, each in below.items()]


@pytest.mark.parametrize(("name", "options"), COMMANDS.items())
def test_commands(name: str, options: set[str]) -> None:
    """Each command of the contract takes the options of the contract, under those names."""
    taken = dict(commands())[name]
    assert options <= {{"form": "format"}.get(option, option) for option in taken}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, options in COMMANDS.items()
        if "format" in options and name not in {"notify preview", "test"}
    ],
)
def test_listings_take_a_format(name: str) -> None:
    """`--format table` for people and `--format json` for programs."""
    ran = CliRunner().invoke(app, [*name.split(), "--format", "xml"])

    assert 2 == ran.exit_code
    assert "'xml' is not one of 'table', 'wide', 'json'." in ran.output


def test_every_command_says_what_it_does() -> None:
    """`--help` is never silent."""
    pending = [get_command(app)]
    while pending:
        command = pending.pop()
        assert command.help
        assert [] == [p.name for p in command.params if not getattr(p, "help", "")]
        pending += getattr(command, "commands", {}).values()


def test_the_version_is_one() -> None:
    """The package, its metadata and the build info agree."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    version = fluence_watch.__version__

    assert importlib.metadata.version("fluence-watch") == version
    assert "version" in project["project"]["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert (
        f'fluence_watch_build_info{{python="{platform.python_version()}",version="{version}"}} 1'
        in (Exposition(OwnMetrics(version).render).scrape().body.decode())
    )
