"""What is said of open ports is one thing everywhere, and what is offered does what it says."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from fluence_watch.simulator import World, build_world, create_app, running, utc_now

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

KEY = "t0p-secret-key"
VM = "web-1"


@dataclass
class Fluence:
    """A simulated account of three VMs that speaks one dialect."""

    url: str
    world: World
    dialect: str

    def set_ports(self, *ports: str) -> None:
        """Somebody sets the ports of the VM."""
        body = {"vm": VM, "ports": ports}
        assert httpx.post(
            f"{self.url}/_control/set-ports", json=body, timeout=40, verify=False
        ).is_success

    @property
    def ports(self) -> list[str]:
        """The ports that are open."""
        return [str(port) for port in self.world.find(VM).ports]


@pytest.fixture(params=["v2", "cloud"])
def fluence(request: pytest.FixtureRequest) -> Iterator[Fluence]:
    """One dialect lists each port by itself, the other has ranges."""
    world = build_world(seed=1, vms=3, epoch=timedelta(hours=24), now=utc_now(), api_key=KEY)
    app = create_app(world, utc_now, dialect=request.param)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(running(app)) as url,
    ):
        yield Fluence(url, world, request.param)


@pytest.fixture
def expecting(configure: Callable[..., Path], daemon: Any, fluence: Fluence) -> Callable[..., Any]:
    """Start a daemon that expects these ports; a function that runs commands beside it."""

    def start(*ports: str, **tables: Any) -> Any:
        account = {"name": "main", "api_key": KEY, "base_url": fluence.url}
        account["dialect"] = fluence.dialect
        expect = [{"vm": VM, "ports": ports}]
        daemon.config = configure({"accounts": [account], "expect": expect, **tables})
        return daemon.start().ready()

    return start


def test_a_range_around_an_expected_port(
    fluence: Fluence, expecting: Any, receiver: Any, cli: Any, eventually: Any
) -> None:
    """Expected are 22 and 443, open are 22 and 400 to 500: the offered command leaves 443 open."""
    fluence.set_ports("22/tcp", "400-500/tcp")
    daemon = expecting("22/tcp", "443/tcp")
    eventually(lambda: receiver.accepted, "the drift is notified")

    body = receiver.accepted[0].body
    assert "400-442/tcp" in body
    assert "444-500/tcp" in body
    assert "400-500/tcp is open" not in body
    assert 2 == daemon.metric("fluence_vm_drifted_ports", vm_name=VM, direction="opened")
    (command,) = re.findall(r"fluence-watch (vm ports close [^\n]*)", body)
    closed = cli(*shlex.split(command), "--yes", "--config", daemon.config)

    assert (0, "") == (closed.returncode, closed.stderr)
    assert ["22/tcp", "443/tcp"] == fluence.ports
    eventually(lambda: len(receiver.accepted) > 1, "it is over")
    assert ["[FIRING:2] port_drift · main", "[RESOLVED:2] port_drift · main"] == receiver.titles


def test_a_part_of_a_range_is_closed(
    fluence: Fluence, expecting: Any, receiver: Any, cli: Any, eventually: Any
) -> None:
    """Expected are 8000 to 8010, open are 8000 to 8005: closed are 8006 to 8010, everywhere."""
    fluence.set_ports("22/tcp", "8000-8005/tcp")
    daemon = expecting("22/tcp", "8000-8010/tcp")
    eventually(lambda: receiver.accepted, "the drift is notified")
    with_config = ("--config", daemon.config)

    assert "8006-8010/tcp is closed and should be open" in receiver.accepted[0].body
    assert 1 == daemon.metric("fluence_vm_drifted_ports", vm_name=VM, direction="closed")
    assert 0 == daemon.metric("fluence_vm_drifted_ports", vm_name=VM, direction="opened")
    (found,) = json.loads(cli("check", "--format", "json", *with_config).stdout)
    assert "8006-8010/tcp is closed and should be open" == found["what"]
    shown = cli("vm", "show", VM, *with_config).stdout
    assert re.search(r"drift +8006-8010/tcp is closed\n", shown)
    dry = cli("vm", "ports", "restore", VM, "--dry-run", *with_config)
    assert "\n  + 8006-8010/tcp\nnothing was changed" in dry.stdout
    assert "  - " not in dry.stdout

    fluence.set_ports("22/tcp", "8000-8008/tcp")  # a part of it: that is no end, and no news
    polls = len(daemon.logged("poll"))
    eventually(lambda: len(daemon.logged("poll")) > polls + 3, "more polls")
    assert 1 == len(receiver.accepted)
    assert 0 == cli("vm", "ports", "restore", VM, "--yes", *with_config).returncode
    eventually(lambda: len(receiver.accepted) > 1, "it is over")
    firing, resolved = receiver.titles
    assert (firing.split()[0], resolved.split()[0]) == ("WARNING", "RESOLVED")


@pytest.mark.parametrize("fluence", ["v2"], indirect=True)
def test_what_differs_now_is_shown_while_an_alert_is_open(
    fluence: Fluence, expecting: Any, receiver: Any, cli: Any, eventually: Any
) -> None:
    """Better, then locked out again with another port open: page, `alerts` and repeats say all of it."""
    ops = {"name": "ops", "url": receiver.url, "repeat_interval": "500ms"}
    fluence.set_ports("9/udp")
    daemon = expecting("20-30/tcp", receivers=[ops])

    def told(*parts: str) -> bool:
        """Whether the last message says all that, the page and `alerts` too."""
        ran = cli("alerts", "--format", "json", "--config", daemon.config)
        places = (receiver.accepted[-1].body, daemon.get("/").text, ran.stdout)
        return all(part in place for part in parts for place in places)

    whole, rest = "20-30/tcp is closed and should", "20-21/tcp, 23-30/tcp is closed and should"
    eventually(lambda: receiver.accepted and told(whole), "all of the range is closed")
    assert "you may be locked out" in receiver.accepted[-1].body
    fluence.set_ports("22/tcp")
    eventually(lambda: told(rest), "what is left of it")
    assert "locked out" not in receiver.accepted[-1].body
    fluence.set_ports("8080/tcp")
    eventually(lambda: told(whole), "locked out again, in the same alert")
    eventually(lambda: told(whole, "8080/tcp is open and should not be"), "another port is open")
    assert "you may be locked out" in receiver.accepted[-1].body
    (worst,) = [
        alert
        for alert in json.loads(cli("alerts", "--format", "json", "--config", daemon.config).stdout)
        if alert["what"].startswith(whole)
    ]
    assert "critical" == worst["severity"]


@pytest.mark.parametrize("fluence", ["v2"], indirect=True)
def test_another_protocol(
    fluence: Fluence, expecting: Any, receiver: Any, cli: Any, eventually: Any
) -> None:
    """SCTP is drift like any other, and is carried through when another port is opened."""
    fluence.set_ports("22/tcp", "5060/sctp")
    daemon = expecting("22/tcp")
    eventually(lambda: receiver.accepted, "the drift is notified")
    assert "5060/sctp is open and should not be" in receiver.accepted[0].body

    config = ("--yes", "--config", daemon.config)
    assert 0 == cli("vm", "ports", "open", VM, "443/tcp", *config).returncode
    assert ["22/tcp", "443/tcp", "5060/sctp"] == fluence.ports
    assert 0 == cli("vm", "ports", "restore", VM, *config).returncode
    assert ["22/tcp"] == fluence.ports
