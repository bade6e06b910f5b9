"""`promtool check metrics` reads the page as Prometheus does, and lints its names."""

import os
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from fluence_watch.metrics.exposition import AccountView, Exposition
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import Port
from fluence_watch.model.vm import Datacenter, Status, Vm

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
SSH = Port(22, 22, "tcp")


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        missing = pytest.fail if os.environ.get("TESTS_REQUIRE_TOOLS") == "1" else pytest.skip
        missing("promtool is not installed (Debian: prometheus)")
    return str(path)


@pytest.fixture
def own() -> OwnMetrics:
    """Every metric of the watcher with a sample."""
    own = OwnMetrics("1.2.3")
    own.request("main", "list", 0.2, "server_error")
    own.poll_finished("main", 0.3)
    own.alerts("main", {("low_balance", "critical", "firing"): 2})
    own.add_receiver("ops")
    own.outbox("ops", 1, NOW)
    own.reloaded(NOW)
    return own


def lint(promtool: str, text: bytes) -> tuple[int, str]:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, check=False, timeout=30
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_promtool_has_nothing_to_say(promtool: str, own: OwnMetrics) -> None:
    """Every family with a sample, hostile names included: valid, and no lint."""
    vm = Vm(
        id="0xa1",
        name='a"} 1\n\\',
        status=Status.ACTIVE,
        status_word="ACTIVE",
        price=MicroUsdc(298_160),
        reserved=MicroUsdc(900_000),
        spent=MicroUsdc(1),
        created_at=NOW,
        next_billing_at=NOW,
        datacenter=Datacenter("FR", "PAR", 1, 3),
        public_ip="203.0.113.7",
        ports=(SSH,),
        os_image="ubuntu",
        vcpus=2,
        memory_bytes=4_294_967_296,
        storage_bytes=26_843_545_600,
    )
    page = Exposition(own.render)
    page.publish(
        AccountView(
            "main",
            up=True,
            vms={vm.key: vm},
            expected={vm.key: (SSH,)},
            last_good_at=NOW,
            rejected=0,
            balance=MicroUsdc(5),
            funded_until=NOW,
            charged={vm.key: MicroUsdc(5)},
        )
    )

    assert (0, "") == lint(promtool, page.scrape().body)


def test_promtool_would_say_something(promtool: str) -> None:
    """The lint is awake: it rejects what it should."""
    status, words = lint(promtool, b"# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n")

    assert 0 != status
    assert "a_total" in words
