import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.decide import Policy
from fluence_watch.cli.manage.choose import Target
from fluence_watch.cli.manage.fleet import gathered
from fluence_watch.model.known import KnownVm
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import SSH
from fluence_watch.model.snapshot import PollFailure, Rejected, Snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.vm_vanished import VmVanishedSettings
from fluence_watch.simulator import Fault, FaultKind
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.store import Store
from tests.stored import keep

# ruff: noqa: ANN401 - the fakes' classes are in conftest.py, which is not imported

Run = Callable[..., Any]
Configure = Callable[..., None]

NOW = datetime(2026, 4, 17, 14, 47, tzinfo=UTC)
POLICIES = {"main": Policy("main", {}, {}, VmVanishedSettings().limits)}
STORE = "sqlite:///fluence-watch.db"
HOSTILE = "\x1b[2J<!channel>\u202e[bold]網站\n[/bold]"


@pytest.fixture(autouse=True)
def _configured(configure: Configure, api: Any) -> None:
    configure({"main": api.url})


def _machines(api: Any) -> list[Any]:
    return list(api.world.machines.values())


def _notes() -> list[tuple[NoteAction, str]]:
    with Store.open(STORE, exclusive=False) as store:
        return [(note.action, note.subject) for note in store.notes("main")]


def test_the_vms_are_listed(run: Run, api: Any) -> None:
    """All of them, as a table for people and with all that is known as JSON."""
    first, *_ = _machines(api)
    ran, rows = run("vm", "ls"), json.loads(run("vm", "ls", "--format", "json").out)
    header, _, *lines = ran.out.splitlines()

    assert (0, "") == (ran.code, ran.err)
    assert "ACCOUNT VM STATUS DATACENTER PUBLIC IP PORTS PRICE RESERVE FUNDED UNTIL" == " ".join(
        header.split()
    )
    assert 3 == len(lines) == len(rows)
    assert f"{first.name} ({first.id[:8]})" in lines[0]
    assert " in 1 d" in lines[0]
    assert (first.id, "active", first.public_ip) == tuple(
        rows[0][key] for key in ("vm_id", "status", "public_ip")
    )
    assert ["22/tcp"] == rows[2]["ports"]
    assert rows[2]["next_billing_at"].endswith("Z")


def test_the_columns_of_a_narrow_terminal(
    run: Run,
    configure: Configure,
    serve: Callable[..., Any],
    api: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a VM is, costs and has stays at 80 columns; wide shows all, and folds nothing."""
    monkeypatch.setenv("COLUMNS", "80")
    lines, wide = run("vm", "ls").out.splitlines(), run("vm", "ls", "-o", "wide").out.splitlines()
    monkeypatch.setenv("COLUMNS", "200")
    roomy = run("vm", "ls").out.splitlines()

    assert "VM STATUS PUBLIC IP PRICE RESERVE FUNDED" == " ".join(lines[0].split())
    assert max(map(len, lines)) <= 80
    assert roomy[0].split() == wide[0].split()
    assert "ACCOUNT" == roomy[0].split()[0]
    assert 2 + 3 == len(lines) == len(roomy) == len(wide)

    configure({"main": api.url, "more": serve(1).url})
    monkeypatch.setenv("COLUMNS", "80")
    assert "ACCOUNT" == run("vm", "ls").out.split()[0]


def test_some_of_the_vms(run: Run, api: Any) -> None:
    """By globs, names and ids, in the order of the list; what means no VM is said, exit 2."""
    _name_them(api, "web-1", "db", "web-2")
    last = _machines(api)[2].id

    def names(*args: str) -> list[str]:
        return [row["vm_name"] for row in json.loads(run("vm", "ls", "-o", "json", *args).out)]

    assert ["web-1", "web-2"] == names("web-*")
    assert ["db", "web-2"] == names(last[:8], "db")
    ran = run("vm", "ls", "db", "web", "x-*")
    assert (2, 3) == (ran.code, len(ran.out.splitlines()))
    assert [
        (
            "fluence-watch: there is no VM 'web': did you mean web-1, web-2? "
            "`fluence-watch vm ls` lists what there is"
        ),
        "fluence-watch: no VM has a name like 'x-*'",
    ] == ran.err.splitlines()


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["web-2", "web-9", "web-10"]),
        ("price", ["web-10", "web-2", "web-9"]),
        ("funded-until", ["web-9", "web-10", "web-2"]),
    ],
)
def test_sorting(run: Run, api: Any, sort: str, names: list[str]) -> None:
    """Numbers in names count as such, and prices as numbers."""
    _name_them(api, "web-10", "web-9", "web-2")
    for machine, price, hours in zip(_machines(api), (9, 100_000, 20_000), (2, 1, 3), strict=True):
        api.world.set_price(machine.id, price)
        api.world.put(replace(api.world.find(machine.id), reserved=price))
        api.world.set_boundary(machine.id, datetime.now(UTC) + timedelta(hours=hours))

    rows = json.loads(run("vm", "ls", "--sort", sort, "-o", "json").out)
    assert names == [row["vm_name"] for row in rows]


def test_a_name_that_is_nearly_one(run: Run, api: Any) -> None:
    """Those that begin so, and those alike, are suggested."""
    _name_them(api, "web-1", "web-2", "database")

    assert "did you mean web-1, web-2? " in run("vm", "show", "web").err
    assert "did you mean database? " in run("vm", "rename", "databse", "x", "--yes").err
    assert "did you mean" not in run("vm", "show", "quite-another").err


def test_what_the_shell_completes(api: Any) -> None:
    """Names from the daemon's store, never from the network; ids of VMs without a plain name."""
    assert [] == _completed("vm show ")
    listed = [
        Vm("0xAB01", "web-1", Status.ACTIVE, "ACTIVE"),
        Vm("0xAB02", "web-2", Status.ACTIVE, "ACTIVE"),
        Vm("0xAB03", "db", Status.ACTIVE, "ACTIVE"),
        Vm("0xCD04", "two words", Status.ACTIVE, "ACTIVE"),
        Vm("0xCD05", "\x1b[2J", Status.ACTIVE, "ACTIVE"),
    ]
    known = {vm.key: KnownVm(vm, first_seen_at=NOW) for vm in listed}
    known["0xab02"] = replace(known["0xab02"], missing_since=NOW)
    with Store.open(STORE) as store:
        keep(store, "main", AccountState(known=known))
    api.faults.queue(Fault(FaultKind.STATUS, status=500), 1)
    assert ["0xCD04", "0xCD05", "db", "web-1"] == _completed("vm show ")
    assert ["web-1"] == _completed("vm rm w")
    assert ["web-1"] == _completed("vm rename we")
    assert ["web-1"] == _completed("vm ls db web")
    assert ["0xab01", "0xab03"] == _completed("vm show 0xab")
    assert [] == _completed("vm show --account other ")
    again = httpx.get(f"{api.url}/vms/v2", verify=False)
    assert 500 == again.status_code  # nobody has asked in between


def _completed(line: str) -> list[str]:
    """What bash offers after these words."""
    words = f"fluence-watch {line}"
    environment = {
        "_FLUENCE_WATCH_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    return subprocess.run(
        [Path(sys.executable).with_name("fluence-watch")],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()


def test_an_account_that_does_not_answer(
    run: Run, configure: Configure, api: Any, unused_port: int
) -> None:
    """The others are listed, it is named, and the exit code is 3; `--account` leaves it out."""
    configure({"main": api.url, "lost": f"http://127.0.0.1:{unused_port}"})
    ran, alone = run("vm", "ls"), run("vm", "ls", "--account", "main")

    assert 3 == ran.code
    assert 5 == len(ran.out.splitlines())
    assert ran.err.startswith("fluence-watch: account lost: ")
    assert (0, ran.out) == (alone.code, alone.out)

    name = _machines(api)[0].name
    assert 3 == run("vm", "rename", name, "new", "--yes").code  # it may have such a VM too
    assert 0 == run("vm", "rename", name, "new", "--yes", "--account", "main").code
    assert 2 == run("vm", "ls", "--account", "nobody").code


def test_a_vm_is_shown(run: Run, api: Any) -> None:
    """All that is known, with times and their distance; a hostile name is harmless."""
    machine = _machines(api)[0]
    api.world.update(machine.id, name=HOSTILE)
    ran = run("vm", "show", machine.id[:10].upper())
    shown = dict(line.strip().split("  ", 1) for line in ran.out.splitlines()[1:])

    assert 0 == ran.code
    assert machine.id == shown["id"].strip()
    assert "<!channel>[bold]網站 [/bold]" == shown["name"].strip()
    assert " UTC, in 1 d" in shown["funded until"]
    assert "unknown" == shown["expected"].strip()
    assert not set("\x1b\u202e") & set(ran.out)
    assert 17 <= len(shown)

    as_json = json.loads(run("vm", "show", machine.id, "--format", "json").out)
    assert (HOSTILE, None) == (as_json["vm_name"], as_json["expected_ports"])


def test_what_is_not_one_vm(run: Run, api: Any) -> None:
    """Nothing of that name, or several: exit 2, with the candidates."""
    first, second, _ = _machines(api)
    api.world.update(second.id, name=first.name)
    nobody, both = run("vm", "show", "nobody"), run("vm", "show", first.name)

    assert (2, "") == (nobody.code, nobody.out)
    assert "there is no VM 'nobody'" in nobody.err
    assert (2, "") == (both.code, both.out)
    assert "may be any of 2" in both.err
    assert first.id in both.err
    assert second.id in both.err
    assert 2 == run("vm", "show", "*").code  # one VM is shown, not several


def test_a_glob_is_not_one_vm(run: Run, api: Any) -> None:
    """It says so, and how to list what matches; a name with such characters is a name."""
    first, *_ = _machines(api)
    api.world.update(first.id, name="w*")
    assert 0 == run("vm", "show", "w*").code
    ran = run("vm", "show", "we*")

    assert (2, "") == (ran.code, ran.out)
    assert "'we*' is a glob; this command takes one VM: its id, " in ran.err
    assert "`fluence-watch vm ls 'we*'` lists" in ran.err


def test_a_missing_vm_is_shown_as_it_was(run: Run, api: Any) -> None:
    """From the store, with since when it is missing; what never was there is still unknown."""
    machine, *_ = _machines(api)
    vm = Vm(machine.id, "web", Status.ACTIVE, "ACTIVE", public_ip="203.0.113.7", ports=(SSH,))
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    lost = KnownVm(vm, at - timedelta(days=1), (SSH,), 3, at, 3, at - timedelta(minutes=1))
    before = AccountState()
    with Store.open(STORE) as store:
        keep(store, "main", replace(before, known={vm.key: lost}))
    assert json.loads(run("vm", "show", machine.id, "-o", "json").out)["listed"]
    api.world.vanish(machine.id)
    ran = run("vm", "show", "web")
    shown = dict(line.strip().split("  ", 1) for line in ran.out.splitlines()[1:])
    as_json = json.loads(run("vm", "show", machine.id[:10], "-o", "json").out)

    assert (0, "") == (ran.code, ran.err)
    assert f"web ({machine.id[:8]}) is missing; this was last known:" == ran.out.splitlines()[0]
    assert f"{at:%Y-%m-%d %H:%M} UTC, 3 h ago" == shown["missing since"].strip()
    assert " UTC, 3 h 1 min ago" in shown["last seen"]
    assert ("203.0.113.7", "22/tcp") == (shown["public IP"].strip(), shown["open ports"].strip())
    assert "drift" not in shown
    assert (False, f"{at:%Y-%m-%dT%H:%M:%SZ}") == (as_json["listed"], as_json["missing_since"])
    assert "there is no VM 'nobody'" in run("vm", "show", "nobody").err


def test_a_vm_that_went_since_the_last_poll(run: Run, api: Any) -> None:
    """The watcher has not missed it yet: it is not in the list now."""
    machine, *_ = _machines(api)
    vm = Vm(machine.id, "web", Status.ACTIVE, "ACTIVE")
    with Store.open(STORE) as store:
        known = {vm.key: KnownVm(vm, NOW)}
        keep(store, "main", replace(AccountState(), known=known))
    api.world.vanish(machine.id)
    words = " ".join(run("vm", "show", "web").out.split())
    assert "missing since now; the watcher has not missed it yet" in words
    assert None is json.loads(run("vm", "show", "web", "-o", "json").out)["missing_since"]


def test_a_long_value_is_folded(run: Run, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal no line is wider than it, and nothing is cut; in a pipe lines stay whole."""
    machine, *_ = _machines(api)
    image = "https://cloud-images.example/releases/noble/release-20260401/" + "ubuntu-24.04-" * 4
    api.world.put(replace(machine, os_image=image))
    assert image in run("vm", "show", machine.id).out
    monkeypatch.setenv("COLUMNS", "80")
    out = run("vm", "show", machine.id).out

    assert max(map(len, out.splitlines())) <= 80
    assert image in "".join(line.strip() for line in out.splitlines())


def test_vms_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    """They are told of, and are neither missing nor a failure; an account that fails is one."""
    good = Vm("0x01", "web", Status.ACTIVE, "ACTIVE")
    rejected = (Rejected("[1].price", "not a number", "0x02"), Rejected("[2]", "no object"))
    snapshot = Snapshot("main", NOW, {"0x01": good}, rejected)
    fleet = gathered({"main": snapshot}, POLICIES)
    fleet.end()

    assert (Target("main", good),) == fleet.targets
    assert [
        "fluence-watch: note: VM 0x02 cannot be read: not a number",
        "fluence-watch: note: a VM, [2], cannot be read: no object",
    ] == capsys.readouterr().err.splitlines()

    failure = PollFailure("other", NOW, "unreachable", "no answer")
    with pytest.raises(typer.Exit) as ended:
        gathered({"main": snapshot, "other": failure}, POLICIES).end()
    assert 3 == ended.value.exit_code


def test_renaming(run: Run, api: Any) -> None:
    """The difference is shown, then it is done and read back."""
    machine = _machines(api)[0]
    dry = run("vm", "rename", machine.name, "front", "--dry-run")
    silent = run("vm", "rename", machine.name, "front")
    assert machine.name == _machines(api)[0].name
    done = run("vm", "rename", machine.name, "front", "--yes")

    assert (0, 1, 0) == (dry.code, silent.code, done.code)
    assert "dry run" in dry.out
    assert "needs --yes" in silent.err
    assert [f"  - {machine.name}", "  + front"] == done.out.splitlines()[1:3]
    assert "front" == _machines(api)[0].name
    again = run("vm", "rename", "front", "front", "--yes")
    assert (0, "nothing to do, that is its name") == (again.code, again.out.strip().split(": ")[1])


def test_a_name_that_is_used(run: Run, api: Any) -> None:
    """It is warned of before the question, and done when the user says so."""
    _name_them(api, "web", "db", "ci")
    dry, done = (
        run("vm", "rename", "web", "db", "--dry-run"),
        run("vm", "rename", "web", "db", "--yes"),
    )
    warning = "fluence-watch: warning: another VM of account main has the name db already: db ("

    assert (0, 0) == (dry.code, done.code)
    assert dry.err.startswith(warning)
    assert done.err.startswith(warning)
    assert ["db", "db", "ci"] == _names(api)
    _name_them(api, "a-1", "b-1", "b-2")
    assert "has the name b-1 already" in run("vm", "rename", "a-*", "b-*", "--dry-run").err
    assert "" == run("vm", "rename", "b-*", "c-*", "--dry-run").err


def _name_them(api: Any, *names: str) -> None:
    for machine, name in zip(_machines(api), names, strict=True):
        api.world.update(machine.id, name=name)


def _names(api: Any) -> list[str]:
    return [machine.name for machine in _machines(api)]


def test_renaming_several(run: Run, api: Any) -> None:
    """One question for all, with the total; a table tells; who has such a name is left alone."""
    _name_them(api, "keep", "ci-1", "ci-2")
    silent = run("vm", "rename", "ci-*", "build-*")
    assert (1, ["keep", "ci-1", "ci-2"]) == (silent.code, _names(api))
    ran = run("vm", "rename", "ci-*", "build-*", "--yes")

    assert (0, "") == (ran.code, ran.err)
    assert "  - ci-2\n  + build-2\n2 VMs get another name\n" in ran.out
    assert ["build-1", "build-2"] == [
        line.split()[-1] for line in ran.out.splitlines() if "its name is now" in line
    ]
    assert ["keep", "build-1", "build-2"] == _names(api)

    again = run("vm", "rename", "build-*", "build-*", "--yes")
    assert (0, "nothing to do, these are their names\n") == (again.code, again.out)


@pytest.mark.parametrize(
    ("names", "pattern", "name", "code", "why"),
    [
        (["a-1", "a-2", "b"], "a-*", "web", 2, "VM and NAME need one * each"),
        (["a-1", "a-2", "b"], "a-?", "web-*", 2, "VM and NAME need one * each"),
        (["a-1", "a-1", "b"], "a-*", "web-*", 1, "would have the same name: a-1 ("),
        (["a-1", "a-", "b"], "a-*", "*", 2, "a name has no control characters"),
        (["a-1", "a-2", "b"], "c-*", "web-*", 2, "no VM has a name like 'c-*'"),
    ],
)
def test_several_that_are_not_renamed(
    run: Run, api: Any, names: list[str], pattern: str, name: str, code: int, why: str
) -> None:
    """All of them or none: what cannot be done to one is not begun."""
    _name_them(api, *names)
    ran = run("vm", "rename", pattern, name, "--yes")

    assert (code, "") == (ran.code, ran.out)
    assert why in ran.err
    assert names == _names(api)


@pytest.mark.parametrize("name", ["", "  ", " x", "a\nb", "\x1b[31m", "x" * 200])
def test_names_that_nobody_wants(run: Run, api: Any, name: str) -> None:
    """Refused before anything is asked of the API."""
    assert 2 == run("vm", "rename", _machines(api)[0].name, name, "--yes").code


def test_deleting(run: Run, api: Any) -> None:
    """What is lost and what it costs is shown first; without a store nobody is to be told."""
    machine, *others = _machines(api)
    shown = run("vm", "rm", machine.name)
    assert 1 == shown.code
    assert "disk       25 GiB, all on it is lost" in shown.out
    assert "deleting it earlier gives nothing of that back" in shown.out
    assert f"  public IP  {machine.public_ip}\n" in shown.out

    ran = run("vm", "rm", machine.name, "--yes")
    assert (0, "") == (ran.code, ran.err)
    assert [other.id for other in others] == [left.id for left in _machines(api)]
    assert not Path("fluence-watch.db").exists()


def test_deleting_tells_the_watcher(run: Run, api: Any) -> None:
    """Before the request, by a note in its store; a dry run and a refusal at home leave none."""
    Store.open(STORE).close()
    machine, other, _ = _machines(api)
    run("vm", "rm", machine.name, "--dry-run")
    run("vm", "rm", machine.name)
    assert [] == _notes()
    assert 0 == run("vm", "rm", machine.name, "--yes").code
    assert [(NoteAction.REMOVED, machine.key)] == _notes()

    # the request fails, and the note is there already
    with Store.open(STORE) as store:
        applied = store.notes("main")
        keep(store, "main", AccountState(), applied=applied)
    api.world.update(other.id, name="doomed")
    api.faults.queue(Fault(FaultKind.STATUS, status=500), 50)
    assert 3 == run("vm", "rm", "doomed", "--yes").code
    assert [] == _notes()  # it did not come so far as to ask: the list was not to be had


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (RefusedError("not this one"), [NoteAction.REMOVED, NoteAction.KEPT]),
        (OSError("the disk is full"), [NoteAction.REMOVED]),
    ],
)
def test_deleting_in_vain(
    run: Run, api: Any, answer: Exception, told: list[NoteAction], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VM that was not deleted is watched as before; one of which nobody knows may still go."""
    Store.open(STORE).close()
    machine, *_ = _machines(api)

    def delete(*_: object) -> None:
        api.faults.queue(Fault(FaultKind.STATUS, status=401), 50)
        raise answer

    monkeypatch.setattr(type(api.world), "delete", delete)
    ran = run("vm", "rm", machine.name, "--yes")
    assert 3 == ran.code
    assert (NoteAction.KEPT not in told) == ("it is not known" in ran.err)
    assert [(action, machine.key) for action in told] == _notes()


def test_deleting_several(run: Run, api: Any) -> None:
    """A glob stands for names: the total is shown, all are done, and a table tells."""
    for number, machine in enumerate(_machines(api)):
        api.world.update(machine.id, name=f"ci-{number}" if number else "keep")
    ran = run("vm", "rm", "ci-*", "--yes")

    assert 0 == ran.code
    assert "2 VMs: " in ran.out
    assert 2 == ran.out.count("deleting it releases")
    assert 2 == ran.out.count("deleted\n")
    assert ["keep"] == [machine.name for machine in _machines(api)]
    assert 2 == run("vm", "rm", "ci-*", "--yes").code


def test_at_the_end_of_the_epoch(run: Run, api: Any) -> None:
    """It waits until shortly before the charge, and deletes the same VM."""
    machine, *_ = _machines(api)
    soon = datetime.now(UTC) + timedelta(seconds=15)
    api.world.set_boundary(machine.id, soon)
    ran = run("vm", "rm", machine.name, "--at-epoch-end", "--margin", "8s", "--yes")

    assert (0, "") == (ran.code, ran.err)
    assert machine.key not in api.world.machines
    assert "Ctrl-C cancels and keeps it" in ran.out


def test_when_it_would_be_deleted(run: Run, api: Any) -> None:
    """A dry run says when, to the second; a margin alone is a mistake."""
    machine, *_ = _machines(api)
    charge = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    api.world.set_boundary(machine.id, charge)
    usual = run("vm", "rm", machine.name, "--at-epoch-end", "--dry-run")
    early = run("vm", "rm", machine.name, "--at-epoch-end", "--margin", "10m", "--dry-run")

    for ran, margin, said in ((usual, 60, "60s"), (early, 600, "10m")):
        at = charge - timedelta(seconds=margin)
        assert 0 == ran.code
        assert f" is to be deleted at {at:%Y-%m-%d %H:%M:%S} UTC, in 2 h " in ran.out
        assert f", {said} before its next charge\n" in ran.out
    alone = run("vm", "rm", machine.name, "--margin", "10m", "--yes")
    assert (2, "") == (alone.code, alone.out)
    assert "give --at-epoch-end too" in alone.err
    assert machine.key in api.world.machines


def test_a_margin_longer_than_what_is_left(run: Run, api: Any) -> None:
    """It would delete at once, and waste what is paid: refused."""
    machine, *_ = _machines(api)
    ran = run("vm", "rm", machine.name, "--at-epoch-end", "--margin", "99h", "--yes")

    assert 1 == ran.code
    assert "its next charge is nearer than the margin" in ran.err
    assert machine.key in api.world.machines


def test_several_at_the_end_of_the_epoch(run: Run, api: Any) -> None:
    """Those whose charges are close are waited for once and deleted together, with one table."""
    _name_them(api, "ci-0", "ci-1", "ci-2")
    soon = datetime.now(UTC) + timedelta(seconds=15)
    for number, machine in enumerate(_machines(api)):
        api.world.set_boundary(machine.id, soon + timedelta(milliseconds=(0, 600, 8500)[number]))
    ran = run("vm", "rm", "ci-*", "--at-epoch-end", "--margin", "8s", "--yes")

    assert (0, "") == (ran.code, ran.err)
    assert [] == _machines(api)
    waits = [line for line in ran.out.splitlines() if "waits until" in line]
    assert waits[0].endswith("Ctrl-C cancels and keeps the 3 that are left")
    assert [True, False] == [" and 1 more: " in line for line in waits]
    assert 1 == ran.out.count("RESULT")
    assert waits[1].endswith("and keeps it")


def test_a_narrow_list_of_cloud(
    run: Run, configure: Configure, serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns what that API never tells leaves its room to what it does tell."""
    configure({"main": serve(dialect="cloud").url}, dialect="cloud")
    assert "RESERVE" in run("vm", "ls").out
    monkeypatch.setenv("COLUMNS", "80")
    head, _, *lines = run("vm", "ls").out.splitlines()

    assert "unknown" not in "".join(lines)
    assert not {"RESERVE", "UNTIL"} & set(head.split())
    assert {"VM", "STATUS", "PUBLIC", "PRICE/HOUR", "FUNDED"} <= set(head.split())
