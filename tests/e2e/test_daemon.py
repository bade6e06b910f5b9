"""The daemon's life: it stops when told, changes over when told, and owns its store alone."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

Eventually = Callable[..., Any]
Configure = Callable[..., Path]

POLLS = "fluence_poll_duration_seconds_count"
RELOADED = "fluence_watch_config_last_reload_successful"
DRIFT = {"vm": "web-1", "port": "8001/tcp"}


def polled(daemon: Any, eventually: Eventually, times: int = 3) -> None:
    """Wait for some more polls."""
    before = daemon.metric(POLLS, account="main") or 0
    eventually(lambda: daemon.metric(POLLS, account="main") >= before + times, "more polls")


def reload_by_signal(daemon: Any, eventually: Eventually) -> None:
    """SIGHUP, and wait for the log line that says how it went."""
    before = reloads(daemon)
    daemon.signal(signal.SIGHUP)
    eventually(lambda: before != reloads(daemon), "reloaded")


def reload_by_http(daemon: Any, eventually: Eventually) -> None:
    """POST /-/reload, which answers when it is done; its log lines may come a moment later."""
    before = reloads(daemon)
    httpx.post(f"{daemon.url}/-/reload", timeout=30, verify=False)
    eventually(lambda: before != reloads(daemon), "it is logged")


def reloads(daemon: Any) -> list[int]:
    """How many reloads the log has that went well, and that did not."""
    events = ("reloaded", "reload failed, the old settings stay")
    return [len(daemon.logged(event)) for event in events]


def bodies(receiver: Any, first: int = 0) -> str:
    """What the receiver accepted, from that message on."""
    return "\n".join(post.body for post in receiver.accepted[first:])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_when_told(daemon: Any, number: int) -> None:
    """An idle daemon ends at once, with exit code 0, its store closed."""
    daemon.start().ready()
    daemon.signal(number)

    assert 0 == daemon.ended(10)
    assert ["stopping", "stopped"] == [
        line["event"] for line in daemon.lines if line["event"] in {"stopping", "stopped"}
    ]
    assert [] == list(daemon.config.parent.glob("store.db-*"))


@pytest.mark.alone
def test_stops_in_time_while_everything_hangs(
    fluence: Any, receiver: Any, daemon: Any, configure: Configure, eventually: Eventually
) -> None:
    """A poll and a delivery that would take a minute hold up the end for ten seconds at most."""
    configure(
        {
            "poll": {"timeout": "60s"},
            "receivers": [{"name": "ops", "url": f"{receiver.url}?rto=60&cto=60"}],
        }
    )
    receiver.answers.clear()
    daemon.start().ready()
    fluence.do("open-port", **DRIFT)
    eventually(lambda: receiver.accepted, "a delivery hangs")
    fluence.fail("latency", seconds=60)
    requests = fluence.requests
    eventually(lambda: fluence.requests > requests, "a poll hangs")
    started = time.monotonic()

    assert 0 == daemon.stop(20)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("reload", [reload_by_signal, reload_by_http])
def test_reload(
    fluence: Any,
    receiver: Any,
    another_receiver: Any,
    daemon: Any,
    configure: Configure,
    eventually: Eventually,
    reload: Callable[..., None],
) -> None:
    """Accounts, receivers and rules change over at once; what is removed leaves no series.

    An account leaves a line on the page: its state is kept for a while.

    What is doubtful in the settings is logged each time that they are read.
    """
    (main,) = accounts = [{"name": "main", "api_key": "t0p-secret-key", "base_url": fluence.url}]
    second = main | {"name": "second"}
    receivers = [{"name": name, "url": r.url} for name, r in [("ops", receiver), ("chat", another_receiver)]]  # fmt: skip
    daemon.start().ready()
    assert None is daemon.metric("fluence_up", account="second")

    configure(
        {
            "accounts": [*accounts, second],
            "receivers": receivers,
            "rules.port_drift": {"severity": "critical"},
        }
    )
    reload(daemon, eventually)
    eventually(lambda: daemon.metric("fluence_up", account="second") == 1, "the second is polled")
    waiting = "fluence_watch_outbox_messages"
    eventually(
        lambda: daemon.metric(waiting, receiver="chat") == 0, "nothing waits for the new one"
    )
    fluence.do("open-port", **DRIFT)
    for each in (receiver, another_receiver):
        eventually(lambda each=each: len(each.accepted) == 2, "both are told of both")
        assert all(post.body.startswith("CRITICAL · port_drift") for post in each.accepted)

    configure({"receivers": receivers[:1]})
    reload(daemon, eventually)
    assert ["poll.timeout", "poll.timeout", "accounts[1].api_key", "poll.timeout"] == [
        line["note"].split(": ")[1] for line in daemon.logged("doubtful setting")
    ]
    page = daemon.get("/metrics").text
    assert 'account="second"' not in page
    assert 'receiver="chat"' not in page
    assert 'account="main"' in page
    page = daemon.get("/").text
    assert (1, 1) == (
        page.count("second"),
        page.count("second</span> is missing from the settings"),
    )
    polled(daemon, eventually)
    assert 1 == daemon.metric(RELOADED)
    assert 2 == len(receiver.accepted)


def test_a_reload_names_what_needs_a_restart(
    daemon: Any, configure: Configure, eventually: Eventually
) -> None:
    """The answer and the log do, at each reload, until the settings are as they were."""
    address = daemon.start().ready().url

    def logged(times: int) -> list[dict[str, Any]] | None:
        lines: list[dict[str, Any]] = daemon.logged("changed, restart to apply it")
        return lines if len(lines) == times else None

    for number in (1, 2):
        configure({"server": {"listen": "127.0.0.1:1"}, "store": {"retention": "9d"}})
        answer = httpx.post(f"{address}/-/reload", timeout=30, verify=False)
        assert "reloaded\nserver.listen changed: restart to apply it\n" == answer.text
        lines = eventually(lambda times=number: logged(times), "it is logged")
        assert {"server.listen"} == {line["setting"] for line in lines}
    configure({})
    assert "reloaded\n" == httpx.post(f"{address}/-/reload", timeout=30, verify=False).text


@pytest.mark.parametrize("reload", [reload_by_signal, reload_by_http])
def test_reload_of_a_bad_file(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    configure: Configure,
    eventually: Eventually,
    reload: Callable[..., None],
) -> None:
    """The old settings stay, and the metric and the log say so until a good file comes."""
    daemon.start().ready()
    configure({"rules.low_balance": {"minimum": 3}, "receivers": [{"name": "x", "url": "bad://t0p"}]})  # fmt: skip
    reload(daemon, eventually)

    assert 0 == daemon.metric(RELOADED)
    answer = httpx.post(f"{daemon.url}/-/reload", timeout=30, verify=False)
    assert 500 == answer.status_code
    for text in (answer.text, str(daemon.logged("reload failed, the old settings stay"))):
        assert "rules.low_balance.minimum: unknown key" in text
        assert "receivers[0].url: Apprise cannot use this 'bad' URL" in text
        assert "t0p" not in text
    assert daemon.get("/-/ready").is_success
    fluence.do("open-port", **DRIFT)
    eventually(lambda: receiver.accepted, "the old receiver is told")

    configure()
    reload(daemon, eventually)
    assert 1 == daemon.metric(RELOADED)


def test_second_daemon_is_refused(daemon: Any, cli: Callable[..., Any]) -> None:
    """The store has one owner; the second says so and leaves the first alone."""
    daemon.start().ready()
    second = cli("run", "--config", daemon.config)

    assert 2 == second.returncode
    (line,) = second.stderr.splitlines()
    assert line.startswith("fluence-watch: another fluence-watch runs on ")
    assert f"(pid {daemon.process.pid})" in line
    assert daemon.get("/-/ready").is_success


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_restart_tells_nothing_twice(
    fluence: Any, receiver: Any, daemon: Any, eventually: Eventually, end: int
) -> None:
    """What fires goes on firing, untold, and its end is told once."""
    daemon.start().ready()
    fluence.do("open-port", **DRIFT)  # first: what vanished is told at the second poll without it
    fluence.do("vanish", vm="db-2")
    eventually(lambda: bodies(receiver).count("CRITICAL · vm_vanished"), "the loss is told")
    eventually(lambda: daemon.metric("fluence_watch_outbox_messages") == 0, "all is told")
    told = len(receiver.accepted)
    daemon.signal(end)
    daemon.ended()
    daemon.start().ready()
    polled(daemon, eventually)

    assert told == len(receiver.accepted)
    assert 1 == daemon.metric("fluence_watch_alerts", rule="vm_vanished", state="firing")

    fluence.do("bring-back", vm="db-2")
    fluence.do("close-port", **DRIFT)
    resolved = "RESOLVED · vm_vanished"
    eventually(lambda: resolved in bodies(receiver, told), "its return is told")
    polled(daemon, eventually)
    assert all(title.removeprefix("[").startswith("RESOLVED") for title in receiver.titles[told:])
    assert 1 == bodies(receiver, told).count(resolved)


def test_alive_and_ready_while_the_api_is_down(
    fluence: Any, daemon: Any, eventually: Eventually
) -> None:
    """Fluence's trouble is not the watcher's: a restart would mend nothing."""
    fluence.fail(status=503)
    daemon.start().ready()
    eventually(lambda: daemon.metric("fluence_up", account="main") == 0, "the poll fails")

    assert daemon.get("/-/healthy").is_success
    ready = daemon.get("/-/ready")
    assert (200, "ready") == (ready.status_code, ready.text.splitlines()[0])
    assert "account main: the API failed (503)" in ready.text
    assert None is daemon.metric("fluence_last_successful_poll_timestamp_seconds")
