import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import typer

from fluence_watch.alerting.state import AccountState
from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.port_changes import changes_of
from fluence_watch.model.known import KnownVm
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import parse_port
from fluence_watch.model.vm import Status, Vm
from fluence_watch.simulator import Fault, FaultKind
from fluence_watch.store import Store
from tests.stored import keep

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
Configure = Callable[..., None]

STORE = "sqlite:///fluence-watch.db"
EXPECT = (
    '[[expect]]\nvm = "none"\nports = []\n[[expect]]\nvm = "web"\nports = ["22/tcp", "443/tcp"]\n'
)


@pytest.fixture
def web(run: Run, configure: Configure, api: Any) -> Any:
    """A VM called web with 22 and 80 open."""
    configure({"main": api.url})
    machine = next(iter(api.world.machines.values()))
    api.world.update(machine.id, name="web", ports=[parse_port("22"), parse_port("80")])
    return api.world.find("web")


def _open(api: Any) -> list[str]:
    return list(map(str, api.world.find("web").ports))


def _watched(machine: Any, *baseline: str) -> None:
    """A watcher that has seen the VM with these ports."""
    vm = Vm(machine.id, machine.name, Status.ACTIVE, "ACTIVE", ports=())
    ports = tuple(map(parse_port, baseline))
    entry = KnownVm(vm, first_seen_at=datetime.now(UTC), baseline=ports)
    with Store.open(STORE) as store:
        keep(store, "main", AccountState(known={vm.key: entry}))


@pytest.mark.parametrize(
    ("args", "shown", "after"),
    [
        (["open", "web", "443/tcp", "8080"], ["+ 443/tcp", "+ 8080/tcp"], "22 80 443 8080"),
        (["open", "web", "8000-8001/tcp"], ["+ 8000-8001/tcp"], "22 80 8000 8001"),
        (["close", "web", "80/tcp"], ["- 80/tcp"], "22"),
        (["set", "web", "22", "443"], ["- 80/tcp", "+ 443/tcp"], "22 443"),
        (["close", "web", "1-100/tcp", "--allow-lockout"], ["- 22/tcp", "- 80/tcp"], ""),
    ],
)
def test_changes(
    run: Run, api: Any, web: Any, args: list[str], shown: list[str], after: str
) -> None:
    """The whole set is worked out, shown as a difference, written and read back."""
    dry = run("vm", "ports", *args, "--dry-run")
    assert (0, ["22/tcp", "80/tcp"]) == (dry.code, _open(api))
    ran = run("vm", "ports", *args, "--yes")

    assert (0, "") == (ran.code, ran.err)
    assert shown == [line.strip() for line in ran.out.splitlines()[1 : 1 + len(shown)]]
    assert [f"{number}/tcp" for number in after.split()] == _open(api)


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["close", "web", "22/tcp"], "closes 22/tcp"),
        (["close", "web", "20-30/any"], "closes 22/tcp"),
        (["set", "web", "443/tcp"], "closes 22/tcp"),
        (["open", "web", "10250/tcp"], "port 10250 is reserved by the service"),
        (["set", "web", "22/tcp", "10000-11000/tcp"], "port 10250 is reserved by the service"),
        (["restore", "web"], "it is not known which ports are expected"),
        (["accept", "web"], "there is no watcher"),
    ],
)
def test_refusals(run: Run, api: Any, web: Any, args: list[str], why: str) -> None:
    """What does harm is refused with the reason, exit 1, also with `--yes`."""
    ran = run("vm", "ports", *args, "--yes")
    assert 1 == ran.code
    assert why in ran.err
    assert ["22/tcp", "80/tcp"] == _open(api)


@pytest.mark.parametrize("args", [["open", "web", "x"], ["open", "web", "0"], ["open", "web"]])
def test_what_is_no_port(run: Run, web: Any, args: list[str]) -> None:
    """Wrong usage."""
    assert 2 == run("vm", "ports", *args, "--yes").code


@pytest.mark.parametrize(
    "args", [["open", "web", "80/tcp"], ["close", "web", "443/tcp"], ["set", "web", "80", "22"]]
)
def test_nothing_to_do(run: Run, api: Any, web: Any, args: list[str]) -> None:
    """It says so, ends well, and asks neither the user nor the API."""
    ran = run("vm", "ports", *args)
    assert 0 == ran.code
    assert "nothing to do, open are: 22/tcp, 80/tcp" in ran.out


def test_without_a_terminal(run: Run, api: Any, web: Any) -> None:
    """Nobody can be asked, so nothing is done."""
    ran = run("vm", "ports", "open", "web", "443")
    assert 1 == ran.code
    assert "without a terminal to ask on, this needs --yes" in ran.err
    assert ["22/tcp", "80/tcp"] == _open(api)


def test_restoring_what_the_configuration_says(
    run: Run, configure: Configure, api: Any, web: Any
) -> None:
    """The first [[expect]] that covers the VM decides, not what the watcher saw first."""
    _watched(web, "22", "9000")
    configure({"main": api.url}, EXPECT)
    assert 0 == run("vm", "ports", "restore", "web", "--yes").code
    assert ["22/tcp", "443/tcp"] == _open(api)


def test_restoring_what_was_seen_first(run: Run, api: Any, web: Any) -> None:
    """Where no [[expect]] covers the VM, the watcher remembers."""
    _watched(web, "22", "9000")
    assert 0 == run("vm", "ports", "restore", "web", "--yes").code
    assert ["22/tcp", "9000/tcp"] == _open(api)


def test_accepting(run: Run, api: Any, web: Any) -> None:
    """A note for the watcher and no write to the API; it counts at once for what is expected."""
    _watched(web, "22")
    before = run("vm", "ports", "accept", "web", "--dry-run")
    ran = run("vm", "ports", "accept", "web", "--yes")
    with Store.open(STORE, exclusive=False) as store:
        (note,) = store.notes("main")

    assert (0, 0) == (before.code, ran.code)
    assert "  + 80/tcp" in ran.out.splitlines()
    assert (NoteAction.ACCEPTED, web.key) == (note.action, note.subject)
    assert (parse_port("22"), parse_port("80")) == note.ports
    assert "nothing to do" in run("vm", "ports", "accept", "web", "--yes").out


def test_accepting_where_the_configuration_decides(
    run: Run, configure: Configure, api: Any, web: Any
) -> None:
    """It says so, and which entry."""
    _watched(web, "22")
    configure({"main": api.url}, EXPECT)
    ran = run("vm", "ports", "accept", "web", "--yes")
    assert 1 == ran.code
    assert "the configuration decides: [[expect]] entry 2 says 22/tcp, 443/tcp" in ran.err


def test_accepting_what_no_watcher_has_seen(run: Run, api: Any, web: Any) -> None:
    """There is nothing to replace yet."""
    Store.open(STORE).close()
    ran = run("vm", "ports", "accept", "web", "--yes")
    assert 1 == ran.code
    assert "the watcher has not seen its ports yet" in ran.err


def test_listing(run: Run, configure: Configure, api: Any, web: Any) -> None:
    """What is open beside what is expected, and who says so."""
    configure({"main": api.url}, EXPECT)
    row = json.loads(run("vm", "ports", "ls", "web", "--format", "json").out)[0]
    assert (["22/tcp", "80/tcp"], ["22/tcp", "443/tcp"], "[[expect]] entry 2") == (
        row["ports"],
        row["expected_ports"],
        row["expected_by"],
    )
    assert ("web", web.id) == (row["vm_name"], row["vm_id"])
    wide = run("vm", "ports", "ls", "web", "-o", "wide").out.splitlines()
    assert "22/tcp, 80/tcp" in wide[2]
    everything = run("vm", "ports", "ls")
    assert (0, 5) == (everything.code, len(everything.out.splitlines()))
    assert "drift         80/tcp is open, 443/tcp is closed" in run("vm", "show", "web").out


def test_several_at_once(run: Run, api: Any, web: Any) -> None:
    """One confirmation, a table of results, and one that fails does not hinder the others."""
    for number, machine in enumerate(list(api.world.machines.values())):
        api.world.update(machine.id, name=f"ci-{number}", ports=[parse_port("22")])
    ran = run("vm", "ports", "open", "ci-*", "443", "--yes")
    assert 0 == ran.code
    assert 3 == ran.out.count("open are now 22/tcp, 443/tcp")
    assert {3} == {len(m.ports) + 1 for m in api.world.machines.values()}


def test_ports_that_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """To change one port all must be known, so it is refused."""
    target = Target("main", Vm("0x01", "web", Status.ACTIVE, "ACTIVE"))
    with pytest.raises(typer.Exit) as ended:
        changes_of([target], lambda _, before: before)
    assert 1 == ended.value.exit_code
    assert "web (0x01): its ports are unknown" in capsys.readouterr().err


def test_an_api_that_fails(run: Run, api: Any, web: Any) -> None:
    """Exit 3, and nothing was changed."""
    api.faults.queue(Fault(FaultKind.STATUS, status=500), 50)
    assert 3 == run("vm", "ports", "open", "web", "443", "--yes").code
    assert ["22/tcp", "80/tcp"] == _open(api)
