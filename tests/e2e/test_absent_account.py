"""An account that is missing from the settings for a while, by a slip of the pen."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KEY = "t0p-secret-key"
ABSENT = "account is missing from the settings, its state is kept"
FORGOTTEN = "account was missing for long, its state is forgotten"


def entry(fluence: Any, name: str) -> dict[str, str]:
    return {"name": name, "api_key": KEY, "base_url": fluence.url}


def restart(daemon: Any, eventually: Callable[..., Any], *, by_reload: bool) -> None:
    """Let the daemon read its settings again."""
    if by_reload:
        reloads = len(daemon.logged("reloaded"))
        daemon.signal(signal.SIGHUP)
        eventually(lambda: len(daemon.logged("reloaded")) > reloads, "reloaded")
    else:
        assert 0 == daemon.stop()
        daemon.start()
    daemon.ready()


@pytest.mark.parametrize("by_reload", [False, True])
def test_an_account_that_was_missing_is_there_again(
    fluence: Any, receiver: Any, daemon: Any, configure: Callable[..., Path], cli: Any,
    eventually: Callable[..., Any], by_reload: bool,  # noqa: FBT001 - a column of the table
) -> None:  # fmt: skip
    """Its baselines, its alerts and who was notified of them; while it is gone, nothing of it."""
    main, other = entry(fluence, "main"), entry(fluence, "other")
    rules = {"rules.port_drift": {"severity": "critical"}}
    configure({"accounts": [main, other], **rules})
    daemon.start().ready()
    eventually(lambda: daemon.metric("fluence_up", account="main") == 1, "it is polled")
    fluence.do("open-port", vm="web-1", port="8001/tcp")
    eventually(lambda: len(receiver.accepted) == 2, "both accounts notify")

    configure({"accounts": [other], **rules})
    restart(daemon, eventually, by_reload=by_reload)
    page = daemon.get("/").text
    assert ["main"] == [line["account"] for line in daemon.logged(ABSENT)]
    assert "main</span> is missing from the settings" in page
    assert None is daemon.metric("fluence_watch_alerts", account="main")
    assert 'account="main"' not in daemon.get("/metrics").text
    assert "main" not in cli("alerts", "--config", daemon.config).stdout

    configure({"accounts": [main, other], **rules})
    restart(daemon, eventually, by_reload=by_reload)
    eventually(lambda: daemon.metric("fluence_up", account="main") == 1, "it is polled again")
    assert 1 == daemon.metric("fluence_watch_alerts", account="main", rule="port_drift")
    assert "is missing from the settings" not in daemon.get("/").text
    assert 2 == len(receiver.accepted)

    fluence.do("close-port", vm="web-1", port="8001/tcp")
    eventually(lambda: len(receiver.accepted) == 4, "both accounts resolve")
    assert all("RESOLVED" in title for title in receiver.titles[2:])


def test_an_account_that_is_missing_for_long_is_forgotten(
    fluence: Any, receiver: Any, daemon: Any, configure: Callable[..., Path],
    eventually: Callable[..., Any],
) -> None:  # fmt: skip
    """After `store.forget_accounts_after`, with what waits to be said of it, and the log says so."""
    main, other = entry(fluence, "main"), entry(fluence, "other")
    configure({"accounts": [main, other]})
    receiver.status = 503
    daemon.start().ready()
    eventually(lambda: daemon.metric("fluence_up", account="main") == 1, "it is polled")
    eventually(lambda: daemon.metric("fluence_up", account="other") == 1, "it is polled")
    fluence.do("open-port", vm="web-1", port="8001/tcp")
    waiting = "fluence_watch_outbox_messages"
    eventually(lambda: daemon.metric(waiting, receiver="ops") == 2, "a message about each waits")
    configure({"accounts": [other], "store": {"forget_accounts_after": "100ms"}})
    restart(daemon, eventually, by_reload=False)
    restart(daemon, eventually, by_reload=False)

    def forgotten() -> list[str]:
        """Of all its lives: on a busy machine the first of them may last long enough."""
        return [line["account"] for line in daemon.lines if line.get("event") == FORGOTTEN]

    assert ["main"] == eventually(forgotten, "it is forgotten")
    eventually(lambda: daemon.metric(waiting, receiver="ops") == 1, "one message waits")
    receiver.status = 200
    eventually(lambda: receiver.titles, "what waits is delivered")
    assert all("--account other" in post.body for post in receiver.accepted)
    assert all("--account main" not in post.body for post in receiver.accepted)
    eventually(lambda: "missing from the settings" not in daemon.get("/").text, "gone")
