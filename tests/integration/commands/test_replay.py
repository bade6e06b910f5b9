"""`replay`: a record through other settings."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.snapshot import build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.record.files import Bounds
from fluence_watch.record.wire import Seen
from fluence_watch.record.writing import Writer

Run = Callable[..., Any]  # the fakes' classes are in conftest.py, which is not imported
NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
WEB = Vm("0xa1", "<web>\x1b", Status.ACTIVE, "ACTIVE", MicroUsdc(298_160), ports=(SSH,))
OPEN = replace(WEB, ports=(SSH, port(8080)))
SETTINGS = '[[receivers]]\nname = "ops"\n'


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of half an hour in which a port is open for a while, and two settings."""
    monkeypatch.chdir(tmp_path)
    writer = Writer(Path("record"), Bounds(timedelta(days=90), 2**30))
    for minute in range(30):
        at = NOW + timedelta(minutes=minute)
        vm = OPEN if 10 <= minute < 20 else WEB
        writer.write(Seen(build_snapshot("main", at, [vm])))
    Path("new.toml").write_text(SETTINGS, encoding="utf-8")
    Path("old.toml").write_text(SETTINGS + '[rules.port_drift]\nfor = "5m"\n', encoding="utf-8")


def test_what_would_have_been_told(run: Run) -> None:
    """Each message with its first words, then the sums; names are data."""
    ran = run("replay", "record", "--config", "new.toml", "-o", "wide")
    assert (0, "") == (ran.code, ran.err)
    assert "2026-04-16 12:10 UTC" in ran.out
    assert "8080/tcp is open" in ran.out
    assert "\x1b" not in ran.out
    assert (
        "2 messages of 30 polls from 2026-04-16 12:00:00 UTC to 2026-04-16 12:29:00 UTC\n"
        in ran.out
    )


def test_messages_as_a_whole(run: Run) -> None:
    """With what to do."""
    ran = run("replay", "record", "--config", "new.toml", "--full")
    assert "2026-04-16 12:10:00 UTC → ops\n" in ran.out
    assert "vm ports accept" in ran.out


def test_json(run: Run) -> None:
    """All of it for programs."""
    ran = run(
        "replay",
        "record",
        "--config",
        "new.toml",
        "--format",
        "json",
        "--since",
        "2026-04-16T12:15",
    )
    found = json.loads(ran.out)
    assert (30, []) == (found["polls"], found["flaws"])
    (message,) = found["messages"]
    (alert,) = message["alerts"]
    assert ("ops", "port_drift", "resolved") == (
        message["receiver"],
        alert["rule"],
        alert["reason"],
    )
    assert [{"rule": "port_drift", "receiver": "ops", "messages": 1, "alerts": 1}] == found["sums"]


def test_what_differs(run: Run) -> None:
    """And nothing else."""
    ran = run("replay", "record", "--config", "new.toml", "--diff", "old.toml")
    assert "moved" in ran.out
    assert "2 messages before, 2 now: 1 difference (1 moved)\n" in ran.out
    same = run("replay", "record", "--config", "new.toml", "--diff", "new.toml")
    assert "2 messages before, 2 now: nothing differs\n" == same.out


def test_it_fits_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 80 columns; a time says the day once."""
    monkeypatch.setenv("COLUMNS", "80")
    for options in ([], ["--diff", "old.toml"]):
        ran = run("replay", "record", "--config", "new.toml", *options)
        lines = [line.rstrip() for line in ran.out.splitlines()]
        assert 80 >= max(map(len, lines[:-1]))
    assert "04-16 12:10   moved    ops        12:15:00   12:10:00   port_drift" in ran.out


def test_repetitions_are_folded(run: Run) -> None:
    """A row says how often; a program gets each of them."""
    for name, every in (("often", "5m"), ("rarely", "10m")):
        text = SETTINGS.replace('name = "ops"', f'name = "ops"\nrepeat_interval = "{every}"')
        Path(f"{name}.toml").write_text(text, "utf-8")
    command = ("replay", "record", "--config", "rarely.toml", "--diff", "often.toml")
    ran = run(*command)
    rows = [line.split() for line in ran.out.splitlines() if " repeats " in line]
    as_json = json.loads(run(*command, "--format", "json").out)["differences"]

    assert ["repeats", "ops"] == rows[0][2:4]
    assert "1 difference (1 repeats)" in ran.out
    assert f"{len(as_json)} repetition" in ran.out
    assert {("ops", "repeat")} == {(each["receiver"], each["reason"]) for each in as_json}


def test_what_may_have_moved_past_the_end(run: Run) -> None:
    """What only one of them sends, near the end of the record."""
    Path("off.toml").write_text(SETTINGS + "[rules.port_drift]\nenabled = false\n", "utf-8")
    ran = run("replay", "record", "--config", "new.toml", "--diff", "off.toml")
    assert "0 messages before, 2 now: 2 differences (2 added)\n" in ran.out
    assert "2 added or gone in the last day of the record" in ran.out


def test_without_a_receiver(run: Run) -> None:
    """It says why there is no message."""
    Path("none.toml").write_text("", encoding="utf-8")
    ran = run("replay", "record", "--config", "none.toml")
    assert "0 messages of 30 polls" in ran.out
    assert "add [[receivers]], a name is enough\n" in ran.err


def test_so_long_ago(run: Run) -> None:
    """A duration is counted from now."""
    ran = run("replay", "record", "--config", "new.toml", "--until", "36500d")
    assert "0 messages of 0 polls\n" == ran.out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere"], "there is no record in nowhere"),
        (["record", "--since", "soon"], "'soon' is no time"),
        (["record", "--since", "2026-04-17", "--until", "2026-04-16"], "is not before --until"),
        (["record", "--account", "other"], "other"),
        (["record", "--receiver", "opps"], "opps"),
    ],
)
def test_what_cannot_be_replayed(run: Run, arguments: list[str], why: str) -> None:
    """It says what, and what to do."""
    ran = run("replay", *arguments, "--config", "new.toml")
    assert ran.code == 2
    assert why in ran.err


def test_a_record_that_cannot_be_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, the reason, and what to do."""

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    ran = run("replay", "record", "--config", "new.toml")
    assert 2 == ran.code
    assert ran.err.startswith("fluence-watch: cannot read record/main-")
    assert ran.err.endswith(".jsonl.zst: Permission denied: run it as the daemon's user\n")
