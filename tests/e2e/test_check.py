"""The commands beside a daemon that runs: what they print, and how they end."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEY = "t0p-secret-key"

Run = Callable[..., Any]
Configure = Callable[..., Path]
Eventually = Callable[..., Any]

DRIFT = {"vm": "web-1", "port": "8001/tcp"}


def test_check_beside_a_daemon(
    fluence: Any, receiver: Any, daemon: Any, cli: Run, eventually: Eventually
) -> None:
    """0 fine, 1 warning, 2 critical, 3 unknown, as against what the daemon remembers."""
    check = ("check", "--config", daemon.config)
    daemon.start().ready()
    fine = cli(*check)
    assert (0, "fine: accounts: 1, VMs: 8\n", "") == (fine.returncode, fine.stdout, fine.stderr)

    fluence.do("open-port", **DRIFT)
    assert 1 == cli(*check).returncode

    fluence.do("close-port", vm="api-4", port="22/tcp")
    critical = cli(*check, "--format", "json")
    assert 2 == critical.returncode
    assert [("critical", "port_drift"), ("warning", "port_drift")] == [
        (found["severity"], found["rule"]) for found in json.loads(critical.stdout)
    ]

    # what is found while a message is on its way shares the next one, whose title then is another
    eventually(lambda: any("22/tcp" in post.body for post in receiver.accepted), "a message of it")

    fluence.fail(status=403)
    unknown = cli(*check)
    assert 3 == unknown.returncode
    assert "poll_failing" in unknown.stdout
    assert 3 == cli("forecast", "--config", daemon.config).returncode
    eventually(
        lambda: "cannot be polled" in "".join(receiver.titles), "the daemon goes its own way"
    )


def test_a_fleet_that_cannot_be_read(
    fluence: Any, receiver: Any, daemon: Any, cli: Run, eventually: Eventually
) -> None:
    """It is not fine: `check` says what was not judged, the account is not up, one alert fires."""
    daemon.start().ready()
    eventually(lambda: daemon.metric("fluence_up", account="main") == 1, "a good poll")
    fluence.fail("malformed-list")

    checked = cli("check", "--config", daemon.config)
    assert 3 == checked.returncode
    assert "fine" not in checked.stdout
    assert "poll_failing" in checked.stdout
    assert re.search(r"8 VMs: \[0\]\.pricePerEpoch: ", " ".join(checked.stdout.split()))
    assert "not judged" not in checked.stderr
    eventually(lambda: receiver.accepted, "it is notified")
    assert 0 == daemon.metric("fluence_up", account="main")
    assert 8 == daemon.metric("fluence_rejected_vms", account="main")
    assert "none of its VMs can be read" in receiver.accepted[0].body
    assert "8 VMs: [0].pricePerEpoch: " in receiver.accepted[0].body

    fluence.mend()
    eventually(lambda: len(receiver.accepted) == 2, "it is over")
    titles = [
        "CRITICAL account main has no VM that can be read",
        "RESOLVED account main is polled again",
    ]
    assert titles == receiver.titles
    assert "fine: accounts: 1, VMs: 8\n" == cli("check", "--config", daemon.config).stdout


def test_keys_that_may_not_be_listed(fluence: Any, configure: Configure, cli: Run) -> None:
    """Without the permission the rule cannot judge: that is not fine, unless nobody asks for it."""
    path = configure()
    assert 0 == cli("check", "--config", path).returncode
    fluence.world.forbidden = frozenset({"/ssh_keys"})
    forbidden = cli("check", "--config", path)
    assert (3, "nothing found: accounts: 1, VMs: 8\n") == (forbidden.returncode, forbidden.stdout)
    assert (
        "not judged: account main: SSH keys, so ssh_key_drift is not judged: " in forbidden.stderr
    )
    unasked = configure({"rules.ssh_key_drift": {"enabled": False}})
    assert 0 == cli("check", "--config", unasked).returncode


def test_alerts_and_forecast_beside_a_daemon(
    fluence: Any, receiver: Any, daemon: Any, cli: Run, eventually: Eventually
) -> None:
    """What fires and what it costs, as a table for people and as JSON for programs."""
    daemon.start().ready()
    assert "nothing fires\n" == cli("alerts", "--config", daemon.config).stdout
    fluence.do("open-port", **DRIFT)
    eventually(lambda: receiver.accepted, "it fires")
    table = cli("alerts", "--config", daemon.config)
    (alert,) = json.loads(cli("alerts", "--config", daemon.config, "--format", "json").stdout)

    assert ("port_drift", "warning", "firing") == (alert["rule"], alert["severity"], alert["state"])
    assert "web-1" in table.stdout
    assert "8001/tcp is open and should not be" in table.stdout
    assert "\x1b" not in table.stdout

    forecast = json.loads(cli("forecast", "--config", daemon.config, "--format", "json").stdout)
    assert 8 == len(forecast["vms"])
    assert {"main"} == {account["account"] for account in forecast["accounts"]}
    assert "\x1b" not in cli("forecast", "--config", daemon.config).stdout

    fluence.do("close-port", **DRIFT)
    eventually(lambda: len(receiver.accepted) == 2, "it is over")
    over = cli("alerts", "--resolved", "--config", daemon.config)
    assert "8001/tcp" in over.stdout


def test_health_of_the_daemon(daemon: Any, cli: Run) -> None:
    """0 while it lives, 1 when it does not."""
    listen = daemon.start().ready().url.removeprefix("http://")

    assert 0 == cli("healthcheck", FLUENCE_WATCH_SERVER__LISTEN=listen).returncode
    daemon.kill()
    dead = cli("healthcheck", FLUENCE_WATCH_SERVER__LISTEN=listen)
    assert 1 == dead.returncode
    assert f"http://{listen}/-/healthy: no answer" in dead.stderr


def test_settings_are_shown_without_secrets(configure: Configure, cli: Run, receiver: Any) -> None:
    """`config show` is what one pastes into a question; `config check` says that all is well."""
    path = configure({"receivers": [{"name": "ops", "url": f"json://ada:t0p@127.0.0.1:{receiver.port}/"}]})  # fmt: skip
    shown = cli("config", "show", "--config", path)

    assert 0 == shown.returncode
    assert 'interval = "300ms"' in shown.stdout
    assert "t0p" not in shown.stdout + shown.stderr
    assert 0 == cli("config", "check", "--config", path).returncode


def test_example_is_the_file_of_the_repository(cli: Run) -> None:
    """What the program prints is what is kept and documented."""
    kept = Path(__file__).parents[2] / "config.example.toml"

    assert kept.read_text(encoding="utf-8") == cli("config", "example").stdout


def test_a_test_message(
    configure: Configure, cli: Run, receiver: Any, another_receiver: Any
) -> None:
    """0 when every receiver took it; 1 when one did not, saying which, and the others have it."""
    receivers = [{"name": "ops", "url": receiver.url}, {"name": "chat", "url": another_receiver.url}]  # fmt: skip
    path = configure({"receivers": receivers})
    assert 0 == cli("notify", "test", "--config", path).returncode
    assert [1, 1] == [len(receiver.accepted), len(another_receiver.accepted)]

    another_receiver.status = 503
    failed = cli("notify", "test", "--config", path)
    assert 1 == failed.returncode
    assert failed.stderr.startswith("chat: failed: ")
    assert "ops: sent\n" == failed.stdout
    assert 0 == cli("notify", "test", "--receiver", "ops", "--config", path).returncode
    assert [3, 1] == [len(receiver.accepted), len(another_receiver.accepted)]
