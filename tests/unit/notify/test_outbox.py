# ruff: noqa: ANN401 - the web hook's class is in conftest.py, which is not imported
# ruff: noqa: ARG002, D102 - the fakes do what the protocols' docstrings say

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from fluence_watch.alerting.delivery import GIVE_UP_AFTER, PROBE_AFTER, FiringSince, Queued
from fluence_watch.alerting.grouping import Message
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.model.finding import Fingerprint
from fluence_watch.notify import outbox
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.outbox import Delivery
from fluence_watch.notify.render import Rendered
from fluence_watch.rules.low_balance import LowBalance

MakeMessage = Callable[..., Message]
HOUR = timedelta(hours=1)
LOW = "CRITICAL web-1 ends 17:59 UTC (in 42 min): top up 0.20 USDC"


@dataclass
class MemoryOutbox:
    """An outbox that lives as long as the test; `broken` are the calls that fail."""

    rows: dict[int, Queued] = field(default_factory=dict)
    alerts: dict[Fingerprint, datetime] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def add(self, *messages: Message) -> None:
        for message in messages:
            number = max(self.rows, default=0) + 1
            self.rows[number] = Queued(number, message)

    def queued(self, receiver: str, limit: int) -> Sequence[Queued]:
        self._may_fail("queued")
        return [row for row in self.rows.values() if row.message.receiver == receiver][:limit]

    def begin(self, ids: Sequence[int]) -> None:
        self._may_fail("begin")
        self.rows |= {number: replace(self.rows[number], in_flight=True) for number in ids}

    def delivered(self, ids: Sequence[int]) -> None:
        self._may_fail("delivered")
        for number in ids:
            self.rows.pop(number, None)

    def failed(self, ids: Sequence[int], next_attempt_at: datetime, error: str) -> None:
        self._may_fail("failed")
        self.errors.append(error)
        for number in ids:
            row = self.rows[number]
            self.rows[number] = replace(
                row, attempts=row.attempts + 1, next_attempt_at=next_attempt_at, in_flight=False
            )

    def firing(self) -> FiringSince:
        return self.alerts

    def _may_fail(self, call: str) -> None:
        if call in self.broken:
            raise StoreError(f"{call}: disk full")


@dataclass
class Counts:
    """Counts what the metrics would."""

    seen: list[str] = field(default_factory=list)

    def delivered(self, receiver: str) -> None:
        self.seen.append("delivered")

    def failed(self, receiver: str) -> None:
        self.seen.append("failed")

    def possible_duplicate(self, receiver: str) -> None:
        self.seen.append("duplicate")

    def internal_error(self, where: str) -> None:
        self.seen.append(f"internal error in {where}")


@dataclass(frozen=True)
class HttpChannel:
    """A receiver that is posted to; no process of its own, for there are many tests."""

    name: str
    url: str
    format: BodyFormat = BodyFormat.TEXT
    longest: int = 32_768

    async def send(self, rendered: Rendered) -> None:
        """Post the message as Apprise does."""
        body = {"title": rendered.title, "message": rendered.body, "type": rendered.kind}
        async with httpx.AsyncClient(verify=False) as client:
            answer = await client.post(self.url, json=body)
        if answer.status_code != 200:
            raise NotifyError(f"error={answer.status_code}")


@dataclass
class World:
    """A delivery to a real HTTP server, a store in memory and a clock that is set by hand."""

    webhook: Any
    time: datetime
    receiver: str = "ops"
    outbox: MemoryOutbox = field(default_factory=MemoryOutbox)
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.delivery = Delivery(
            receiver=HttpChannel(self.receiver, self.webhook.url.replace("json", "http")),
            outbox=self.outbox,
            observer=self.counts,
            now=lambda: self.time,
            jitter=lambda: 0.5,
            stale_after=HOUR,
        )

    async def drain(self) -> timedelta | None:
        """Drain; how long to wait then."""
        return await self.delivery.drain()

    async def drain_until_done(self) -> int:
        """Drain as the daemon does, always at the time that was asked for; count the rounds."""
        for rounds in range(1, 200):
            wait = await self.drain()
            if wait is None:
                return rounds
            self.time += wait
        raise AssertionError("the queue never ends")

    async def drain_rounds(self, rounds: int) -> None:
        """Drain so many times, each at the time that the one before asked for."""
        for _ in range(rounds):
            self.time += await self.drain() or timedelta(0)

    @property
    def titles(self) -> list[str]:
        return [body["title"] for body in self.webhook.received]

    def tells(self, name: str) -> list[bool]:
        """For each accepted message, whether it names the VM."""
        return [name in body["message"] for body in self.webhook.received]

    def named(self, *names: str) -> list[str]:
        """Which of the names were told, in the order of arrival."""
        told = (body["message"] for body in self.webhook.received)
        return [name for text in told for name in names if name in text]


def broken(*_: object) -> None:
    raise ZeroDivisionError


def fires_now(message: Message) -> FiringSince:
    return {item.fingerprint: item.active_at for item in message.items if item.firing}


def resolved(message: Message, at: datetime) -> Message:
    """The message that what this one says is over."""
    (item,), (count,) = message.items, message.counts
    return replace(
        message,
        created_at=at,
        items=(replace(item, firing=False, ends_at=at),),
        counts=(replace(count, firing=False),),
    )


@pytest.fixture
def world(webhook: Any, now: datetime) -> World:
    return World(webhook, now)


async def test_messages_are_sent_in_order_and_forgotten(
    world: World, low_balance: MakeMessage
) -> None:
    """An empty queue asks for no other round."""
    world.outbox.add(low_balance("web-1"), low_balance("web-2"))

    assert await world.drain() is None
    assert [True, False] == world.tells("web-1")
    assert {} == world.outbox.rows
    assert ["delivered", "delivered"] == world.counts.seen


async def test_receiver_that_is_away_for_a_while_gets_all_in_order_once(
    world: World, low_balance: MakeMessage
) -> None:
    """Four refusals, then it is back: nothing lost, nothing twice, waits that grow."""
    world.outbox.add(low_balance("web-1"), low_balance("web-2"))
    world.webhook.statuses = [503, 500, 502, 429]
    waits = []
    while wait := await world.drain():
        waits.append(wait.total_seconds())
        world.time += wait

    assert [5, 10, 20, 40] == waits
    assert [True, False] == world.tells("web-1")
    assert [False, True] == world.tells("web-2")
    assert ["failed"] * 4 + ["delivered"] * 2 == world.counts.seen
    assert "error=503" in world.outbox.errors[0]


async def test_receiver_is_left_alone_until_its_time(
    world: World, low_balance: MakeMessage
) -> None:
    """A new message does not make it tried earlier."""
    world.outbox.add(low_balance("web-1"))
    world.webhook.statuses = [500]
    await world.drain()
    world.outbox.add(low_balance("web-2"))
    world.time += timedelta(seconds=2)

    assert timedelta(seconds=3) == await world.drain()
    assert 1 == len(world.webhook.refused)


@pytest.mark.parametrize("step", [HOUR, 24 * HOUR])
async def test_clock_set_back_does_not_hold_up_what_waits(
    world: World, low_balance: MakeMessage, step: timedelta
) -> None:
    """The stored time of the next try is as far away as the step: it is tried now."""
    world.outbox.add(low_balance("web-1"))
    world.webhook.statuses = [500]
    await world.drain()
    world.time -= step

    assert await world.drain() is None
    assert [True] == world.tells("web-1")


async def test_nothing_is_sent_when_the_try_cannot_be_committed(
    world: World, low_balance: MakeMessage
) -> None:
    """Otherwise a crash would leave no trace of it."""
    world.outbox.add(low_balance())
    world.outbox.broken = {"begin"}
    with pytest.raises(StoreError):
        await world.drain()

    assert [] == world.titles


async def test_accepted_message_is_not_sent_again_though_the_store_fails(
    world: World, low_balance: MakeMessage
) -> None:
    """It is remembered, and removed when the store can again."""
    world.outbox.add(low_balance())
    world.outbox.broken = {"delivered"}
    await world.drain()
    await world.drain()
    assert 1 == len(world.outbox.rows)

    world.outbox.broken = set()
    await world.drain()

    assert 1 == len(world.titles)
    assert {} == world.outbox.rows


async def test_message_in_flight_is_sent_again_after_a_restart_and_counted(
    world: World, low_balance: MakeMessage
) -> None:
    """It may have arrived: at least once, and no secret is made of it."""
    world.outbox.add(low_balance())
    world.outbox.broken = {"delivered"}
    await world.drain()
    world.outbox.broken = set()
    world.restart()
    await world.drain()

    assert 2 == len(world.titles)
    assert ["delivered", "duplicate", "delivered"] == world.counts.seen


async def test_stale_messages_become_one_summary_before_the_news(
    world: World, low_balance: MakeMessage, now: datetime
) -> None:
    """Two that no longer fire, one whose time is over, and one that still matters."""
    old = now - 2 * HOUR
    still = low_balance("web-4", created_at=old)
    world.outbox.add(
        low_balance("web-1", created_at=old),
        low_balance("web-2", created_at=old),
        low_balance("web-3", relevant_until=now - timedelta(minutes=1)),
        still,
    )
    world.outbox.alerts = fires_now(still)
    await world.drain()

    assert [
        "[SUMMARY:3] missed while ops was unreachable · main",
        LOW.replace("web-1", "web-4"),
    ] == world.titles
    assert {} == world.outbox.rows


async def test_what_flapped_during_a_long_outage_is_one_summary(
    world: World, low_balance: MakeMessage, now: datetime
) -> None:
    """Four hours, a hundred episodes, and one that still fires: it is told, the rest summed up."""
    world.webhook.statuses = [500] * 3
    for minutes in range(0, 180, 2):
        at = now - 4 * HOUR + timedelta(minutes=minutes)
        opened = low_balance(created_at=at)
        world.outbox.add(opened, resolved(opened, at + timedelta(minutes=1)))
    still = low_balance(created_at=now - timedelta(minutes=20))
    world.outbox.add(still)
    world.outbox.alerts = fires_now(still)
    await world.drain_until_done()

    assert [
        "[SUMMARY:180] missed while ops was unreachable · main",
        LOW.replace("42", "41"),
    ] == world.titles
    assert {} == world.outbox.rows


async def test_repeats_do_not_pile_up(
    world: World, low_balance: MakeMessage, now: datetime
) -> None:
    """Of what was repeated during an outage the first and the last are told."""
    first = low_balance(created_at=now - 4 * HOUR)
    repeated = (replace(first.items[0], repeated=True),)
    repeats = [replace(first, created_at=now - n * HOUR, items=repeated) for n in (3, 2, 1, 0)]
    world.outbox.add(first, *repeats)
    world.outbox.alerts = fires_now(first)
    await world.drain()

    assert [LOW] * 2 == world.titles
    assert {} == world.outbox.rows


async def test_summary_that_is_refused_is_tried_again_as_one(
    world: World, low_balance: MakeMessage, now: datetime
) -> None:
    """All its messages wait together."""
    old = now - 2 * HOUR
    world.outbox.add(low_balance("web-1", created_at=old), low_balance("web-2", created_at=old))
    world.webhook.statuses = [500]

    assert 2 == await world.drain_until_done()
    assert ["[SUMMARY:2] missed while ops was unreachable · main"] == world.titles


async def test_message_says_what_is_over_by_now(world: World, low_balance: MakeMessage) -> None:
    """A fresh message of what no longer fires is still sent, and says so."""
    world.outbox.add(low_balance())
    await world.drain()

    assert [True] == world.tells("It is over by now.")


async def test_poisonous_message_does_not_hold_up_the_others(
    world: World, low_balance: MakeMessage
) -> None:
    """It is refused again and again, the next are not: they go on, and it stays."""
    world.outbox.add(low_balance("web-1"), low_balance("web-2"), low_balance("web-3"))
    world.webhook.poison = "web-1"
    await world.drain_rounds(PROBE_AFTER)

    assert ["web-2", "web-3"] == world.named("web-2", "web-3")
    assert [1] == list(world.outbox.rows)


async def test_poisonous_message_is_told_in_a_summary_in_the_end(
    world: World, low_balance: MakeMessage
) -> None:
    """After twenty refusals, when another is accepted, its own words are given up."""
    world.outbox.add(low_balance("web-1"))
    world.webhook.poison = "web-1 (0xweb-1 · FR-PAR-1 · main) has a low"
    world.outbox.alerts = fires_now(world.outbox.rows[1].message)
    await world.drain_rounds(GIVE_UP_AFTER + 2)
    assert [] == world.titles

    world.outbox.add(low_balance("web-2", created_at=world.time))
    assert 1 == await world.drain_until_done()
    assert [
        "CRITICAL web-2 has a low reserve: top up 0.20 USDC (over by now)",
        "[SUMMARY:1] missed while ops was unreachable · main",
    ] == world.titles
    assert [False, True] == world.tells("web-1")


async def test_message_that_is_refused_even_as_a_summary_is_given_up(
    world: World, low_balance: MakeMessage
) -> None:
    """One message must not silence a receiver for good."""
    world.outbox.add(low_balance("web-1"))
    world.webhook.poison = "web-1"
    world.outbox.alerts = fires_now(world.outbox.rows[1].message)
    await world.drain_rounds(GIVE_UP_AFTER - 1)
    world.outbox.add(low_balance("web-2", created_at=world.time))

    assert 1 == await world.drain_until_done()
    assert GIVE_UP_AFTER + 1 == len(world.webhook.refused)
    assert [True] == world.tells("web-2")
    assert {} == world.outbox.rows


async def test_others_that_are_accepted_early_do_not_give_a_message_up(
    world: World, low_balance: MakeMessage
) -> None:
    """One try before the twentieth it is still in the queue."""
    world.outbox.add(low_balance("web-1"))
    world.webhook.poison = "web-1"
    await world.drain_rounds(GIVE_UP_AFTER - 2)
    world.outbox.add(low_balance("web-2", created_at=world.time))
    await world.drain_rounds(1)

    assert [True] == world.tells("web-2")
    assert [1] == list(world.outbox.rows)


async def test_flapping_receiver_loses_nothing(world: World, low_balance: MakeMessage) -> None:
    """It takes one in between two refusals, whichever it is: all arrive."""
    world.outbox.add(*(low_balance(f"web-{number}") for number in range(1, 5)))
    world.webhook.statuses = [500] * PROBE_AFTER + [200, 500] + [500, 200, 500]
    await world.drain_until_done()

    names = [f"web-{number}" for number in range(1, 5)]
    assert names == sorted(world.named(*names))
    assert [f"CRITICAL {name}" for name in names] == sorted(
        " ".join(title.split()[:2]) for title in world.titles
    )


async def test_summary_that_is_refused_for_good_is_given_up(
    world: World, low_balance: MakeMessage, now: datetime
) -> None:
    """The same holds for a summary itself."""
    world.outbox.add(low_balance("web-1", created_at=now - 2 * HOUR))
    world.webhook.poison = "web-1"
    await world.drain_rounds(GIVE_UP_AFTER - 1)
    world.outbox.add(low_balance("web-2", created_at=world.time))
    refused = len(world.webhook.refused)

    assert 1 == await world.drain_until_done()
    assert refused + 1 == len(world.webhook.refused)
    assert [True] == world.tells("web-2")
    assert {} == world.outbox.rows


async def test_probe_that_is_refused_leaves_the_order_as_it_was(
    world: World, low_balance: MakeMessage
) -> None:
    """When the next is refused too, it is the receiver."""
    world.outbox.add(low_balance("web-1"), low_balance("web-2"))
    world.webhook.statuses = [500] * (PROBE_AFTER + 1)

    assert PROBE_AFTER + 1 == await world.drain_until_done()
    assert [True, False] == world.tells("web-1")


@pytest.mark.parametrize("facts", ["odd", None, LowBalance("not a VM", 1, 1, 1, None, None)])  # type: ignore[arg-type]
async def test_message_that_cannot_be_rendered_is_sent_in_its_plainest_form(
    world: World, low_balance: MakeMessage, facts: object
) -> None:
    """Facts without words, unknown ones, and ones that break a template: none waits, all are named."""
    odd = low_balance("web-1")
    odd = replace(odd, items=(replace(odd.items[0], facts=facts),))
    world.outbox.add(odd, low_balance("web-2"))

    assert await world.drain() is None
    assert "[FIRING:1] low_balance · main" == world.titles[0]
    text = world.webhook.received[0]["message"]
    assert "CRITICAL: low_balance 0xweb-1, account main" in text
    assert "The details could not be rendered; this shows them: fluence-watch alerts" in text
    assert [False, True] == world.tells("web-2")
    assert ["internal error in message", "delivered", "delivered"] == world.counts.seen


async def test_summary_that_cannot_be_rendered(world: World, low_balance: MakeMessage) -> None:
    """It is sent in its plainest form too."""
    odd = low_balance("web-1", created_at=world.time - 2 * HOUR)
    world.outbox.add(replace(odd, items=(replace(odd.items[0], facts=None),)))

    assert await world.drain() is None
    assert ["[FIRING:1] low_balance · main"] == world.titles


async def test_message_that_cannot_be_rendered_is_no_possible_duplicate(
    world: World, low_balance: MakeMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is rendered before a try is noted: what goes wrong there leaves nothing in flight."""
    world.outbox.add(low_balance("web-1"))
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "render_plainly", broken)
        patch.setattr(outbox, "render", broken)
        with pytest.raises(ZeroDivisionError):
            await world.drain()

    assert [False] == [row.in_flight for row in world.outbox.rows.values()]
    assert await world.drain() is None
    assert "duplicate" not in world.counts.seen


async def test_receiver_that_fails_does_not_make_another_send_twice(
    world: World, another_webhook: Any, low_balance: MakeMessage, now: datetime
) -> None:
    """Each has its queue and its outcomes."""
    other = World(another_webhook, now, receiver="boss", outbox=world.outbox)
    world.outbox.add(low_balance(), low_balance(receiver="boss"))
    world.webhook.statuses = [500, 500]
    await other.drain()
    await world.drain_until_done()
    await other.drain()

    assert (1, 1) == (len(world.titles), len(other.titles))


async def test_store_that_cannot_note_a_failure_says_so(
    world: World, low_balance: MakeMessage
) -> None:
    """The caller waits before it comes again."""
    world.outbox.add(low_balance())
    world.outbox.broken = {"failed"}
    world.webhook.statuses = [500]
    with pytest.raises(StoreError):
        await world.drain()

    assert ["failed"] == world.counts.seen


async def test_cancelled_send_stays_in_flight(world: World, low_balance: MakeMessage) -> None:
    """A stop in the middle of a send loses nothing."""
    world.outbox.add(low_balance())
    world.webhook.silent_for = 30.0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await world.drain()

    assert [True] == [row.in_flight for row in world.outbox.rows.values()]
