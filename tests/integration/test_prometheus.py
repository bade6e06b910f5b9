"""A real Prometheus scrapes a real daemon that watches a simulated fleet, over real sockets."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import fluence_watch

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("prometheus")]  # they share the stack

VMS = 5
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Stack:
    """Who listens where, Prometheus's log, and when it began."""

    simulator: str
    daemon: str
    prometheus: str
    log: Path
    began: float = field(default_factory=time.time)

    def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """The series that an expression gives now."""
        answer = httpx.get(
            f"{self.prometheus}/api/v1/query",
            params={"query": expression},
            timeout=10,
            verify=False,
        ).json()
        assert "success" == answer["status"], answer
        return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]

    def by_vm(self, expression: str) -> dict[str, float]:
        """The values of a metric by the VM's id."""
        return {labels["vm_id"]: value for labels, value in self.query(expression)}

    def world(self) -> Any:  # noqa: ANN401 - JSON
        """What the simulator knows to be true."""
        return httpx.get(f"{self.simulator}/_control/world", timeout=10, verify=False).json()

    def do(self, action: str, **what: object) -> None:
        """Make something happen in the simulated world."""
        assert httpx.post(
            f"{self.simulator}/_control/{action}", json=what, timeout=10, verify=False
        ).is_success


SETTINGS = """\
[poll]
interval = "1s"
jitter = "0s"
timeout = "20s"
[server]
listen = "{daemon}"
[store]
url = "sqlite:///{folder}/watch.db"
[[accounts]]
name = "main"
api_key = "simulated-key"
dialect = "v2"
base_url = "{simulator}"
[[expect]]
vm = "*"
ports = ["22/tcp", "9/udp"]
[[receivers]]
name = "nobody"
url = "json://127.0.0.1:9"
"""
SCRAPING = {
    "global": {"scrape_interval": "2s"},
    "scrape_configs": [{"job_name": "fluence", "static_configs": [{"targets": ["{daemon}"]}]}],
}


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, verify=False).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def stack(
    tool: Callable[..., str],
    start: Callable[..., "subprocess.Popen[bytes]"],
    free_port: Callable[[], int],
    eventually: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Stack:
    """All three, and the first polls are scraped."""
    binary, folder = tool("prometheus", "prometheus"), tmp_path_factory.mktemp("stack")
    simulator, daemon, prometheus = (f"127.0.0.1:{free_port()}" for _ in range(3))
    made = Stack(
        f"http://{simulator}", f"http://{daemon}", f"http://{prometheus}", folder / "prometheus.log"
    )
    command = [sys.executable, "-m", "fluence_watch"]
    start(
        [
            *command,
            "simulate",
            "--vms",
            str(VMS),
            "--epoch",
            "24h",
            "--seed",
            "3",
            "--listen",
            simulator,
        ],
        folder / "simulator.log",
    )
    eventually(lambda: answers(f"{made.simulator}/_control/world"), "the simulator answers")
    made.do("faults", kind="status", status=503)
    text = SETTINGS.format(daemon=daemon, folder=folder, simulator=made.simulator)
    (folder / "config.toml").write_text(text, encoding="utf-8")
    start([*command, "run", "--config", str(folder / "config.toml")], folder / "daemon.log")
    eventually(lambda: answers(f"{made.daemon}/-/ready"), "the daemon is ready")
    scraping = json.dumps(SCRAPING).replace("{daemon}", daemon)  # JSON is YAML
    (folder / "prometheus.yml").write_text(scraping, encoding="utf-8")
    start(
        [
            binary,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address={prometheus}",
            "--log.level=info",
        ],
        made.log,
    )
    eventually(lambda: answers(f"{made.prometheus}/-/ready"), "Prometheus is ready")
    eventually(lambda: made.query("fluence_watch_outbox_messages == 1"), "a message waits")
    return made


def test_the_scrape_goes_well(stack: Stack) -> None:
    """The target is up, and not a sample is dropped on the way."""
    assert [1] == [value for _, value in stack.query('up{job="fluence"}')]
    assert 0 == one(stack, "scrape_samples_scraped - scrape_samples_post_metric_relabeling")
    assert one(stack, "scrape_samples_scraped") > VMS * 10
    targets = httpx.get(f"{stack.prometheus}/api/v1/targets", timeout=10, verify=False).json()
    (target,) = targets["data"]["activeTargets"]
    assert ("up", "") == (target["health"], target["lastError"])


def test_openmetrics_is_what_they_agree_on(stack: Stack) -> None:
    """By default; only there a counter's metadata stands under its name without `_total`."""
    known = httpx.get(f"{stack.prometheus}/api/v1/metadata", timeout=10, verify=False).json()[
        "data"
    ]
    kinds = {name: each[0]["type"] for name, each in known.items()}

    assert "counter" == kinds["fluence_api_requests"]
    assert "fluence_api_requests_total" not in kinds
    assert "histogram" == kinds["fluence_poll_duration_seconds"]
    assert "gauge" == kinds["fluence_vm_info"]
    assert "info" == kinds["fluence_watch_build"]
    assert [] == [name for name, each in known.items() if not each[0]["help"]]


def expected(vm: Mapping[str, Any]) -> dict[str, float]:
    """What the metrics of a VM must say, from what the simulator knows of it."""
    ports = set(vm["ports"])
    epochs = vm["reserved"] // vm["price"]
    return {
        "fluence_vm_price_per_epoch_usdc": vm["price"] / 10**6,
        "fluence_vm_reserved_balance_usdc": vm["reserved"] / 10**6,
        "fluence_vm_total_spent_usdc": vm["spent"] / 10**6,
        "fluence_vm_next_billing_timestamp_seconds": datetime.fromisoformat(
            vm["next_billing_at"]
        ).timestamp(),
        "fluence_vm_funded_until_timestamp_seconds": (
            datetime.fromisoformat(vm["next_billing_at"]) + epochs * DAY
        ).timestamp(),
        "fluence_vm_open_ports": len(ports),
        'fluence_vm_drifted_ports{direction="opened"}': len(ports - {"22/tcp", "9/udp"}),
        'fluence_vm_drifted_ports{direction="closed"}': len({"22/tcp", "9/udp"} - ports),
    }


def test_every_vm_is_what_the_world_says(stack: Stack) -> None:
    """Money, times and ports arrive as they are, for every VM."""
    vms = {vm["id"]: expected(vm) for vm in stack.world()["vms"]}
    assert VMS == len(vms)
    for metric in next(iter(vms.values())):
        values = stack.by_vm(metric)
        assert vms.keys() == values.keys()
        # the API tells times to the second or better
        assert {vm: pytest.approx(told[metric], abs=0.001) for vm, told in vms.items()} == values


def test_what_a_vm_is(stack: Stack) -> None:
    """Name, place, size and age are there for each, and its status alone has a series."""
    world = {vm["id"]: vm for vm in stack.world()["vms"]}
    infos = {labels["vm_id"]: labels for labels, value in stack.query("fluence_vm_info == 1")}

    assert {key: vm["name"] for key, vm in world.items()} == {
        key: labels["vm_name"] for key, labels in infos.items()
    }
    for labels in infos.values():
        assert labels["datacenter"].startswith(f"{labels['country']}-{labels['city']}-")
        assert ("main", "v2") == (labels["account"], labels["dialect"])
        assert all(labels[key] for key in ("tier", "public_ip", "os_image"))
    assert {(key, "active") for key in world} == {
        (labels["vm_id"], labels["status"]) for labels, _ in stack.query("fluence_vm_status")
    }
    assert VMS == sum(value for _, value in stack.query("fluence_vms"))
    for metric in ("vcpus", "memory_bytes", "storage_bytes", "created_timestamp_seconds"):
        values = stack.by_vm(f"fluence_vm_{metric}")
        assert world.keys() == values.keys()
        assert min(values.values()) > 0


def one(stack: Stack, expression: str) -> float:
    """The value of what must be a single series."""
    ((_, value),) = stack.query(expression)
    return value


def test_what_the_watcher_says_of_itself(stack: Stack) -> None:
    """Polls, requests, alerts, the outbox and the build, each with its labels."""
    now = datetime.now(UTC).timestamp()
    version = fluence_watch.__version__
    alerts = sum(
        1 for vm in stack.world()["vms"] for port in {"22/tcp", "9/udp"} ^ set(vm["ports"])
    )

    assert 1 == one(stack, 'fluence_up{account="main"}')
    assert 0 == one(stack, 'fluence_rejected_vms{account="main"}')
    assert 60 > now - one(stack, 'fluence_last_successful_poll_timestamp_seconds{account="main"}')
    assert alerts == sum(
        value for _, value in stack.query('fluence_watch_alerts{rule="port_drift",state="firing"}')
    )
    requests = '{account="main",endpoint="list_vms"}'
    polls = 'fluence_poll_duration_seconds_count{account="main"}'
    assert one(stack, polls) >= 1
    # each poll took one request, but for the first, which failed once
    assert 1 == one(stack, "sum(fluence_api_request_failures_total)")
    more = one(stack, f"fluence_api_requests_total{requests} - on (account) {polls}")
    assert abs(more - 1) <= 1
    assert 1 <= one(stack, f"fluence_api_request_duration_seconds_count{requests}")
    assert 0 == one(stack, 'fluence_watch_notifications_total{receiver="nobody"}')
    assert 1 <= one(stack, 'fluence_watch_notification_failures_total{receiver="nobody"}')
    assert 1 == one(stack, 'fluence_watch_outbox_messages{receiver="nobody"}')
    oldest = one(stack, 'fluence_watch_outbox_oldest_timestamp_seconds{receiver="nobody"}')
    assert stack.began < oldest <= now
    assert 1 == one(stack, "fluence_watch_config_last_reload_successful")
    assert stack.began < one(stack, "fluence_watch_config_last_reload_success_timestamp_seconds")
    assert 1 == one(stack, f'fluence_watch_build_info{{version="{version}",python!=""}}')
    assert 0 < one(stack, 'process_resident_memory_bytes{job="fluence"}')
    assert 1 == one(stack, "python_info")


def test_what_the_api_does_not_tell_is_absent(stack: Stack) -> None:
    """This generation of the API knows no account balance: no series, and not a zero."""
    assert [] == stack.query("fluence_account_balance_usdc")
    assert [] == stack.query("fluence_account_funded_until_timestamp_seconds")


def test_histograms_can_be_used(stack: Stack) -> None:
    """As in a dashboard: a quantile over the buckets is a number."""
    answer = one(
        stack,
        "histogram_quantile(0.9, sum by (le) (fluence_poll_duration_seconds_bucket))",
    )
    assert 0 < answer <= 60


def test_the_page_is_lint_free(stack: Stack, tool: Callable[..., str]) -> None:
    """`promtool check metrics` has nothing to say of what the daemon really serves."""
    page = httpx.get(f"{stack.daemon}/metrics", timeout=10, verify=False)
    done = subprocess.run(
        [tool("promtool", "prometheus"), "check", "metrics"],
        input=page.content,
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert page.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert (0, "") == (done.returncode, (done.stdout + done.stderr).decode())


def test_a_vm_that_goes_is_gone(stack: Stack, eventually: Callable[..., Any]) -> None:
    """Its series end with the next scrape, and so they do when it is renamed."""
    first, second, *_ = stack.world()["vms"]
    stack.do("vanish", vm=first["id"])
    eventually(
        lambda: first["id"] not in stack.by_vm("fluence_vm_info"), "the VM is out of Prometheus"
    )
    assert VMS - 1 == sum(value for _, value in stack.query("fluence_vms"))
    assert second["id"] in stack.by_vm("fluence_vm_info")


def test_prometheus_had_no_complaint(stack: Stack) -> None:
    """No duplicate, out-of-order or unreadable sample in all of the above."""
    lines = stack.log.read_text(encoding="utf-8").splitlines()
    assert [] == [
        line for line in lines if "level=warn" in line.lower() or "level=error" in line.lower()
    ]
    assert any("Server is ready" in line for line in lines)
