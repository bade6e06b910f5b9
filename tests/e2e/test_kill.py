"""Killed fifty times at random moments: nothing is lost, and every duplicate is owned up to."""

# ruff: noqa: ANN401 - the parts' classes are in conftest.py, which is not imported

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import count, cycle
from random import Random
from threading import Event
from typing import Any, NamedTuple

import pytest

KILLS = 25  # in each of
SEEDS = (20250416, 20250417)
STARTING = 0.25  # the share of kills that fall into the start, before the first poll
LONGEST_LIFE = 3.5  # times as long as its start took: on a busy machine a delivery takes longer too
LONGEST_PAUSE = 0.25  # of the receiver, between accepting and saying so

Told = tuple[str, str, bool]
"""A rule, what it is about, and whether it fires."""


Actions = tuple[tuple[str, dict[str, object]], ...]
"""What the simulator's `/_control` is told: an action, and its arguments."""


MISSED = r"^- (\w+) on (?:account )?(\S+).*: resolved "


class Trouble(NamedTuple):
    """An event of the script: what must be told of it, how it begins, and how it ends."""

    rule: str
    subject: str
    begin: Actions
    end: Actions


def told(body: str) -> set[Told]:
    """What a message says, read as its receiver would; what was missed is over."""
    found = {
        (rule, re.findall(r"^\d+|[\w-]+", subject)[0], False)
        for rule, subject in re.findall(MISSED, body, re.MULTILINE)
    }
    parts = re.split(r"^(CRITICAL|WARNING|RESOLVED) · (\w+)$", body, flags=re.MULTILINE)
    for severity, rule, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        about = {"port_drift": r"^  (\d+)/tcp is ", "poll_failing": r"^- Account (\w+) "}
        for subject in re.findall(about.get(rule, r"^- (\S+) \("), text, re.MULTILINE):
            found.add((rule, subject, severity != "RESOLVED"))
    return found


def vanishing() -> Iterator[Trouble]:
    """VMs come and go."""
    for vm in cycle(("worker-5", "web-7")):
        gone = {"vm": vm}
        yield Trouble("vm_vanished", vm, (("vanish", gone),), (("bring-back", gone),))


def drifting() -> Iterator[Trouble]:
    """One port after the other is opened and closed."""
    for port in count(20_000):
        opened = {"vm": "web-1", "port": f"{port}/tcp"}
        yield Trouble("port_drift", str(port), (("open-port", opened),), (("close-port", opened),))


def draining() -> Iterator[Trouble]:
    """An epoch is charged and the reserve is not topped up."""
    for vm in cycle(("ci-3", "db-2")):
        dry = (("drain", {"vm": vm}), ("set-boundary", {"vm": vm, "seconds": 0.2}))
        yield Trouble("low_balance", vm, dry, (("mend", {"vm": vm}),))


def failing() -> Iterator[Trouble]:
    """The API fails, in a way that no retry delays."""
    down = {"kind": "status", "status": 404, "times": 100_000}
    while True:
        yield Trouble("poll_failing", "main", (("faults", down),), (("profile", {"name": "none"}),))


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_event_is_told_whatever_the_moment_of_a_kill(
    seed: int,
    fluence: Any,
    receiver: Any,
    daemon: Any,
    eventually: Callable[..., Any],
) -> None:
    """Each begin and each end arrives; what arrives twice was announced as a possible duplicate."""
    random = Random(seed)
    receiver.pause = lambda: random.uniform(0, LONGEST_PAUSE)
    enough = Event()
    daemon.start().ready()
    with ThreadPoolExecutor() as threads:
        running = [
            threads.submit(perform, fluence, track(), receiver, enough, eventually)
            for track in (vanishing, drifting, draining, failing)
        ]
        try:
            for _ in range(KILLS):
                live_and_die(daemon, random)
                daemon.start()
        finally:
            enough.set()
        happened = [trouble for each in running for trouble in each.result()]
    eventually(lambda: daemon.metric("fluence_watch_outbox_messages") == 0, "all is delivered")

    again = sum(bool(old) for _, _, old in repeats(receiver.accepted))
    print(  # noqa: T201 - see `pytest -rP`
        f"{len(happened)} events, {len(receiver.accepted)} messages, {again} of them once more, "
        f"{len(admitted(daemon))} announced"
    )
    assert 0 == daemon.stop()
    assert expected(happened) == once_each(receiver.accepted)
    assert [] == unannounced(receiver.accepted, admitted(daemon))
    assert len(happened) >= KILLS / 2  # or the kills met a daemon that had nothing to do


def perform(
    fluence: Any,
    track: Iterator[Trouble],
    receiver: Any,
    enough: Event,
    eventually: Callable[..., Any],
) -> list[Trouble]:
    """Let one trouble after the other begin and end, each when the receiver knows of the last."""
    done: list[Trouble] = []
    while not enough.is_set():
        trouble = next(track)
        for actions, fires in ((trouble.begin, True), (trouble.end, False)):
            since = len(receiver.accepted)  # what comes twice is no news
            for action, arguments in actions:
                fluence.do(action, **arguments)
            news = (trouble.rule, trouble.subject, fires)
            eventually(partial(heard, receiver, since, news), f"told of {news}", 300)
        done.append(trouble)
    return done


def heard(receiver: Any, since: int, news: Told) -> bool:
    """Whether the receiver was told so since it had that many messages."""
    return any(news in told(post.body) for post in receiver.accepted[since:])


def live_and_die(daemon: Any, random: Random) -> None:
    """SIGKILL at a random moment: of its start, or after its first poll."""
    starting, moment = random.random() < STARTING, random.random()
    if starting:
        time.sleep(moment)  # the moment is the point: there is nothing to wait for
    else:
        born = time.monotonic()
        daemon.ready()
        time.sleep(moment * LONGEST_LIFE * (time.monotonic() - born))
    daemon.kill()


def expected(happened: list[Trouble]) -> Counter[Told]:
    """How often the receiver must have been told what."""
    return Counter(
        (trouble.rule, trouble.subject, fires) for trouble in happened for fires in (True, False)
    )


def once_each(posts: list[Any]) -> Counter[Told]:
    """How often the receiver was told what, the same news twice counted once."""
    return Counter(each for _, fresh, _ in repeats(posts) for each in fresh)


def repeats(posts: list[Any]) -> Iterator[tuple[Any, set[Told], set[Told]]]:
    """Each message, what is new in it, and what the receiver knew already."""
    known: dict[tuple[str, str], bool] = {}
    for post in posts:
        news = told(post.body)
        old = {each for each in news if known.get(each[:2]) == each[2]}
        yield post, news - old, old
        # a message may say again that one episode is over, and that the next one has begun: in that order
        known |= {
            (rule, subject): fires for rule, subject, fires in sorted(news, key=lambda n: n[2])
        }


def admitted(daemon: Any) -> list[datetime]:
    """When the daemon said that it sends what may have arrived."""
    event = "sending again what may have arrived"
    return [
        datetime.fromisoformat(line["timestamp"])
        for line in daemon.lines
        if line.get("event") == event
    ]


def unannounced(posts: list[Any], admissions: list[datetime]) -> list[Any]:
    """The repeated messages without an admission between them and the message before."""
    before = posts[0].at
    silent = []
    for post, _, old in repeats(posts):
        if old and not any(before < at <= post.at for at in admissions):
            silent.append(post)
        before = post.at
    return silent
