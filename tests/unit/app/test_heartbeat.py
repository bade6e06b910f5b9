"""The heartbeat over a real HTTP server; the clocks are moved by hand."""

# ruff: noqa: ANN401 - the fake receiver is in conftest.py, which is not imported

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from fluence_watch.alerting.state import AccountState
from fluence_watch.app.board import Board
from fluence_watch.app.decide import Policy
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.heartbeat import Heartbeat
from fluence_watch.app.polled import Polled
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import NotifyError
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.snapshot import PollFailure, Snapshot
from fluence_watch.notify.heartbeat import BEAT, START, failure
from fluence_watch.simulator import SettableClock, running
from fluence_watch.store import Store

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
SECRET = "5b2a7c9e-uuid"
WHOLE = Snapshot("main", NOW, {})
FAILED = PollFailure("main", NOW, "server_error", "the API failed (503)")
MINUTES = timedelta(minutes=1)

Eventually = Callable[[Callable[[], object]], Awaitable[None]]
Planned = Callable[..., Setup]


@dataclass
class Pulse:
    """The service: keeps what it is called with, answers `status` and `text` when `answers` is set."""

    status: int = 200
    text: str = "OK"
    calls: list[tuple[str, str, str]] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a call."""
        request = Request(scope, receive)
        body = (await request.body()).decode()
        query = f"?{request.url.query}" if request.url.query else ""
        self.calls.append((request.method, request.url.path + query, body))
        await self.answers.wait()
        await Response(self.text, self.status)(scope, receive, send)

    @property
    def said(self) -> list[str]:
        """The ends of the paths that were called: `start`, `fail`, or nothing."""
        return [path.removeprefix(f"/{SECRET}").strip("/") for _, path, _ in self.calls]


@pytest.fixture
async def pulse() -> Pulse:
    made = Pulse()
    made.answers.set()
    return made


@pytest.fixture
async def url(pulse: Pulse) -> AsyncIterator[str]:
    async with running(pulse) as at:
        yield f"{at}/{SECRET}"


@pytest.fixture
def board(clock: SettableClock) -> Board:
    return Board(clock)


class Beating:
    """A heartbeat over one account or more, with polls that end as they are told to."""

    def __init__(self, board: Board, clock: SettableClock, policy: Policy) -> None:
        self.board, self.clock, self.policy = board, clock, policy
        self.troubles: list[str] = []
        self.seconds = 0.0
        self.accounts = ["main"]
        self.made: Heartbeat | None = None

    def follow(self, setup: Setup, *accounts: str) -> None:
        """Take over the plan of a setup."""
        assert setup.heartbeat is not None
        self.made = self.made or Heartbeat(
            setup.heartbeat,
            self.board.own,
            now=self.clock,
            monotonic=lambda: self.seconds,
            troubles=lambda _: self.troubles,
        )
        self.made.take_over(setup.heartbeat, accounts or ("main",))

    def poll(self, account: str = "main", outcome: Snapshot | PollFailure = WHOLE) -> None:
        """Poll once; half a minute passes."""
        self.begin()
        self.end(account, outcome)

    def begin(self) -> None:
        """Begin a poll."""
        assert self.made
        self.made.poll_begins()

    def end(self, account: str = "main", outcome: Snapshot | PollFailure = WHOLE) -> None:
        """End a poll."""
        assert self.made
        policy = replace(self.policy, account=account)
        month = MicroUsdc(0)
        self.made.poll_ended(
            Polled(policy, outcome, AccountState(), 0.1, month_to_date=month, charged={})
        )
        self.seconds += 30

    def value(self, name: str) -> float | None:
        """A metric of the heartbeat."""
        return self.board.own.registry.get_sample_value(f"fluence_watch_heartbeat_{name}")

    @property
    def at(self) -> float | None:
        """When the last one was accepted."""
        return self.value("last_success_timestamp_seconds")

    @property
    def failures(self) -> float | None:
        """How many calls failed."""
        return self.value("failures_total")


@pytest.fixture
async def beating(
    board: Board, clock: SettableClock, policy: Policy, planned: Planned, url: str
) -> AsyncIterator[Beating]:
    made = Beating(board, clock, policy)
    made.follow(planned(heartbeat={"url": url, "timeout": "2s"}))
    yield made
    if made.made:
        await made.made.stop()


async def test_a_beat_after_each_whole_cycle(
    beating: Beating, pulse: Pulse, eventually: Eventually
) -> None:
    """`/start` before, and the time of the last one as a metric; absent before the first."""
    assert beating.at is None
    beating.begin()
    await eventually(lambda: pulse.said == ["start"])
    beating.end()
    await eventually(lambda: beating.at)
    assert [("GET", f"/{SECRET}/start", ""), ("GET", f"/{SECRET}", "")] == pulse.calls
    assert NOW.timestamp() == beating.at
    assert 0.0 == beating.failures


async def test_a_failure_with_its_reason(
    beating: Beating, pulse: Pulse, eventually: Eventually
) -> None:
    """As the body of a POST; it is no success."""
    beating.end(outcome=FAILED)
    await eventually(lambda: pulse.calls)
    assert [("POST", f"/{SECRET}/fail", "account main: the API failed (503)")] == pulse.calls
    assert beating.at is None


async def test_what_is_wrong_beside_the_polls(
    beating: Beating, pulse: Pulse, eventually: Eventually
) -> None:
    """It is a failure like one of a poll, said once, on a line of its own, as harmless text."""
    beating.troubles = ["receiver ops: not\x1b[2J delivered", "account main: the API failed (503)"]
    beating.end(outcome=FAILED)
    await eventually(lambda: pulse.calls)
    assert "account main: the API failed (503)\nreceiver ops: not delivered" == pulse.calls[0][2]


async def test_all_accounts_are_waited_for(
    beating: Beating, pulse: Pulse, planned: Planned, url: str, eventually: Eventually
) -> None:
    """A reload goes on with the cycle: of the accounts that are left, and of new ones."""
    plan = planned(heartbeat={"url": url})
    beating.follow(plan, "main", "lab")
    beating.end("lab", FAILED)
    beating.follow(plan, "main", "new")
    beating.end("main")
    await asyncio.sleep(0)
    assert [] == pulse.said
    beating.end("new")
    await eventually(lambda: pulse.said == [""])


async def test_cycles_keep_a_distance(
    beating: Beating, pulse: Pulse, planned: Planned, url: str, eventually: Eventually
) -> None:
    """Polls that come fast belong to one cycle, and a failure among them is not lost."""
    beating.follow(planned(heartbeat={"url": url, "min_interval": "90s"}))
    beating.end()
    await eventually(lambda: pulse.said == [""])
    beating.end(outcome=FAILED)
    beating.end()
    beating.end()
    await eventually(lambda: pulse.said == ["", "fail"])


async def test_a_service_that_hangs_delays_nothing(
    beating: Beating, pulse: Pulse, eventually: Eventually
) -> None:
    """What was to be said meanwhile is replaced by what is true in the end."""
    pulse.answers.clear()
    beating.begin()
    await eventually(lambda: pulse.said == ["start"])
    beating.end()
    beating.poll(outcome=FAILED)
    pulse.answers.set()
    await eventually(lambda: pulse.said == ["start", "fail"])


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (404, "", "it answers 404"),
        (302, "", "it answers 302"),
        (200, "OK (not found)", "it answers OK (not found)"),
        (503, "", "it answers 503"),
    ],
)
async def test_a_service_that_refuses(
    beating: Beating, pulse: Pulse, eventually: Eventually, status: int, text: str, error: str
) -> None:
    """One log line when it begins and one when it is over, a count for each call, no secret."""
    pulse.status, pulse.text = status, text
    with capture_logs() as logged:
        beating.end()
        await eventually(lambda: beating.failures == 1.0)
        beating.end()
        await eventually(lambda: beating.failures == 2.0)
        pulse.status, pulse.text = 200, "OK"
        beating.end()
        await eventually(lambda: beating.at)
    lines = [(line["event"], line.get("error")) for line in logged if "heartbeat" in line["event"]]
    assert [("heartbeat fails", error), ("heartbeat works again", None)] == lines
    assert SECRET not in str(logged)


async def test_what_is_transient_is_tried_again(planned: Planned, pulse: Pulse, url: str) -> None:
    """Three times at most; what the service refuses for good, once."""
    plan = planned(heartbeat={"url": url, "timeout": "2s"}).heartbeat
    assert plan is not None
    for status, tries in ((503, 3), (404, 1)):
        pulse.status, pulse.calls = status, []
        with pytest.raises(NotifyError, match=f"it answers {status}"):
            await plan.service.call(BEAT)
        assert tries == len(pulse.calls)
    await plan.service.aclose()


async def test_nobody_answers(planned: Planned, pulse: Pulse, url: str) -> None:
    """Neither of a port that is closed nor of an answer that is late does the text show a secret."""
    pulse.answers.clear()
    late = planned(heartbeat={"url": url, "timeout": "100ms"}).heartbeat
    closed = planned(heartbeat={"url": f"http://127.0.0.1:1/{SECRET}"}).heartbeat
    for plan, why in ((late, "no answer within 0.1 s"), (closed, "no answer: ")):
        assert plan is not None
        with pytest.raises(NotifyError) as caught:
            await plan.service.call(START)
        assert str(caught.value).startswith(why)
        assert SECRET not in str(caught.value)
        assert SECRET not in repr(plan)
        await plan.service.aclose()
    pulse.answers.set()


async def test_a_query_stays_at_the_end(planned: Planned, pulse: Pulse, url: str) -> None:
    """The suffix belongs to the path."""
    plan = planned(heartbeat={"url": f"{url}/?create=1"}).heartbeat
    assert plan is not None
    for signal in (BEAT, START, failure("why")):
        await plan.service.call(signal)
    await plan.service.aclose()
    paths = [f"/{SECRET}{end}?create=1" for end in ("/", "/start", "/fail")]
    assert paths == [path for _, path, _ in pulse.calls]


async def test_nothing_is_sent_on_stop(beating: Beating, pulse: Pulse) -> None:
    """Not even what waits: a watcher that stops is not one that works."""
    assert beating.made
    beating.end()
    await beating.made.stop()
    beating.made = None
    assert [] == pulse.said


async def test_an_outbox_that_ages(
    planned: Planned, store: Store, board: Board, clock: SettableClock, channel: Any
) -> None:
    """A receiver that fails for longer than the setting allows is named, and no longer once it works."""
    dispatch = Dispatch(store, board, clock)
    setup = planned()
    await dispatch.take_over(replace(setup, receivers={"ops": channel}))
    courier = dispatch._couriers["ops"]
    await courier.rest()
    courier.delivery.health.failed(NOW, "HTTP 503")
    clock.advance(15 * MINUTES)
    assert [] == dispatch.stuck(15 * MINUTES)
    clock.advance(MINUTES)
    assert ["receiver ops: not delivered for 16 min: HTTP 503"] == dispatch.stuck(15 * MINUTES)
    courier.delivery.health.succeeded(clock())
    assert [] == dispatch.stuck(15 * MINUTES)
    await dispatch.stop(1)
