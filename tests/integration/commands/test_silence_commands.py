"""Silences and acknowledgements, as the daemon will find them in its store."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState
from fluence_watch.cli.inspect import acknowledge
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.vm import Status
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.vm_status import VmStatus
from fluence_watch.store import Store
from tests.stored import keep

Run = Callable[..., Any]  # the fakes' classes are in conftest.py, which is not imported

URL = "sqlite:///fluence-watch.db"
NOW = datetime.now(UTC)
FAILING = Alert(
    Fingerprint("main", "poll_failing"), Severity.CRITICAL, State.FIRING,
    PollFailing("unreachable", "no answer"), active_at=NOW, starts_at=NOW,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _store(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account, and a store in which one alert fires."""
    monkeypatch.setenv("FLUENCE_WATCH_API_KEY", "k")
    with Store.open(URL) as store:
        state = AccountState(last_poll_at=NOW, alerts={FAILING.fingerprint: FAILING})
        keep(store, "main", state)


def rows(run: Run, *args: str) -> list[dict[str, Any]]:
    """What a command prints for programs."""
    found: list[dict[str, Any]] = json.loads(run(*args, "-o", "json").out)
    return found


def test_a_silence(run: Run) -> None:
    """It says what it mutes, is listed, shows in the list of alerts, and ends when it is told to."""
    added = run("silence", "add", "-m", 'rule=~"poll_.*"', "-m", "account=main", "--for", "2h", "--comment", "we know", "--author", "ann")  # fmt: skip
    first, second = added.out.splitlines()
    assert first[8:].startswith(': rule=~"poll_.*", account="main", until ')
    assert "mutes 1 alert that fires now: poll_failing" == second

    (row,) = rows(run, "silence", "ls")
    assert ("active", "ann", "we know") == (row["state"], row["author"], row["comment"])
    assert first.startswith(row["id"])
    assert timedelta(hours=2) == _time(row["ends_at"]) - _time(row["starts_at"])
    (alert,) = rows(run, "alerts")
    assert ("silenced", row["id"], row["ends_at"]) == (
        alert["muted"]["why"], alert["muted"]["by"], alert["muted"]["until"],
    )  # fmt: skip
    assert "silenced" in run("alerts").out

    assert 0 == run("silence", "expire", row["id"][:5]).code
    assert "nothing is silenced\n" == run("silence", "ls").out
    assert ["over"] == [row["state"] for row in rows(run, "silence", "ls", "--expired")]
    assert [None] == [alert["muted"] for alert in rows(run, "alerts")]


def test_a_silence_that_begins_later(run: Run) -> None:
    """It mutes nothing yet, and one that never began leaves no trace when it is ended."""
    added = run("silence", "add", "-m", "rule=poll_failing", "--start", "2099-01-01T08:00", "--until", "2099-01-01T10:00+01:00")  # fmt: skip
    assert "until 2099-01-01 09:00 UTC" in added.out
    assert "it begins in " in added.out
    (row,) = rows(run, "silence", "ls")
    assert "pending" == row["state"]
    assert [None] == [alert["muted"] for alert in rows(run, "alerts")]
    run("silence", "expire", row["id"])
    assert [] == rows(run, "silence", "ls", "--expired")


@pytest.mark.parametrize(
    ("matcher", "code", "says"),
    [
        ("rule=poll_failin", 2, """--match: rule="poll_failin" matches no rule; did you mean 'poll_failing'?"""),
        ("severity=critcal", 2, """--match: severity="critcal" matches no severity; did you mean 'critical'?"""),
        ("rule!=poll_failin", 0, """note: --match: rule!="poll_failin" excludes no rule; did you mean 'poll_failing'?"""),
        ("account=mian", 0, """note: --match: account="mian" matches no account; did you mean 'main'?"""),
        ("rule=poll_failing", 0, ""),
    ],
)  # fmt: skip
def test_a_silence_about_what_does_not_exist(run: Run, matcher: str, code: int, says: str) -> None:
    """A rule that does not exist is a mistake; an account may come later."""
    ran = run("silence", "add", "-m", matcher, "--for", "2h")
    assert (code, f"fluence-watch: {says}\n" if says else "") == (ran.code, ran.err)
    assert (not code) == bool(rows(run, "silence", "ls"))


def test_a_list_of_what_does_not_exist(run: Run) -> None:
    """It is empty, and says why."""
    ran = run("alerts", "--match", "rule=poll_failin")
    assert (0, "nothing fires\n") == (ran.code, ran.out)
    assert 'note: --match: rule="poll_failin" matches no rule; did you mean' in ran.err
    assert "matches no rule" not in run("alerts", "--match", "rule=poll_failing").err


def test_maintenance_of_the_settings(run: Run) -> None:
    """It is listed while it is on, and mutes."""
    config = """
accounts = [{ api_key = "k" }]
maintenance = [
    { name = "always", match = ["rule=poll_failing"], schedule = "* * * * *", duration = "1h" },
    { name = "never", match = ["rule=poll_failing"], schedule = "0 0 29 2 *", duration = "1m" },
]
"""
    Path("config.toml").write_text(config, encoding="utf-8")
    (row,) = rows(run, "silence", "ls")
    assert ("always", "maintenance") == (row["id"], row["state"])
    assert ["maintenance"] == [alert["muted"]["why"] for alert in rows(run, "alerts")]


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["-m", "rule=a"], "say how long with --for 2h, or until when"),
        (
            ["-m", "rule=a", "--for", "1h", "--until", "2099-01-01"],
            "say how long with --for 2h, or",
        ),
        (["-m", "rule=a", "--for", "2"], "--for: '2' is not a duration: write"),
        (
            ["-m", "rule=a", "--until", "soon"],
            "--until: 'soon' is no time: write 2026-11-29 or 2026-11-29T18:00",
        ),
        (["-m", "rule=a", "--until", "2001-01-01"], "nothing would be silenced"),
        (["-m", "rule=a", "--for", "0s"], "nothing would be silenced"),
        (["-m", "rle=a", "--for", "1h"], "--match: there is no label 'rle': labels are rule"),
        (["-m", "rule", "--for", "1h"], "--match: 'rule' is no matcher: write label"),
    ],
)
def test_what_is_no_silence(run: Run, args: list[str], problem: str) -> None:
    """It is refused in words, and nothing is silenced."""
    ran = run("silence", "add", *args)
    assert (2, "") == (ran.code, ran.out)
    assert problem in ran.err
    assert [] == rows(run, "silence", "ls", "--expired")


def test_an_acknowledgement(run: Run) -> None:
    """Until it is worse, or withdrawn; a second one replaces the first."""
    (alert,) = rows(run, "alerts")
    assert 0 == run("alerts", "ack", alert["id"][:4], "--for", "4h", "--author", "ann").code
    ran = run("alerts", "ack", alert["id"], "--author", "bob")
    heading = f"{alert['id'][:8]} poll_failing · main: "
    assert ran.out.startswith(f"{heading}acknowledged until ")
    assert "(in 23 h 59 min)" in ran.out or "(in 24 h" in ran.out or "(in 1 d" in ran.out
    (alert,) = rows(run, "alerts")
    assert ("acknowledged", "bob") == (alert["muted"]["why"], alert["muted"]["by"])
    with Store.open(URL) as store:
        state = store.load("main").state
        worse = replace(FAILING, step=1)
        keep(store, "main", replace(state, alerts={FAILING.fingerprint: worse}))
    assert [None] == [each["muted"] for each in rows(run, "alerts")]
    assert f"{heading}is not acknowledged, so there is nothing to withdraw\n" == run("alerts", "unack", alert["id"]).out  # fmt: skip
    run("alerts", "ack", alert["id"])
    assert f"{heading}not acknowledged any more\n" == run("alerts", "unack", alert["id"]).out


def test_an_alert_of_a_vm(run: Run) -> None:
    """It is named as `alerts` names it, and what comes from outside is data."""
    facts = VmStatus(VmRef("0xDA7114ff00", "db\x1b[2J-2"), Status.STOPPED, "STOPPED", None)
    alert = replace(FAILING, fingerprint=Fingerprint("main", "vm_status", "0xda7114ff00"), facts=facts)  # fmt: skip
    with Store.open(URL) as store:
        keep(store, "main", replace(store.load("main").state, alerts={alert.fingerprint: alert}))
    alert_id = mark(alert.episode)[:8]
    for command in ("ack", "unack"):
        said = run("alerts", command, alert_id).out
        assert said.startswith(f"{alert_id} vm_status db-2 (0xDA7114) · main: "), said


@pytest.mark.parametrize("lasts", ["0s", "367d"])
def test_how_long_an_acknowledgement_lasts(run: Run, lasts: str) -> None:
    """Some time, and a year at most."""
    ran = run("alerts", "ack", "1", "--for", lasts)
    assert (2, "") == (ran.code, ran.out)
    assert "--for: write a duration longer than 0, up to 366d" in ran.err


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (
            {"step": 1},
            "poll_failing · main: it is worse now, and not acknowledged: critical, unreachable",
        ),
        ({"state": State.RESOLVED, "ends_at": NOW}, "poll_failing · main: it is over"),
    ],
)
def test_an_acknowledgement_that_comes_too_late(
    run: Run, monkeypatch: pytest.MonkeyPatch, now: dict[str, Any], words: str
) -> None:
    """A poll changes the alert after the command has read it: the command says to what."""
    found = replace(FAILING, **now)
    monkeypatch.setattr(acknowledge, "_chosen", lambda *_: [FAILING])
    with Store.open(URL) as store:
        state, ended = store.load("main").state, [found] if found.ends_at else []
        alerts = {} if ended else {found.fingerprint: found}
        keep(store, "main", replace(state, alerts=alerts), ended)
    ran = run("alerts", "ack", "1")
    assert (2, "") == (ran.code, ran.out)
    assert words in ran.err
    assert bool(found.step) is (f"fluence-watch alerts ack {mark(found.episode)}" in ran.err)


@pytest.mark.parametrize("command", [["silence", "expire"], ["alerts", "ack"], ["alerts", "unack"]])
def test_ids_of_nothing(run: Run, command: list[str]) -> None:
    """A wrong id is an error that names the list of them."""
    ran = run(*command, "zzzz")
    assert 2 == ran.code
    assert f"'zzzz': see fluence-watch {command[0]}" in ran.err


def test_a_part_of_the_alerts(run: Run) -> None:
    """Those that match."""
    assert [] == rows(run, "alerts", "--match", "severity=warning")
    assert ["poll_failing"] == [row["rule"] for row in rows(run, "alerts", "-m", "severity!=info")]
    assert "no matcher" in run("alerts", "-m", "severity").err


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
