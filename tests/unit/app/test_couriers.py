import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.grouping import Message, compose
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import Route
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.board import Board
from fluence_watch.app.couriers import Couriers
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import StoreError
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from fluence_watch.web.status import ReceiverReport

# ruff: noqa: ANN401 - the fake's class is in conftest.py, which is not imported

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
FIRING = Alert(
    fingerprint=Fingerprint("main", "poll_failing"),
    severity=Severity.CRITICAL,
    state=State.FIRING,
    facts=PollFailing("server_error", "the API failed (503)"),
    active_at=NOW,
    starts_at=NOW,
)

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def board(clock: SettableClock) -> Board:
    return Board(clock)


@pytest.fixture
async def couriers(store: Store, board: Board, clock: SettableClock) -> AsyncIterator[Couriers]:
    made = Couriers(store, board, clock)
    yield made
    await made.stop(1)


@pytest.fixture
def telling(planned: Callable[..., Setup]) -> Callable[..., Setup]:
    """A setup whose receivers are these."""

    def make(*channels: Any) -> Setup:
        return replace(planned(), receivers={channel.name: channel for channel in channels})

    return make


@pytest.fixture
def queue(store: Store) -> Callable[..., None]:
    """Let a message wait for a receiver, as a poll does."""

    def put(receiver: str = "ops", messages: int = 1) -> None:
        made: list[Message] = []
        for _ in range(messages):
            made += compose("main", [FIRING], {}, [Route(receiver)], NOW)[0]
        before = store.load("main")
        after = AccountState(alerts={FIRING.fingerprint: FIRING}, last_poll_at=NOW)
        store.commit("main", before, after, [], made)

    return put


def waiting(board: Board, receiver: str = "ops") -> float | None:
    return board.own.registry.get_sample_value(
        "fluence_watch_outbox_messages", {"receiver": receiver}
    )


async def test_what_waits_from_before_is_delivered(
    couriers: Couriers, telling: Callable[..., Setup], channel: Any, queue: Callable[..., None],
    board: Board, eventually: Eventually,
) -> None:  # fmt: skip
    """Messages of a former process go out at the start, in order."""
    queue(messages=2)
    await couriers.take_over(telling(channel))
    await eventually(lambda: len(channel.sent) == 2 and waiting(board) == 0)

    assert ["CRITICAL account main cannot be polled: server error"] * 2 == [
        each.title for each in channel.sent
    ]


async def test_a_poll_wakes_them(
    couriers: Couriers, telling: Callable[..., Setup], channel: Any, queue: Callable[..., None],
    eventually: Eventually,
) -> None:  # fmt: skip
    """What a poll queues is delivered when it says so."""
    await couriers.take_over(telling(channel))
    queue()
    couriers.wake()
    await eventually(lambda: channel.sent)

    assert 1 == len(channel.sent)


async def test_how_it_stands_with_a_receiver(
    couriers: Couriers, telling: Callable[..., Setup], channel: Any, queue: Callable[..., None],
    clock: SettableClock, board: Board, eventually: Eventually,
) -> None:  # fmt: skip
    """Not notified, then failing since the first failure, then well; a reload changes nothing."""
    await couriers.take_over(telling(channel))
    assert ReceiverReport("ops") == couriers.report("ops")
    queue()
    channel.refuses = True
    couriers.wake()
    await eventually(lambda: channel.tried == 1 and waiting(board) == 1)
    clock.advance(timedelta(hours=1))
    couriers.wake()
    await eventually(lambda: channel.tried == 2)
    failing = ReceiverReport("ops", None, NOW, "not now", 1, NOW)
    assert failing == couriers.report("ops")
    await couriers.take_over(telling(channel))
    assert failing == couriers.report("ops")

    channel.refuses = False
    clock.advance(timedelta(hours=1))
    couriers.wake()
    await eventually(lambda: channel.sent and waiting(board) == 0)
    assert ReceiverReport("ops", clock()) == couriers.report("ops")


async def test_a_failure_waits_for_its_time(
    couriers: Couriers, telling: Callable[..., Setup], channel: Any, queue: Callable[..., None],
    clock: SettableClock, board: Board, store: Store, eventually: Eventually,
) -> None:  # fmt: skip
    """A receiver that refuses is left alone for a while, whoever wakes the courier."""
    channel.refuses = True
    queue()
    await couriers.take_over(telling(channel))
    await eventually(lambda: store.queued("ops")[0].next_attempt_at)
    channel.refuses = False
    couriers.wake()
    await asyncio.sleep(0.05)
    assert (1, []) == (channel.tried, channel.sent)

    clock.advance(timedelta(seconds=10))
    couriers.wake()
    await eventually(lambda: channel.sent)
    await eventually(lambda: waiting(board) == 0)
    assert [] == store.queued("ops")


async def test_one_that_hangs_does_not_hold_up_another(
    couriers: Couriers, telling: Callable[..., Setup], channel: Any,
    make_channel: Callable[[str], Any], queue: Callable[..., None], eventually: Eventually,
) -> None:  # fmt: skip
    """Each receiver has a courier of its own."""
    other = make_channel("boss")
    channel.gate.clear()
    queue()
    queue("boss")
    await couriers.take_over(telling(channel, other))
    await eventually(lambda: other.sent)
    assert [] == channel.sent
    channel.gate.set()
    await eventually(lambda: channel.sent)


async def test_a_receiver_that_is_removed(
    couriers: Couriers, telling: Callable[..., Setup], channel: Any,
    make_channel: Callable[[str], Any], queue: Callable[..., None], board: Board, store: Store,
    eventually: Eventually,
) -> None:  # fmt: skip
    """Its queue and its metrics go with it, the others stay."""
    channel.refuses = True
    other = make_channel("boss")
    queue(messages=3)
    await couriers.take_over(telling(channel, other))
    await eventually(lambda: waiting(board) == 3)
    await couriers.take_over(telling(other))

    assert [] == store.queued("ops")
    assert (None, 0) == (waiting(board), waiting(board, "boss"))


async def test_a_receiver_that_changed(
    couriers: Couriers, telling: Callable[..., Setup], channel: Any,
    make_channel: Callable[[str], Any], queue: Callable[..., None], board: Board,
    clock: SettableClock, store: Store, eventually: Eventually,
) -> None:  # fmt: skip
    """A reload mends a wrong address, and what waited for it goes to the new one."""
    channel.refuses = True
    queue()
    await couriers.take_over(telling(channel))
    await eventually(lambda: store.queued("ops")[0].next_attempt_at)
    mended = make_channel("ops")
    clock.advance(timedelta(seconds=10))
    await couriers.take_over(telling(mended))
    await eventually(lambda: mended.sent)

    assert 1 == channel.tried


async def test_a_reload_does_not_forget_what_was_accepted(
    telling: Callable[..., Setup], channel: Any, make_channel: Callable[[str], Any],
    queue: Callable[..., None], board: Board, store: Store, clock: SettableClock,
    eventually: Eventually,
) -> None:  # fmt: skip
    """While the store cannot remove a message, a new address does not get it once more."""
    queue()
    full = FullStore(store)
    couriers = Couriers(full, board, clock)
    await couriers.take_over(telling(channel))
    await eventually(lambda: full.asked == 2)  # when it was sent, and at the end of the round
    changed = make_channel("ops")
    await couriers.take_over(telling(changed))
    await eventually(lambda: full.asked == 3)
    full.full = False
    couriers.wake()
    await eventually(lambda: not store.queued("ops"))
    await couriers.stop(1)

    assert (1, 0) == (len(channel.sent), changed.tried)


async def test_stopping_gives_a_moment(
    telling: Callable[..., Setup], channel: Any, queue: Callable[..., None], board: Board,
    store: Store, clock: SettableClock,
) -> None:  # fmt: skip
    """What the last poll queued still goes out."""
    couriers = Couriers(store, board, clock)
    await couriers.take_over(telling(channel))
    queue(messages=3)
    await couriers.stop(5)

    assert 3 == len(channel.sent)
    assert [] == store.queued("ops")


async def test_stopping_does_not_wait_for_ever(
    telling: Callable[..., Setup], channel: Any, queue: Callable[..., None], board: Board,
    store: Store, clock: SettableClock, eventually: Eventually,
) -> None:  # fmt: skip
    """A message on its way counts as in flight, and the next process sends it again."""
    channel.gate.clear()
    queue()
    couriers = Couriers(store, board, clock)
    await couriers.take_over(telling(channel))
    await eventually(lambda: channel.tried)
    await couriers.stop(0.02)

    assert [True] == [queued.in_flight for queued in store.queued("ops")]


class FullStore:
    """A store that cannot remove what was delivered while it is full, over a real one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.full = True
        self.asked = 0

    def delivered(self, ids: Sequence[int]) -> None:
        """Refuse, or remove them."""
        self.asked += 1
        if self.full:
            raise StoreError("the disk is full")
        self.store.delivered(ids)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class SickStore:
    """A store that fails while it is sick, over a real one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sick: Exception | None = None
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        def call(*args: object) -> object:
            self.asked += 1
            if self.sick:
                raise self.sick
            return getattr(self.store, name)(*args)

        return call


@pytest.mark.parametrize("sickness", [StoreError("the disk is full"), RuntimeError("a bug")])
async def test_a_store_that_fails_is_tried_again(
    telling: Callable[..., Setup], channel: Any, queue: Callable[..., None], board: Board,
    store: Store, clock: SettableClock, eventually: Eventually, sickness: Exception,
) -> None:  # fmt: skip
    """Whatever goes wrong in a round, the courier lives on and delivers later."""
    queue()
    sick = SickStore(store)
    sick.sick = sickness
    couriers = Couriers(sick, board, clock)
    await couriers.take_over(telling(channel))
    await eventually(lambda: sick.asked)
    sick.sick = None
    couriers.wake()
    await eventually(lambda: channel.sent)
    await couriers.stop(1)

    assert 1 == len(channel.sent)
