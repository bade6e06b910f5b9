import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.vm_vanished import VmVanished
from fluence_watch.simulator import Fault, FaultKind
from fluence_watch.store import Store
from tests.stored import keep

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
Configure = Callable[..., None]

NO_PORTS = '[[expect]]\nvm = "*"\nports = []\n'
NOW = datetime.now(UTC).replace(microsecond=0)
DATABASE = Path("fluence-watch.db")


def test_a_fleet_that_is_fine(run: Run, configure: Configure, api: Any) -> None:
    """One line, exit 0, and nothing is left behind."""
    configure({"main": api.url})
    ran = run("check")

    assert (0, "fine: accounts: 1, VMs: 3\n") == (ran.code, ran.out)
    assert not DATABASE.exists()
    assert [] == json.loads(run("check", "--format", "json").out)


def test_findings_are_listed_worst_first(run: Run, configure: Configure, api: Any) -> None:
    """As a table for people and as JSON for programs, each with the VM's name and id."""
    configure({"main": api.url}, '[[expect]]\nvm = "*"\nports = ["22/tcp", "9/udp"]\n')
    *_, last = api.world.machines.values()
    api.world.update(last.id, ports=[])
    ran = run("check", "--format", "json")
    rows = json.loads(ran.out)
    lines = [line for line in run("check").out.splitlines() if line.strip(" ─")]

    assert 2 == ran.code
    assert ["severity", "rule", "account", "vm_id", "vm_name", "what"] == list(rows[0])
    assert ["critical", *["warning"] * (len(rows) - 1)] == [row["severity"] for row in rows]
    assert (last.id, "22/tcp is closed") == (rows[0]["vm_id"], rows[0]["what"][:16])
    assert {machine.id for machine in api.world.machines.values()} == {r["vm_id"] for r in rows}
    assert ["SEVERITY", "RULE", "ACCOUNT", "VM", "WHAT"] == lines[0].split()
    assert [row["what"] for row in rows] == [
        line[-len(row["what"]) :]
        for line, row in zip((line.rstrip() for line in lines[1:]), rows, strict=True)
    ]


def test_the_exit_code(run: Run, configure: Configure, serve: Callable[..., Any]) -> None:
    """0 fine, 1 warning, 2 critical, 3 unknown; what is critical is not hidden by what is unknown."""
    fine, broken = serve(1), serve(1)
    broken.faults.queue(Fault(FaultKind.STATUS, status=401), 1_000)
    (machine,) = fine.world.machines.values()
    expect = '[[expect]]\nvm = "*"\nports = [{}]\n'.format
    as_it_is = expect(", ".join(f'"{port}"' for port in machine.ports))
    more = expect(", ".join(f'"{port}"' for port in [*machine.ports, "9/udp"]))

    for accounts, expected, code in [
        ({"a": fine.url}, as_it_is, 0),
        ({"a": fine.url}, more, 1),
        ({"a": fine.url}, NO_PORTS, 1),
        ({"a": fine.url, "b": broken.url}, as_it_is, 3),
        ({"a": fine.url, "b": broken.url}, more, 3),
    ]:
        configure(accounts, expected)
        assert code == run("check").code
    fine.world.update(machine.id, ports=[])
    for accounts in ({"a": fine.url}, {"a": fine.url, "b": broken.url}):
        configure(accounts, '[[expect]]\nvm = "*"\nports = ["22/tcp"]\n')
        assert 2 == run("check").code


def test_an_api_that_does_not_answer(run: Run, configure: Configure, unused_port: int) -> None:
    """Unknown is not fine: exit 3, and the table says why."""
    configure({"main": f"http://127.0.0.1:{unused_port}"})
    ran = run("check")

    assert 3 == ran.code
    assert "poll_failing" in ran.out
    assert f"no answer from 127.0.0.1:{unused_port}: " in ran.out
    assert "no answer" not in ran.err  # once


def test_a_failure_that_no_finding_names(run: Run, configure: Configure, unused_port: int) -> None:
    """Where its rule is disabled, it is said as what was not judged; exit 3 all the same."""
    off = "[rules.poll_failing]\nenabled = false\n"
    configure({"main": f"http://127.0.0.1:{unused_port}"}, off)
    ran = run("check")

    assert (3, "nothing found: accounts: 1, VMs: 0\n") == (ran.code, ran.out)
    said = f"not judged: account main: no answer from 127.0.0.1:{unused_port}: "
    assert 1 == sum(line.startswith(said) for line in ran.err.splitlines())


@pytest.mark.parametrize("enabled", [True, False])
def test_a_vm_that_cannot_be_read(
    run: Run,
    configure: Configure,
    api: Any,
    enabled: bool,  # noqa: FBT001 - a table's column
) -> None:
    """It is a finding, or else it was not judged; never both, and never fine."""
    rule = f"[rules.vm_unreadable]\nenabled = {str(enabled).lower()}\n"
    configure({"main": api.url}, rule)
    api.faults.queue(Fault(FaultKind.DUPLICATE_IDS), 1)
    ran = run("check")

    assert 3 == ran.code
    assert enabled == ("vm_unreadable" in ran.out) != ("not judged: " in ran.err)


VM = {
    "id": "0x1", "vmName": "web-1", "status": "ACTIVE", "pricePerEpoch": 298160,
    "reservedBalance": "298160", "totalSpent": "0", "ports": [],
    "nextBillingAt": "+002099-04-16T17:59:55.000000000Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "rule", "said", "code"),
    [
        ({}, "", "fine: accounts: 1, VMs: 1", 0),
        ({"pricePerEpoch": None}, "", "the API does not report its price", 3),
        (
            {"reservedBalance": None, "nextBillingAt": None},
            "",
            "the API does not report its reserve, next charge",
            3,
        ),
        (
            {"pricePerEpoch": None},
            "[rules.vm_unreadable]\nenabled = false\n",
            "not judged: account main: price unknown: web-1",
            3,
        ),
        ({"ports": None}, "", "not judged: account main: ports unknown: web-1", 3),
        (
            {"status": "HIBERNATING"},
            "",
            "not judged: account main: the meaning of the status HIBERNATING unknown: web-1",
            3,
        ),
    ],
)
def test_what_is_unknown_is_not_fine(
    run: Run, configure: Configure, answers: Any, fact: Any, rule: str, said: str, code: int
) -> None:
    """A VM whose money, ports or status nobody knows was not judged."""
    answers["/vms/v2"] = [{**VM, **fact}]
    configure({"main": answers["url"]}, rule)
    ran = run("check")

    assert code == ran.code
    assert said in " ".join(f"{ran.out} {ran.err}".split())


def test_no_vms(run: Run, configure: Configure, answers: Any) -> None:
    """It does not look as if something were watched."""
    configure({"main": answers["url"]})
    assert (0, "fine: accounts: 1, no VMs\n") == (run("check").code, run("check").out)


def test_an_api_of_another_dialect(
    run: Run, configure: Configure, serve: Callable[..., Any]
) -> None:
    """Where it does not know the path, the finding says what to write into the settings."""
    configure({"main": serve(dialect="v3").url}, dialect="v2")
    ran = run("check")

    assert 3 == ran.code
    assert 'this API may not speak v2: try dialect = "auto" for the account' in ran.out


@pytest.fixture
def remembered() -> None:
    """A store with an alert that fires, one that is pending and one that is over."""
    lost = Alert(
        fingerprint=Fingerprint("main", "vm_vanished", "0xa1b2c3d4e5"),
        severity=Severity.CRITICAL,
        state=State.FIRING,
        facts=VmVanished(
            VmRef("0xa1b2c3d4e5", "web\x1b[31m-1", "FR-PAR-1"),
            NOW,
            None,
            "active",
            None,
            None,
            None,
        ),
        active_at=NOW - timedelta(hours=2),
        starts_at=NOW - timedelta(hours=1),
    )
    failing = Alert(
        fingerprint=Fingerprint("main", "poll_failing"),
        severity=Severity.CRITICAL,
        state=State.PENDING,
        facts=PollFailing("server_error", "the API failed (503)"),
        active_at=NOW - timedelta(minutes=5),
    )
    over = Alert(
        fingerprint=Fingerprint("main", "poll_failing"),
        severity=Severity.CRITICAL,
        state=State.RESOLVED,
        facts=PollFailing("unreachable", "no answer"),
        active_at=NOW - timedelta(days=3),
        starts_at=NOW - timedelta(days=3),
        ends_at=NOW - timedelta(days=2),
    )
    with Store.open(f"sqlite:///{DATABASE}") as store:
        fired = replace(over, state=State.FIRING, ends_at=None)
        states = [
            AccountState(alerts={alert.fingerprint: alert for alert in alerts})
            for alerts in ([], [fired], [], [lost, failing])
        ]
        for after, ended in zip(states[1:], ([], [over], []), strict=True):
            keep(store, "main", after, ended)


def test_what_fires(run: Run, remembered: None) -> None:
    """What fires stands before what is pending; JSON has the times."""
    table = [line.split() for line in run("alerts", API_KEY="k").out.splitlines()]
    rows = json.loads(run("alerts", "--format", "json").out)

    assert ["SEVERITY", "RULE", "ACCOUNT", "VM", "STATE", "SINCE", "ID", "WHAT"] == table[0]
    assert ["vm_vanished", "poll_failing"] == [row["rule"] for row in rows]
    assert ["firing", "pending"] == [row["state"] for row in rows]
    assert ["0xa1b2c3d4e5", None] == [row["vm_id"] for row in rows]
    assert (NOW - timedelta(hours=2)).isoformat().replace("+00:00", "Z") == rows[0]["since"]
    assert (NOW - timedelta(hours=1)).isoformat().replace("+00:00", "Z") == rows[0]["fired_at"]
    assert [None, None] == [rows[1]["fired_at"], rows[1]["ended_at"]]
    assert "web-1 (0xa1b2c3)" in run("alerts").out


def test_what_is_over(run: Run, remembered: None) -> None:
    """The history, with an end."""
    rows = json.loads(run("alerts", "--resolved", "--format", "json", API_KEY="k").out)
    head, _, line = run("alerts", "--resolved").out.splitlines()

    assert ["SEVERITY", "RULE", "ACCOUNT", "VM", "SINCE", "ENDED", "WAS"] == head.split()
    assert "2 d" in line[head.index("ENDED") : head.index("WAS")]

    assert [("poll_failing", "resolved")] == [(row["rule"], row["state"]) for row in rows]
    assert (NOW - timedelta(days=2)).isoformat().replace("+00:00", "Z") == rows[0]["ended_at"]


@pytest.mark.parametrize(("minutes", "notes"), [(3, 0), (5, 1)])
def test_old_data(run: Run, minutes: int, notes: int) -> None:
    """Nothing fires in a store that nobody updates: when it was updated is said, beside the list."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    with Store.open(f"sqlite:///{DATABASE}") as store:
        keep(store, "main", AccountState(last_poll_at=at))
        keep(store, "new", AccountState())
    ran = run("alerts", API_KEY="k")
    assert (0, "nothing fires\n") == (ran.code, ran.out)
    assert notes == ran.err.count("note: the last poll of 1 account was ")
    assert notes == ran.err.count("5 min ago, so this may be out of date: is `fluence-watch run`")


def test_nothing_fires(run: Run) -> None:
    """An empty store says so in words; a program gets an empty list."""
    with Store.open(f"sqlite:///{DATABASE}"):
        pass
    assert (0, "nothing fires\n") == ((ran := run("alerts", API_KEY="k")).code, ran.out)
    assert "nothing\n" == run("alerts", "--resolved").out
    assert [] == json.loads(run("alerts", "--format", "json").out)


def test_where_no_daemon_ever_ran(run: Run) -> None:
    """There is nothing to look at, and a look makes no store."""
    ran = run("alerts", API_KEY="k")
    assert 2 == ran.code
    assert ran.err.startswith("fluence-watch: ")
    assert not DATABASE.exists()
