"""A receiver that cannot be reached misses nothing, and nobody hears a thing twice for it."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Eventually = Callable[..., Any]

WAITING = "fluence_watch_outbox_messages"


def port(number: int) -> dict[str, str]:
    """One more port, as the simulator is told of it."""
    return {"vm": "web-1", "port": f"{number}/tcp"}


def ports(receiver: Any) -> list[str]:
    """Which port each accepted message is about, in the order of their coming."""
    told = [(number, post.body) for post in receiver.accepted for number in range(8001, 8010)]
    return [f"{number} {verb(body)}" for number, body in told if f"{number}/tcp is" in body]


def verb(body: str) -> str:
    """Whether the port opened or closed."""
    return "closed" if body.startswith("RESOLVED") else "opened"


def firing(daemon: Any, number: int) -> bool:
    """Whether so many ports differ, as the watcher knows."""
    return daemon.metric("fluence_watch_alerts", rule="port_drift", state="firing") == number


def test_after_an_outage_one_message_says_what_is_true(
    fluence: Any, receiver: Any, daemon: Any, eventually: Eventually
) -> None:
    """Whether it answers with errors or not at all: what fires in full, what is over in a line."""
    receiver.status = 503
    daemon.start().ready()
    for fires, (action, number) in zip(
        (1, 2, 1, 2),
        [("open-port", 8001), ("open-port", 8002), ("close-port", 8001), ("open-port", 8003)],
        strict=True,
    ):
        fluence.do(action, **port(number))
        eventually(lambda n=fires: firing(daemon, n), "it is seen")
    eventually(lambda: daemon.metric(WAITING, receiver="ops") == 1, "it waits")
    receiver.down()
    eventually(
        lambda: daemon.metric("fluence_watch_notification_failures_total") > receiver.refused,
        "it is tried while nobody listens",
    )
    receiver.status = 200
    receiver.up()
    eventually(lambda: daemon.metric(WAITING, receiver="ops") == 0, "all is delivered")

    assert ["8002 opened", "8003 opened"] == ports(receiver)
    assert 1 == daemon.metric("fluence_watch_notifications_total", receiver="ops")
    (post,) = receiver.accepted
    assert "- port_drift on 8001/tcp of web-1" in post.body
    assert "before ops could be notified" in post.body
    assert 0 == daemon.metric("fluence_watch_notification_possible_duplicates_total")


def test_one_failing_receiver_leaves_the_other_alone(
    fluence: Any,
    receiver: Any,
    another_receiver: Any,
    daemon: Any,
    configure: Callable[..., Path],
    eventually: Eventually,
) -> None:
    """One is told at once and once, the other what is left to say when it is back."""
    configure(
        {
            "receivers": [
                {"name": "ops", "url": receiver.url},
                {"name": "chat", "url": another_receiver.url},
            ]
        }
    )
    another_receiver.down()
    daemon.start().ready()
    fluence.do("open-port", **port(8001))
    eventually(lambda: ports(receiver) == ["8001 opened"], "one is told at once")
    eventually(
        lambda: daemon.metric("fluence_watch_notification_failures_total", receiver="chat"),
        "the other cannot be told",
    )
    fluence.do("close-port", **port(8001))
    eventually(lambda: len(receiver.accepted) == 2, "one is told of the end")
    another_receiver.up()
    eventually(lambda: daemon.metric(WAITING, receiver="chat") == 0, "the other has it all")

    assert ["8001 opened", "8001 closed"] == ports(receiver)
    (post,) = another_receiver.accepted
    assert "[MISSED:1] port_drift · main" == post.title
    assert "- port_drift on 8001/tcp of web-1" in post.body


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_waits_survives_a_restart(
    fluence: Any, receiver: Any, daemon: Any, eventually: Eventually, end: int
) -> None:
    """What could not be told before the process ended is told by the next one, once."""
    receiver.status = 503
    daemon.start().ready()
    fluence.do("open-port", **port(8001))
    eventually(
        lambda: daemon.metric("fluence_watch_notification_failures_total", receiver="ops"),
        "the message is refused",
    )
    daemon.signal(end)
    daemon.ended()
    receiver.status = 200
    daemon.start().ready()
    eventually(lambda: daemon.metric(WAITING, receiver="ops") == 0, "it is delivered")

    assert ["8001 opened"] == ports(receiver)
    assert 0 == daemon.metric("fluence_watch_notification_possible_duplicates_total")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_message_of_unknown_fate_is_sent_again_and_owned_up_to(
    fluence: Any, receiver: Any, daemon: Any, eventually: Eventually, end: int
) -> None:
    """The process ended between the receiver's acceptance and the note of it."""
    receiver.answers.clear()
    daemon.start().ready()
    fluence.do("open-port", **port(8001))
    eventually(lambda: receiver.accepted, "the message arrived")
    daemon.signal(end)
    daemon.ended()
    receiver.answers.set()
    daemon.start().ready()
    eventually(lambda: daemon.metric(WAITING, receiver="ops") == 0, "it is delivered")

    assert ["8001 opened", "8001 opened"] == ports(receiver)
    assert 1 == len(daemon.logged("sending again what may have arrived"))
    assert 1 == daemon.metric("fluence_watch_notification_possible_duplicates_total")


def test_a_receiver_that_is_removed_and_added_again_hears_what_fires(
    fluence: Any,
    receiver: Any,
    daemon: Any,
    configure: Callable[..., Path],
    eventually: Eventually,
) -> None:
    """What was never delivered does not count as told, and what was is told to a new receiver."""
    receiver.status = 503
    daemon.start().ready()
    fluence.do("open-port", **port(8001))
    eventually(lambda: daemon.metric(WAITING, receiver="ops") == 1, "it waits")
    for receivers in ([], [{"name": "ops", "url": receiver.url}]):
        reloads = len(daemon.logged("reloaded"))
        configure({"receivers": receivers})
        daemon.signal(signal.SIGHUP)
        eventually(lambda n=reloads: len(daemon.logged("reloaded")) > n, "it is taken over")
        receiver.status = 200
    eventually(lambda: receiver.accepted, "the new receiver is notified")

    assert ["8001 opened"] == ports(receiver)


def test_a_flapping_alert_leaves_no_queue(
    fluence: Any, receiver: Any, daemon: Any, eventually: Eventually
) -> None:
    """However often it fires while the receiver is away, one message is due."""
    receiver.status = 503
    daemon.start().ready()
    for _ in range(8):
        for action, fires in (("open-port", 1), ("close-port", 0)):
            fluence.do(action, **port(8001))
            eventually(lambda n=fires: firing(daemon, n) or not n, "it is seen")
            if not fires:
                eventually(lambda: not firing(daemon, 1), "it is over")
    eventually(lambda: daemon.metric(WAITING, receiver="ops") == 1, "one message waits")
    receiver.status = 200
    eventually(lambda: receiver.accepted, "it is notified")
    eventually(lambda: daemon.metric(WAITING, receiver="ops") == 0, "all is delivered")

    (post,) = receiver.accepted
    assert "[MISSED:8] port_drift · main" == post.title


def test_an_alert_that_gets_worse_is_notified_again(
    fluence: Any, receiver: Any, daemon: Any, configure: Callable[..., Path], eventually: Eventually
) -> None:
    """An answer that turns into a refused key is news; one resolved ends both."""
    configure({"rules.poll_failing": {"for": "0s"}})
    daemon.start().ready()
    fluence.fail(status=404)
    eventually(lambda: receiver.titles, "it is notified")
    key, fluence.world.api_key = fluence.world.api_key, "another"  # from the next answer on
    fluence.mend()
    eventually(lambda: len(receiver.titles) == 2, "it is notified again")
    fluence.world.api_key = key
    eventually(lambda: len(receiver.titles) == 3, "it is over")

    assert [
        "CRITICAL account main cannot be polled: refused",
        "CRITICAL account main cannot be polled: unauthorized (worse)",
        "RESOLVED account main is polled again",
    ] == receiver.titles
