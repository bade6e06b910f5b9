import json
import os
import pty
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fcntl import ioctl
from termios import TIOCSWINSZ
from typing import Any

import pytest

from fluence_watch.simulator import Fault, FaultKind, World
from fluence_watch.simulator.dialects.cloud import billing
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.gpu import GpuKind
from fluence_watch.simulator.gpu_actions import AddGpu

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
Configure = Callable[..., None]


def test_the_forecast(run: Run, configure: Configure, api: Any) -> None:
    """Per VM and per account, and the sums are exact; a VM is as in `vm ls`."""
    configure({"main": api.url})
    ran = run("forecast", "--format", "json")
    answer = json.loads(ran.out)
    machines = api.world.machines.values()
    prices = {machine.id.lower(): Decimal(machine.price) / 10**6 for machine in machines}

    assert 0 == ran.code
    assert prices == {
        row["vm_id"].lower(): Decimal(row["price_per_epoch"]) for row in answer["vms"]
    }
    (total,) = answer["accounts"]
    assert Decimal(total["burn_per_day"]) == sum(prices.values())
    assert Decimal(total["to_month_end"]) == sum(Decimal(r["to_month_end"]) for r in answer["vms"])
    assert min(row["funded_until"] for row in answer["vms"]) == total["first_vm_out"]
    assert ("main", 3, 0, None) == tuple(
        total[key] for key in ("account", "vms", "vms_unknown", "balance")
    )
    assert json.loads(run("vm", "ls", "-o", "json").out)[0].keys() == answer["vms"][0].keys()


def test_the_balance_of_an_account(
    run: Run, configure: Configure, serve: Callable[..., Any]
) -> None:
    """Where the dialect tells it, with how long it pays for all VMs."""
    api = serve(dialect="cloud")
    configure({"main": api.url}, dialect="cloud")
    (total,) = json.loads(run("forecast", "-o", "json").out)["accounts"]
    balance, burn = Decimal(total["balance"]), Decimal(total["burn_per_day"])
    lasts = datetime.fromisoformat(total["funded_until"]) - datetime.now(UTC)

    assert Decimal(api.world.balance) / 10**6 == balance
    assert abs(lasts / timedelta(days=1) - float(balance / burn)) < 0.01
    assert f"{balance:,.2f}" in run("forecast").out.splitlines()[2]


def test_what_is_funded_and_what_is_removed(
    run: Run, configure: Configure, serve: Callable[..., Any]
) -> None:
    """The titles say which: by a reserve, or unless a metered account is topped up."""
    api = serve(dialect="all", metered=True)
    AddGpu("notebook", GpuKind.VM).apply(api.world)
    heads = []
    for more in ("", "gpu = true\n"):
        configure({"main": api.url}, more, dialect="cloud")
        lines = run("forecast").out.splitlines()
        heads += [line.split("  ") for line in lines if line.startswith(("VM ", "DISK"))]
    titles = [[cell.strip() for cell in head if cell.strip()] for head in heads]

    assert ["VM", "REMOVED", "VM", "REMOVED"] == [
        t for head in titles if head[0] == "VM" for t in (head[0], head[2])
    ]
    assert [("DISK OR IP", "REMOVED"), ("DISK, IP OR GPU", "FUNDED OR REMOVED")] == [
        (head[0], head[2]) for head in titles if head[0] != "VM"
    ]


def test_the_forecast_of_what_cannot_be_read(run: Run, configure: Configure, api: Any) -> None:
    """A VM that cannot be read is in no sum: this is said."""
    configure({"main": api.url})
    api.faults.queue(Fault(FaultKind.MALFORMED_ELEMENT), 1)
    ran = run("forecast", "-o", "json")
    answer = json.loads(ran.out)

    assert (1, 2) == (answer["accounts"][0]["unread"], len(answer["vms"]))
    assert "fluence-watch: note: account main: VMs that cannot be read: 1\n" == ran.err


def test_a_balance_that_is_not_given(
    run: Run,
    configure: Configure,
    serve: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is unknown, and why is said; the rest of the forecast stands."""
    api = serve(dialect="cloud")
    configure({"main": api.url}, dialect="cloud")

    def refuse(_world: World) -> None:
        raise RefusedError("not for this key")

    monkeypatch.setattr(billing, "balance_json", refuse)
    ran = run("forecast", "-o", "json")
    (total,) = json.loads(ran.out)["accounts"]

    assert (0, None, None) == (ran.code, total["balance"], total["funded_until"])
    assert total["burn_per_day"] is not None
    assert "note: account main: not known in full: balance: the API refused" in ran.err


@pytest.mark.parametrize("columns", [80, 200])
def test_the_tables_on_a_terminal(
    configure: Configure, serve: Callable[..., Any], columns: int
) -> None:
    """Two tables: at 80 columns no line is folded or longer, at 200 nothing is left out."""
    apis = {"production": serve(2), "staging": serve(3)}
    for machine in apis["staging"].world.machines.values():
        apis["staging"].world.update(machine.id, name="a-name-of-twenty-five-let")
    configure({name: api.url for name, api in apis.items()})
    shown = [line for line in on_terminal(columns, "forecast") if line.strip(" ─")]
    accounts, vms = (line for line in shown if line.startswith(("ACCOUNT", "VM ")))

    assert 2 + 2 + 5 == len(shown)
    assert max(map(len, shown)) <= columns
    assert all(title in accounts for title in ("BALANCE", "LASTS", "A DAY", "TO MONTH'S END"))
    assert all(title in vms for title in ("FUNDED", "A DAY", "TO MONTH'S END"))
    assert [columns == 200] * 2 == ["RESERVE" in vms, "ACCOUNT" in vms]


def on_terminal(columns: int, *args: str) -> list[str]:
    """The lines that a command prints on a terminal of that width."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FLUENCE_WATCH_", "COLUMNS"))}
    program = [sys.executable, "-m", "fluence_watch", *args]
    with subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        text = b""
        while piece := _read(ours):
            text += piece
    os.close(ours)
    assert 0 == process.returncode, text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text.decode())
    return [line.rstrip() for line in plain.splitlines()]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_the_forecast_of_what_can_be_reached(
    run: Run, configure: Configure, api: Any, unused_port: int
) -> None:
    """One account that fails does not hide the others; the exit code says that it is not all."""
    configure({"good": api.url, "bad": f"http://127.0.0.1:{unused_port}"})
    ran = run("forecast", "--format", "json")

    assert 3 == ran.code
    assert ["good"] == [row["account"] for row in json.loads(ran.out)["accounts"]]
    assert "fluence-watch: account bad: no answer from 127.0.0.1" in ran.err
