"""`why`, over a store that a daemon has written."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fluence_watch.alerting.attempts import Attempts, mark
from fluence_watch.alerting.journal import Details, Entry, What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.alerting.telling import Notified
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.known import KnownVm
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.low_balance import LowBalance
from fluence_watch.store import Store

Run = Callable[..., Any]  # the fakes' classes are in conftest.py, which is not imported

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
CONFIG = """
accounts = [{ name = "main", api_key = "k" }]
receivers = [{ name = "ops", url = "json://localhost" }, { name = "mail", url = "json://localhost" }]
[rules.port_drift]
enabled = false
"""
NAMES, URL = ("ops", "mail", "late"), "json://localhost"
HOSTILE = "web\x1b[2J\u202e<!channel>"
VM = Vm("0xAB12", HOSTILE, Status.ACTIVE, "ACTIVE")
FACTS = LowBalance(VmRef("0xAB12", HOSTILE), MicroUsdc(100), MicroUsdc(298_160), None, None, None)
ALERT = Alert(
    Fingerprint("main", "low_balance", "0xab12"), Severity.CRITICAL, State.FIRING,
    FACTS, active_at=NOW - 3 * HOUR, starts_at=NOW - 2 * HOUR,
)  # fmt: skip
ID = mark(ALERT.episode)


def entry(what: What, ago: timedelta, receiver: str | None = None, **details: Any) -> Entry:  # noqa: ANN401
    """An entry about the alert."""
    about, active_at = ALERT.episode
    return Entry(NOW - ago, what, about, active_at, receiver, Details(**details))


ENTRIES = [
    entry(
        What.FIRING, 2 * HOUR, severity=Severity.CRITICAL, facts=FACTS,
        settings={"min_epochs": 1, "for": "1h"},
    ),
    entry(What.SKIPPED, 2 * HOUR, "mail", reason="match", by='severity="info"'),
    entry(What.REFUSED, 2 * HOUR, "ops", reason="first", text="HTTP 503"),
    entry(What.SENT, HOUR, "ops", reason="first", number=3),
]  # fmt: skip
DROPPED = Entry(
    NOW - HOUR, What.DROPPED, Fingerprint("main", "vm_status", "0xab12"),
    details=Details("over", since=NOW - HOUR - HOUR / 30, facts=FACTS),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _store() -> None:
    """An alert that two receivers were asked about, and a finding that never fired."""
    Path("config.toml").write_text(CONFIG, encoding="utf-8")
    with Store.open("sqlite:///fluence-watch.db") as store:
        store.add_receivers(["ops", "mail"], NOW)
        known = {VM.key: KnownVm(VM, NOW - 3 * HOUR)}
        state = AccountState(known, {ALERT.fingerprint: ALERT}, last_poll_at=NOW, last_good_at=NOW)
        change = Change.between(AccountState(), state, entries=[DROPPED])
        store.commit("main", change, version=0)
        store.save_attempts("ops", Attempts(), {}, ENTRIES)


def test_an_alert(run: Run) -> None:
    """The chain in the order of time, and a line for each receiver, without control characters."""
    shown = run("why", ID[:6])
    assert 0 == shown.code
    lines = shown.out.splitlines()
    assert f"{ID[:8]} low_balance web<!channel> (0xAB12) · main: firing" == lines[0]
    assert "fires (critical): " in lines[1]
    assert "settings: min_epochs = 1, for = 1h; pending for 1 h" in lines[1]
    assert lines[2].endswith('mail: not notified: its route takes severity="info" only')
    assert lines[3].endswith("ops: refused, retrying: HTTP 503")
    assert lines[4].endswith("ops: notified: it fires, at attempt 3")
    assert '  → mail: not notified: its route takes severity="info" only' == lines[5]
    assert lines[6].startswith("  → ops: notified ")
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out


def test_an_alert_that_is_about_to_fire(run: Run) -> None:
    """What is seen, and since when; no receiver was asked."""
    with Store.open("sqlite:///fluence-watch.db") as store:
        stored, about = store.load("main"), ALERT.fingerprint._replace(key="x")
        pending = replace(ALERT, fingerprint=about, state=State.PENDING, starts_at=None)
        alerts = {**stored.state.alerts, about: pending}
        change = Change.between(stored.state, replace(stored.state, alerts=alerts))
        store.commit("main", change, version=stored.version)
    head, line, *receivers = run("why", mark(pending.episode)).out.splitlines()
    assert head.endswith(": pending")
    assert "reserve 0.298160 of unknown USDC; seen since " in line
    waits = "waits: its `for` has not passed"
    assert [f"  → mail: {waits}", f"  → ops: {waits}"] == receivers


def test_a_receiver_that_was_added_later(run: Run) -> None:
    """It has an answer in each output; so has one that the settings do not have any more."""
    receivers = (
        f"receivers = [{', '.join(f'{{ name = {name!r}, url = {URL!r} }}' for name in NAMES)}]"
    )
    config = CONFIG.replace(CONFIG.splitlines()[2], receivers)
    Path("config.toml").write_text(config, encoding="utf-8")
    over = replace(ALERT, state=State.RESOLVED, ends_at=NOW - HOUR)
    with Store.open("sqlite:///fluence-watch.db") as store:
        stored = store.load("main")
        change = Change.between(stored.state, replace(stored.state, alerts={}), [over])
        store.commit("main", change, version=stored.version)
        store.add_receivers(["removed"], NOW)
    line = "  → late: not notified: it ended before the receiver was added"
    for words in ([ID], [ID, "--receiver", "late"], [VM.id]):
        assert line in run("why", *words).out.splitlines()
    told = json.loads(run("why", ID, "-o", "json").out)
    assert {"late": "added_later", "mail": "match", "ops": "first"} == {
        each["answer"]["receiver"]: each["answer"]["reason"] for each in told["receivers"]
    }
    said = run("why", ID, "--receiver", "removed").out.splitlines()
    assert (
        "  → removed: unknown: it is no receiver any more, and nothing is written of it" == said[-1]
    )


def test_when_a_receiver_is_tried_again(run: Run) -> None:
    """Of one that did not accept the message yet, as long as that is ahead."""
    now = datetime.now(UTC).replace(microsecond=0)
    refused = replace(ENTRIES[2], receiver="late", at=NOW)
    with Store.open("sqlite:///fluence-watch.db") as store:
        store.add_receivers(["late"], NOW)
        for ahead, words in ((4 * HOUR, "; next try "), (-HOUR, "")):
            store.save_attempts("late", Attempts(None, 3, now + ahead, "HTTP 503"), {}, [refused])
            (last,) = [e for e in run("why", ID).out.splitlines() if e.startswith("  → late")]
            assert last.startswith(f"  → late: refused, retrying: HTTP 503{words}")
            assert bool(words) is ("(in 3 h 5" in last or "(in 4 h)" in last)
    told = json.loads(run("why", ID, "--receiver", "late", "-o", "json").out)
    until = told["receivers"][0]["answer"]["until"]
    assert (now - HOUR).isoformat().replace("+00:00", "Z") == until


def test_one_receiver(run: Run) -> None:
    """The others are left out."""
    assert "ops" not in run("why", ID, "--receiver", "mail").out
    assert "there is no receiver 'pager': there are mail, ops" in run("why", ID, "--receiver", "pager").err  # fmt: skip


def test_a_vm(run: Run) -> None:
    """Its alerts, what never fired, and why the other rules found nothing."""
    shown = run("why", "0xab")
    assert ID[:8] in shown.out
    assert (
        "vm_status was seen for 2 min and did not fire, it was over before its `for`" in shown.out
    )
    assert "disabled: rules.port_drift.enabled = false" in shown.out
    assert "nothing found at the last poll" in shown.out
    assert f"{ID[:8]} low_balance" in run("why", VM.name).out


def test_old_data(run: Run) -> None:
    """When the account was last polled is said beside it, if that is long ago."""
    targets = ID, VM.id, "main"
    _poll(datetime.now(UTC))
    assert ["", "", ""] == [run("why", target).err for target in targets]
    _poll(datetime.now(UTC) - HOUR)
    for ran in (run("why", target) for target in targets):
        assert 0 == ran.code
        assert "note: the last poll was " in ran.err
        assert "1 h ago, so this may be out of date: is `fluence-watch run` running?" in ran.err


def _poll(at: datetime) -> None:
    with Store.open("sqlite:///fluence-watch.db") as store:
        stored = store.load("main")
        change = Change.between(stored.state, replace(stored.state, last_poll_at=at))
        store.commit("main", change, version=stored.version)


def test_a_vm_that_was_renamed(run: Run) -> None:
    """The name in its messages is found too."""
    with Store.open("sqlite:///fluence-watch.db") as store:
        stored = store.load("main")
        known = {VM.key: KnownVm(replace(VM, name="db"), NOW)}
        change = Change.between(stored.state, replace(stored.state, known=known))
        store.commit("main", change, version=stored.version)
    assert f"{ID[:8]} low_balance" in run("why", "db").out
    assert f"{ID[:8]} low_balance" in run("why", HOSTILE).out


def test_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are wrapped."""
    monkeypatch.setenv("COLUMNS", "80")
    narrow = run("why", "0xab").out
    assert all(len(line) <= 80 for line in narrow.splitlines())
    assert "vm_status was seen for 2 min and did not fire, it was" in " ".join(narrow.split())


def test_json(run: Run) -> None:
    """For programs: words of enumerations, and times."""
    told = json.loads(run("why", ID, "-o", "json").out)
    by_name = {each["answer"]["receiver"]: each["answer"] for each in told["receivers"]}
    assert ("skipped", "match") == (by_name["mail"]["what"], by_name["mail"]["reason"])
    assert ("sent", "first", None) == (
        by_name["ops"]["what"], by_name["ops"]["reason"], by_name["ops"]["resolved_at"],
    )  # fmt: skip
    of_vm = json.loads(run("why", VM.id, "-o", "json").out)
    assert {"port_drift": "disabled"}.items() <= {
        e["rule"]: e["why"] for e in of_vm["rules"]
    }.items()
    assert ["dropped"] == [each["what"] for each in of_vm["unfired"]]


def test_an_account_and_a_resource(run: Run) -> None:
    """By their names: also what never fired is explained."""
    disk = Resource(Kind.DISK, "d1", "archive", "active", None)
    over = Details("over", since=NOW - HOUR, facts=FACTS)
    dropped = [
        Entry(NOW, What.DROPPED, Fingerprint("main", "poll_failing"), details=over),
        Entry(NOW, What.DROPPED, Fingerprint("main", "idle_resource", disk.key), details=over),
    ]
    failed = Entry(NOW, What.POLL_FAILED, Fingerprint("main", ""), details=Details("timeout"))
    with Store.open("sqlite:///fluence-watch.db") as store:
        stored = store.load("main")
        rented = {disk.key: KnownResource(disk, NOW)}
        change = Change.between(
            stored.state, replace(stored.state, resources=rented), entries=[*dropped, failed]
        )
        store.commit("main", change, version=stored.version)
    assert "poll_failing was seen for " in run("why", "main").out
    assert "polls fail" not in run("why", "main").out
    assert "idle_resource was seen for " in run("why", "archive").out
    assert "idle_resource was seen for " in run("why", disk.key).out


def test_an_account_of_which_nothing_was_found(run: Run) -> None:
    """It says so."""
    assert "nothing was found of it, as far back as is kept\n" == run("why", "main").out


def test_what_was_sent_before_there_was_a_journal(run: Run) -> None:
    """Deliveries know it."""
    told = {ALERT.episode: Notified(NOW - HOUR, Severity.CRITICAL)}
    with Store.open("sqlite:///fluence-watch.db") as store:
        store.add_receivers(["old"], NOW)
        store.save_attempts("old", Attempts(), told)
    assert "→ old: notified " in run("why", ID).out


@pytest.mark.parametrize("target", ["nothing", "", "0xzz"])
def test_what_is_unknown(run: Run, target: str) -> None:
    """The error says where to look."""
    ran = run("why", target)
    assert 2 == ran.code
    assert f"there is no VM, resource, account or alert {target!r}" in ran.err
    assert "alerts --resolved" in ran.err


def test_what_is_not_clear(run: Run) -> None:
    """The error lists what may be meant."""
    with Store.open("sqlite:///fluence-watch.db") as store:
        stored = store.load("main")
        other = replace(VM, id="0xAB34", name="db")
        known = {**stored.state.known, other.key: KnownVm(other, NOW)}
        change = Change.between(stored.state, replace(stored.state, known=known))
        store.commit("main", change, version=stored.version)
    ran = run("why", "0xab")
    assert 2 == ran.code
    assert "'0xab' matches 2: give more of the id" in ran.err
    assert "db 0xab34 of main" in ran.err


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1000000d", "--since: write a duration longer than 0, up to 3650d"),
        ("0s", "--since: write a duration longer than 0, up to 3650d"),
        ("99999999999d", "--since: '99999999999d' is too long a duration"),
        ("2", "--since: '2' is not a duration: write"),
    ],
)
def test_how_far_back(run: Run, text: str, error: str) -> None:
    """A duration that no time is so far back from is an error of the user, as elsewhere."""
    ran = run("why", VM.id, "--since", text)
    assert 2 == ran.code
    assert error in ran.err
