"""A receiver that fails is notified through the others, and never through itself."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Eventually = Callable[..., Any]

SOON = {"rules.delivery_failing": {"for": "500ms"}}
FAILS = "CRITICAL receiver ops does not accept messages"
WORKS = "RESOLVED receiver ops accepts messages again"


@pytest.fixture
def with_chat(
    configure: Callable[..., Path], receiver: Any, another_receiver: Any
) -> Callable[[], Path]:
    """Receivers `ops` and `chat`; `chat` hears of no account, only of the watcher itself."""
    ops = {"name": "ops", "url": receiver.url}
    chat = {"name": "chat", "url": another_receiver.url, "rules": ["delivery_failing"]}
    return lambda: configure({**SOON, "receivers": [ops, chat]})


def opened(fluence: Any) -> None:
    """Give `ops` something to be notified of."""
    fluence.do("open-port", vm="web-1", port="8001/tcp")


def fires(daemon: Any) -> bool:
    """Whether the alert fires."""
    labels = {"account": "fluence-watch", "rule": "delivery_failing", "state": "firing"}
    return daemon.metric("fluence_watch_alerts", **labels) == 1


def test_another_receiver_is_notified_when_one_fails_and_when_it_works_again(
    fluence: Any, receiver: Any, another_receiver: Any, daemon: Any, cli: Callable[..., Any],
    with_chat: Callable[[], Path], eventually: Eventually,
) -> None:  # fmt: skip
    """Once each; it is on the page and in `alerts` meanwhile, and the daemon is ready."""
    config = with_chat()
    receiver.status = 503
    daemon.start().ready()
    opened(fluence)
    eventually(lambda: another_receiver.titles, "the other is notified")
    sent = "fluence_watch_notifications_total"
    eventually(lambda: daemon.metric(sent, receiver="chat") == 1, "its answer is heard")
    ready, page = daemon.get("/-/ready"), daemon.get("/").text
    (listed,) = [
        alert
        for alert in json.loads(cli("alerts", "--config", config, "--format", "json").stdout)
        if alert["rule"] == "delivery_failing"
    ]
    receiver.status = 200
    eventually(lambda: len(another_receiver.titles) > 1, "the other hears that it works")

    assert [FAILS, WORKS] == another_receiver.titles
    assert 200 == ready.status_code
    assert ready.text.startswith("ready\nreceiver ops does not accept messages: 1 message waits")
    assert "receiver ops does not accept messages" in page
    rows = [" ".join(re.sub("<[^>]*>", " ", row).split()) for row in page.split("<tr>")]
    assert [True] == ["503" in row for row in rows if row.startswith("ops failing since")]
    assert 1 == len([row for row in rows if row.startswith("chat works")])
    assert ("fluence-watch", "firing") == (listed["account"], listed["state"])
    assert "receiver ops does not accept messages" in listed["what"]
    eventually(lambda: len(receiver.titles) == 1, "what waited is delivered")
    assert ["8001/tcp" in post.body for post in receiver.accepted] == [True]
    assert "ready\n" == daemon.get("/-/ready").text


def test_with_one_receiver_readiness_says_so(
    fluence: Any, receiver: Any, daemon: Any, configure: Callable[..., Path],
    eventually: Eventually,
) -> None:  # fmt: skip
    """There is nobody to notify, and nothing about it is sent to the receiver itself, ever."""
    configure(SOON)
    receiver.status = 503
    daemon.start().ready()
    opened(fluence)
    eventually(lambda: fires(daemon), "it fires")
    ready = daemon.get("/-/ready")
    assert (200, 2) == (ready.status_code, len(ready.text.splitlines()))
    assert "receiver ops does not accept messages: 1 message waits" in ready.text
    assert "503" in ready.text
    eventually(lambda: daemon.logged("receiver fails, nobody is notified"), "it is logged")
    assert 1 == len(daemon.logged("receiver fails, nobody is notified"))

    receiver.status = 200
    eventually(lambda: daemon.get("/-/ready").text == "ready\n", "it works again")
    assert 1 == len(receiver.accepted)
    assert "delivery_failing" not in receiver.accepted[0].body


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_neither_forgets_it_nor_says_it_again(
    fluence: Any, receiver: Any, another_receiver: Any, daemon: Any,
    with_chat: Callable[[], Path], eventually: Eventually, end: int,
) -> None:  # fmt: skip
    """Firing before and after, notified once, and resolved once by the next process."""
    with_chat()
    receiver.status = 503
    daemon.start().ready()
    opened(fluence)
    eventually(lambda: another_receiver.titles, "the other is notified")
    eventually(
        lambda: daemon.metric("fluence_watch_outbox_messages", receiver="chat") == 0, "it is stored"
    )
    daemon.signal(end)
    daemon.ended()
    daemon.start().ready()
    eventually(lambda: fires(daemon), "it still fires")
    receiver.status = 200
    eventually(lambda: len(another_receiver.titles) > 1, "the other hears that it works")

    assert [FAILS, WORKS] == another_receiver.titles


def test_a_receiver_that_is_removed_while_it_fails(
    fluence: Any, receiver: Any, another_receiver: Any, daemon: Any,
    with_chat: Callable[[], Path], configure: Callable[..., Path], eventually: Eventually,
) -> None:  # fmt: skip
    """Its alert ends without a message; a reload that removes nothing changes nothing."""
    with_chat()
    receiver.status = 503
    daemon.start().ready()
    opened(fluence)
    eventually(lambda: another_receiver.titles, "the other is notified")
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.logged("reloaded"), "the same settings are taken over")
    eventually(lambda: fires(daemon), "it still fires")
    configure({**SOON, "receivers": [{"name": "chat", "url": another_receiver.url}]})
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.get("/-/ready").text == "ready\n", "nothing fires any more")

    about_it = [title for title in another_receiver.titles if "receiver" in title]
    assert [FAILS] == about_it
