"""A crash at every point of a story: nothing is lost, nothing is false, duplicates are counted.

The story runs once with every statement that writes, every commit and both sides of every send
numbered. (To die at a statement that reads is to die after what was written last.) Then it runs
once for each number: there the process dies, its memory is dropped, the file stays. Another
process begins with the file, looks at the world as it is, and goes on.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import NamedTuple

import pytest
import structlog
from sqlalchemy import Engine, event

from fluence_watch.alerting.grouping import Message, Rank
from fluence_watch.alerting.journal import What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Line
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.errors import NotifyError
from fluence_watch.metrics.own import OwnMetrics
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.notify import delivery
from fluence_watch.notify.markup import BodyFormat
from fluence_watch.notify.render import Rendered
from fluence_watch.notify.shipped import ShippedWords
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from fluence_watch.threads import RENDERING, STORE
from tests.stored import reasons
from tests.unit.app.post import Post

START = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEVER = 10**9
PARTS = 4  # which may run side by side


class CrashError(BaseException):
    """The process dies. No handler of ours may survive it."""


class News(NamedTuple):
    """A line that a receiver accepted: of which alert, and the reason."""

    receiver: str
    account: str
    key: str
    reason: str


@dataclass
class Fate:
    """Counts the points, and dies at one of them; what is dead does nothing more."""

    crash_at: int = NEVER
    passed: int = 0
    dead: bool = False

    def point(self, *_: object) -> None:
        """One more point."""
        self.passed += 1
        if self.dead or self.passed == self.crash_at:
            self.dead = True
            raise CrashError


@dataclass
class Receiver:
    """Accepts messages, or refuses them while it is down."""

    name: str
    fate: Fate
    accepted: list[list[News]]
    written: dict[str, list[News]]
    format: BodyFormat = BodyFormat.TEXT
    longest: int = 100_000
    down: bool = False

    async def send(self, _: Rendered) -> None:
        """Take the message, or not. Between the two points it has it."""
        self.fate.point()
        if self.down:
            raise NotifyError("503")
        self.accepted.append(self.written[self.name])
        self.fate.point()


@dataclass
class World:
    """What is true, what happens next, and what receivers accepted: it outlives the watcher."""

    path: Path
    fate: Fate
    story: list["Step"]
    clock: SettableClock = field(default_factory=lambda: SettableClock(START))
    alerts: dict[str, list[Alert]] = field(default_factory=lambda: {"main": [], "test": []})
    accepted: list[list[News]] = field(default_factory=list)
    written: dict[str, list[News]] = field(default_factory=dict)
    before_crash: int = 0
    names: tuple[str, ...] = ("ops", "pager")
    down: set[str] = field(default_factory=set)
    duplicates: int = 0

    def setup(self) -> Setup:
        """The settings as they are now."""
        made = prepare(WatchSettings.model_validate({"accounts": [{"api_key": "k"}]}))
        receivers = {
            name: Receiver(name, self.fate, self.accepted, self.written, down=name in self.down)
            for name in self.names
        }
        routes = {name: Route(name) for name in self.names}
        return replace(made, receivers=receivers, routes=routes)


def alert(key: str, account: str = "main", minute: int = 0) -> Alert:
    at = START + minute * MINUTE
    fingerprint = Fingerprint(account, "poll_failing", "", key)
    facts = PollFailing("server_error", key)
    return Alert(fingerprint, Severity.WARNING, State.FIRING, facts, at, at)


A, B, C = alert("a"), alert("b", minute=2), alert("c", minute=8)
WORSE = replace(A, severity=Severity.CRITICAL, step=1)
MANY = [alert(f"{number}", "test", 3) for number in range(30)]

Step = Callable[[World], None]


def fires(*alerts: Alert, account: str = "main") -> Step:
    """From now on these alerts are true of the account, and no others."""
    return lambda world: world.alerts.update({account: list(alerts)})


def goes_down(*names: str) -> Step:
    """These receivers are down, and no others."""
    return lambda world: setattr(world, "down", set(names))


def has(*names: str) -> Step:
    """The settings have these receivers."""
    return lambda world: setattr(world, "names", names)


STORY: list[Step] = [
    fires(A),
    fires(WORSE),
    goes_down("pager"),
    fires(WORSE, B),
    fires(*MANY, account="test"),
    fires(WORSE),
    has("ops"),
    has("ops", "pager"),
    fires(WORSE, C),
    fires(WORSE),  # C began and ended while `pager` was down
    goes_down(),
    fires(*MANY[:10], account="test"),
    fires(),
    fires(account="test"),
]


def of(receiver: str, reason: str, *alerts: Alert) -> list[News]:
    return [
        News(receiver, each.fingerprint.account, each.fingerprint.key, reason) for each in alerts
    ]


EXPECTED = Counter(
    [
        *of("ops", "first", A, B, C, *MANY),
        *of("ops", "worse", WORSE),
        *of("ops", "resolved", A, B, C, *MANY),
        # `pager` heard of A before it was removed; when it is added again, it is a new receiver
        *of("pager", "first", A, A, *MANY),
        *of("pager", "missed", C),
        *of("pager", "worse", WORSE),
        *of("pager", "resolved", A, *MANY),
    ]
)
"""What the manual promises of the story: "Delivery" and "Worse is news" in docs/alerts.md."""


ANSWERS = {
    **{("ops", each.fingerprint.key): "resolved" for each in (A, B, C, *MANY)},
    **{("pager", each.fingerprint.key): "resolved" for each in (A, *MANY)},
    ("pager", "c"): "missed",
}
"""The last word of the journal. `pager` was removed before it could be notified of B."""


def answered(world: World) -> dict[tuple[str, str], str]:
    """The last word of the journal about each receiver and alert, all of which are over."""
    with Store.open(f"sqlite:///{world.path}") as store:
        found = {
            (name, alert.fingerprint.key): (answer.what, answer.reason)
            for alert in store.history()
            for name, answer in reasons(store, alert.episode).items()
        }
    assert {What.SENT} == {what for pair, (what, _) in found.items() if pair != ("pager", "b")}
    return {pair: reason for pair, (_, reason) in found.items() if pair != ("pager", "b")}


async def live(world: World) -> None:
    """A process: it begins with the file, and goes on with the story from where it is."""
    with Store.open(f"sqlite:///{world.path}") as store:
        post = Post(store, world.clock)
        try:
            await attentive(post.begin(world.setup(), "main", "test"), world, post)
            await look(world, post)
            while world.story:
                world.story[0](world)
                world.clock.advance(MINUTE)
                world.story.pop(0)
                await attentive(post.dispatch.take_over(world.setup()), world, post)
                await look(world, post)
        finally:
            for courier in post.dispatch._couriers.values():
                await courier.stop()


async def look(world: World, post: Post) -> None:
    """Poll both accounts, and deliver what can be delivered."""
    for account, alerts in world.alerts.items():
        post.poll(*alerts, account=account)
    for courier in post.dispatch._couriers.values():
        await attentive(courier.hurry(), world, post)
    while post.dispatch._tasks:
        await attentive(asyncio.sleep(0.001), world, post)


async def attentive(work: Awaitable[None], world: World, post: Post) -> None:
    """Do this, unless the process dies meanwhile."""
    working = asyncio.ensure_future(work)
    while not working.done():
        await asyncio.wait([working], timeout=0.005)
        if world.fate.dead:
            working.cancel()
            await asyncio.wait([working])
            raise CrashError
    working.result()


@contextmanager
def numbered(fate: Fate) -> Iterator[None]:
    """Every statement that writes, and every commit, is a point."""

    def writes(*call: object) -> None:
        if str(call[2]).startswith(("INSERT", "UPDATE", "DELETE")) or fate.dead:
            fate.point()

    listeners = {"before_cursor_execute": writes, "commit": fate.point}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(Engine, name, listener)


async def told(path: Path, crash_at: int = NEVER) -> World:
    """The whole story, with one crash at that point."""
    fate = Fate(crash_at)
    world = World(path, fate, list(STORY))
    with numbered(fate), noted(world):
        try:
            await live(world)
        except CrashError:
            await no_thread_is_left()
            world.before_crash = len(world.accepted)
            fate.dead = False
            await live(world)
    return world


async def no_thread_is_left() -> None:
    """Wait until no thread of the dead process runs: a process dies whole."""
    for pool, threads in ((STORE, 4), (RENDERING, 2)):
        barrier = Barrier(threads)
        await asyncio.gather(*(pool.run(barrier.wait) for _ in range(threads)))


@contextmanager
def noted(world: World) -> Iterator[None]:
    """What a message says is kept as news, for its receiver to take."""
    compose = delivery.compose

    def note(
        receiver: str, account: str, lines: Sequence[Line], *more: Mapping[str, Rank]
    ) -> Message:
        world.written[receiver] = [
            News(receiver, account, line.episode.fingerprint.key, line.reason) for line in lines
        ]
        return compose(receiver, account, lines, *more)

    def count(_: OwnMetrics, receiver: str) -> None:
        assert receiver in world.names
        world.duplicates += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delivery, "compose", note)
        patch.setattr(ShippedWords, "render", lambda *_: Rendered("", "", "info"))  # they take time
        patch.setattr(OwnMetrics, "possible_duplicate", count)
        yield


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """No log of hundreds of processes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.reset_defaults()


def last_of_each(messages: list[list[News]]) -> Iterable[list[News]]:
    """The last message of each receiver."""
    return {message[0].receiver: message for message in messages}.values()


async def test_the_story_without_a_crash(tmp_path: Path) -> None:
    """It is told as the manual promises, once."""
    world = await told(tmp_path / "store.db")

    assert EXPECTED == Counter(news for message in world.accepted for news in message)
    assert 0 == world.duplicates
    assert ANSWERS == answered(world)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
async def test_a_crash_at_every_point(tmp_path: Path, part: int) -> None:
    """Nothing is lost or false; only what was accepted just before the crash comes twice."""
    points = (await told(tmp_path / "none.db")).fate.passed
    repeated = 0
    for point in range(1 + part, points + 1, PARTS):
        world = await told(tmp_path / f"{point}.db", point)
        heard = Counter(news for message in world.accepted for news in message)
        again = heard - EXPECTED
        last = {
            news for each in last_of_each(world.accepted[: world.before_crash]) for news in each
        }
        assert (point, Counter()) == (point, EXPECTED - heard)
        assert (point, set()) == (point, again.keys() - last)
        assert (point, ANSWERS) == (point, answered(world))
        assert (point, True) == (point, world.duplicates >= len({n.receiver for n in again}))
        repeated += bool(again)
    print(f"{points} points in all; {repeated} of this part repeat a message")  # noqa: T201 - see `pytest -rP`
    assert 0 < repeated < points / PARTS / 3
