"""Alertmanagers are kept up to date, over a real store and real couriers; only the members are fakes."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Heard
from fluence_watch.app.alertmanager.member import MOST_PARTS
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.model.finding import Fingerprint, Severity, VmRef
from fluence_watch.model.money import MicroUsdc
from fluence_watch.notify.alertmanager.cluster import Cluster
from fluence_watch.notify.alertmanager.payload import Labels, Payload, identity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.price_changed import PriceChanged
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.stored import reasons
from tests.unit.app.post import Post

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@dataclass
class FakeMember:
    """An Alertmanager: what was posted last with some labels is what it has."""

    shown: str
    clock: SettableClock
    refuses: NotifyError | None = None
    posts: list[Sequence[Payload]] = field(default_factory=list)
    has: dict[Labels, Payload] = field(default_factory=dict)

    async def post(self, alerts: Sequence[Payload]) -> None:
        """Take the alerts, or not."""
        if self.refuses:
            raise self.refuses
        self.posts.append(alerts)
        self.has |= {identity(each): each for each in alerts}

    async def aclose(self) -> None:
        """Nothing is open."""

    @property
    def active(self) -> list[str]:
        """The keys and severities of what is active now."""
        labels = [
            each["labels"]
            for each in self.has.values()
            if datetime.fromisoformat(each["endsAt"]) > self.clock()
        ]
        return sorted(f"{each.get('key', '')} {each['severity']}".strip() for each in labels)


def alert_of(key: str = "a", account: str = "main", **changes: Any) -> Alert:
    """An alert that fires since now; `key` tells several apart."""
    fingerprint = Fingerprint(account, "poll_failing", "", key)
    facts = PollFailing("server_error", f"the API failed {key}")
    alert = Alert(fingerprint, Severity.CRITICAL, State.FIRING, facts, NOW, NOW)
    return replace(alert, **changes)


def changed_price() -> Alert:
    """An event."""
    facts = PriceChanged(None, 1, 2, 1, None, None)  # type: ignore[arg-type] # the VM does not matter
    about = Fingerprint("main", "price_changed", "0xab", NOW.isoformat())
    return Alert(about, Severity.WARNING, State.FIRING, facts, NOW, NOW)


@pytest.fixture
def first(clock: SettableClock) -> FakeMember:
    return FakeMember("http://am-1", clock)


@pytest.fixture
def second(clock: SettableClock) -> FakeMember:
    return FakeMember("http://am-2", clock)


@pytest.fixture
async def make_post(store: Store, clock: SettableClock) -> AsyncIterator[Callable[..., Post]]:
    made: list[Post] = []

    def make(over: Any = store) -> Post:
        made.append(Post(over, clock))
        return made[-1]

    yield make
    for each in made:
        await each.dispatch.stop(1)


@pytest.fixture
def post(make_post: Callable[..., Post]) -> Post:
    return make_post()


@pytest.fixture
def telling(planned: Callable[..., Setup]) -> Callable[..., Setup]:
    """A setup whose receiver `ops` is the cluster of these members, with its route."""

    def make(*members: Any, labels: dict[str, str] | None = None, **route: Any) -> Setup:
        cluster = Cluster("ops", members, labels or {})
        return replace(
            planned(),
            receivers={"ops": cluster},
            clusters={"ops": cluster},
            routes={"ops": Route("ops", **route)},
        )

    return make


async def passing(post: Post, time: timedelta) -> None:
    """Let time pass, and each member get what is due then."""
    post.clock.advance(time)
    for member in post.dispatch._couriers["ops"]._members.values():  # type: ignore[union-attr] # a cluster
        member._rounds.wake()
    await post.dispatch.rest()


async def settled(post: Post) -> None:
    """Wait until nobody is due anything of what is over."""
    async with asyncio.timeout(30):
        while post.store.load("main").unsettled:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.01)


async def test_what_changes_is_posted_at_once_and_all_is_refreshed(
    post: Post, telling: Callable[..., Setup], first: FakeMember
) -> None:
    """News alone when there are any, everything each minute; only news count."""
    await post.begin(telling(first))
    one, two = alert_of("a"), alert_of("b")
    post.poll(one)
    await post.dispatch.rest()
    post.poll(one, two)
    await post.dispatch.rest()
    assert [["a"], ["b"]] == [[each["labels"]["key"] for each in sent] for sent in first.posts]

    await passing(post, MINUTE)
    assert {"a", "b"} == {each["labels"]["key"] for each in first.posts[-1]}
    assert (3, 2, 0) == (len(first.posts), post.count("notifications"), post.waiting())
    post.poll(two)
    await post.dispatch.rest()
    assert ["b critical"] == first.active
    assert 3 == post.count("notifications")


async def test_an_end_is_remembered_when_each_member_knows_it_for_good(
    post: Post, telling: Callable[..., Setup], first: FakeMember, second: FakeMember
) -> None:
    """It is posted for a quarter of an hour, because clocks differ; then it is settled."""
    await post.begin(telling(first, second))
    post.poll(alert_of())
    await post.dispatch.rest()
    second.refuses = NotifyError("down")
    post.poll()
    await post.dispatch.rest()
    assert ([], ["a critical"]) == (first.active, second.active)

    await passing(post, 16 * MINUTE)
    (told,) = post.told().values()
    assert Heard.FIRING is told.heard
    posts = len(first.posts)
    await passing(post, MINUTE)
    assert posts == len(first.posts)  # it knows, and nothing else is there
    second.refuses = None
    await passing(post, MINUTE)
    assert [] == second.active
    await settled(post)


async def test_a_failing_member_holds_up_nobody_and_gets_all_when_it_is_back(
    post: Post, telling: Callable[..., Setup], first: FakeMember, second: FakeMember
) -> None:
    """Also what it had before: it may have been restarted."""
    await post.begin(telling(first, second))
    before = alert_of("a")
    post.poll(before)
    await post.dispatch.rest()
    second.refuses = NotifyError("down")
    post.poll(before, alert_of("b"))
    await post.dispatch.rest()
    assert ["a critical", "b critical"] == first.active
    assert (0, {"ops": None}) == (post.waiting(), post.dispatch.failing())
    assert (1, 0) == (post.count("notification_failures"), post.failures())

    second.refuses = None
    second.has.clear()
    await passing(post, SECOND)
    assert [] == second.active  # it waits
    await passing(post, 10 * SECOND)
    assert ["a critical", "b critical"] == second.active


async def test_a_member_that_is_down_for_long_is_tried_each_minute(
    post: Post, telling: Callable[..., Setup], first: FakeMember, second: FakeMember
) -> None:
    """What it should have is posted each minute anyway."""
    await post.begin(telling(first, second))
    second.refuses = NotifyError("down")
    post.poll(alert_of())
    for _ in range(12):
        await passing(post, MINUTE)
    second.refuses = None
    await passing(post, MINUTE)

    assert ["a critical"] == second.active


async def test_what_changes_during_a_post_is_posted_after_it(
    post: Post, telling: Callable[..., Setup], first: FakeMember, eventually: Eventually
) -> None:
    """What begins, and what is other than it was when the post began."""
    slow, taken, started = asyncio.Event(), first.post, asyncio.Event()

    async def post_slowly(alerts: Sequence[Payload]) -> None:
        started.set()
        await slow.wait()
        await taken(alerts)

    first.post = post_slowly  # type: ignore[method-assign] # of a fake
    await post.begin(telling(first))
    post.poll(alert_of(severity=Severity.WARNING))
    await started.wait()
    post.poll(alert_of(), alert_of("b"))
    slow.set()
    await post.dispatch.rest()

    assert ["a critical", "b critical"] == first.active


async def test_the_receiver_fails_when_no_member_accepts(
    make_post: Callable[..., Post], telling: Callable[..., Setup], first: FakeMember,
    second: FakeMember,
) -> None:  # fmt: skip
    """As any receiver: what waits is counted, and the failure survives a restart."""
    first.refuses = second.refuses = NotifyError("am answered 401", permanent=True)
    post = make_post()
    await post.begin(telling(first, second), "main", "other")
    post.poll(alert_of("a"), alert_of("b"))
    post.poll(alert_of("c", "other"), account="other")
    await post.dispatch.rest()
    failing = post.dispatch.failing()["ops"]
    assert failing
    assert ("am answered 401", 2, NOW) == (failing.error, failing.waiting, failing.oldest_at)
    report = post.dispatch.report("ops")
    assert (NOW, "am answered 401", 2) == (report.failing_since, report.error, report.waiting)
    assert report.next_try_at
    assert NOW < report.next_try_at <= NOW + MINUTE
    await post.dispatch.stop(1)

    again = make_post()
    await again.begin(telling(first, second), "main", "other")
    assert again.dispatch.failing()["ops"]
    first.refuses = None
    again.clock.advance(MINUTE)
    await passing(again, MINUTE)
    assert (None, 0) == (again.dispatch.failing()["ops"], again.failures())
    assert ["a critical", "b critical", "c critical"] == first.active


async def test_one_alert_that_is_refused_for_good_does_not_hold_up_the_others(
    post: Post, telling: Callable[..., Setup], first: FakeMember
) -> None:
    """An Alertmanager, or a proxy before it, refuses what it takes for invalid; that is a failure all the same."""
    taken = first.post

    async def picky(alerts: Sequence[Payload]) -> None:
        if any(each["labels"]["key"] == "010" for each in alerts):
            raise NotifyError("answered 400", permanent=True)
        await taken(alerts)

    first.post = picky  # type: ignore[method-assign] # of a fake
    await post.begin(telling(first))
    post.poll(*(alert_of(f"{number:03}") for number in range(200)))
    await post.dispatch.rest()

    assert 199 == len(first.active)
    assert post.dispatch.failing()["ops"]


async def test_an_alertmanager_that_refuses_everything_is_not_asked_too_often(
    post: Post, telling: Callable[..., Setup], first: FakeMember
) -> None:
    """Such as one that wants a password: each post, and a few parts of them."""
    asked = list[int]()

    async def locked(alerts: Sequence[Payload]) -> None:
        asked.append(len(alerts))
        raise NotifyError("answered 401", permanent=True)

    first.post = locked  # type: ignore[method-assign] # of a fake
    await post.begin(telling(first))
    post.poll(*(alert_of(f"{number:03}") for number in range(200)))
    await post.dispatch.rest()

    assert 4 + MOST_PARTS == len(asked)


async def test_what_ends_while_no_daemon_runs_is_posted_after_the_restart(
    make_post: Callable[..., Post], telling: Callable[..., Setup], first: FakeMember
) -> None:
    """And what fires stays active meanwhile, for days."""
    post = make_post()
    await post.begin(telling(first))
    post.poll(alert_of("a"), alert_of("b"))
    await post.dispatch.rest()
    await post.dispatch.stop(1)
    post.clock.advance(6 * DAY)
    assert ["a critical", "b critical"] == first.active
    post.poll(alert_of("b"))

    again = make_post()
    await again.begin(telling(first))
    await again.dispatch.rest()
    assert ["b critical"] == first.active


@pytest.mark.parametrize("lost", [False, True])
async def test_a_problem_that_comes_back_is_not_ended_by_its_former_end(
    make_post: Callable[..., Post], telling: Callable[..., Setup], first: FakeMember, *, lost: bool
) -> None:
    """The same labels: the end is still posted for a while, and would end the later one."""
    post = make_post()
    await post.begin(telling(first))
    post.poll(alert_of())
    await post.dispatch.rest()
    post.clock.advance(MINUTE)
    post.poll()
    await post.dispatch.rest()
    post.clock.advance(MINUTE)
    post.poll(alert_of(active_at=post.clock(), starts_at=post.clock()))
    await post.dispatch.rest()
    if lost:
        post = make_post()
        await post.begin(telling(first))
    await passing(post, 2 * MINUTE)

    assert ["a critical"] == first.active
    await settled(post)


async def test_a_severity_that_changes_ends_the_alert_with_the_former_one(
    post: Post, telling: Callable[..., Setup], first: FakeMember, second: FakeMember
) -> None:
    """In each member, also in one that is away when it changes."""
    await post.begin(telling(first, second))
    post.poll(alert_of(severity=Severity.WARNING))
    await post.dispatch.rest()
    second.refuses = NotifyError("down")
    post.poll(alert_of())
    await post.dispatch.rest()
    assert (["a critical"], ["a warning"]) == (first.active, second.active)
    second.refuses = None
    await passing(post, MINUTE)

    assert ["a critical"] == second.active
    (told,) = post.told().values()
    assert Severity.CRITICAL is told.severity


async def test_an_event_is_active_for_an_hour_from_when_it_is_accepted(
    post: Post, telling: Callable[..., Setup], first: FakeMember
) -> None:
    """Long enough to be grouped and sent, however short it was and however late it is accepted."""
    first.refuses = NotifyError("down")
    await post.begin(telling(first))
    post.poll(changed_price())
    post.poll(quiet=True)
    await post.dispatch.rest()
    first.refuses = None
    await passing(post, 3 * HOUR)
    assert [f"{NOW.isoformat()} warning"] == first.active
    await passing(post, 59 * MINUTE)
    assert [f"{NOW.isoformat()} warning"] == first.active
    await passing(post, 2 * MINUTE)
    await passing(post, 2 * MINUTE)

    assert [] == first.active
    await settled(post)


async def test_what_is_no_longer_routed_or_watched_ends(
    post: Post, telling: Callable[..., Setup], first: FakeMember
) -> None:
    """A route that takes less, other labels, an account, and at last the receiver are removed."""
    await post.begin(telling(first), "main", "other")
    post.poll(alert_of("a"), alert_of("b", severity=Severity.WARNING))
    post.poll(alert_of("c", "other"), account="other")
    await post.dispatch.rest()
    await post.dispatch.take_over(telling(first, min_severity=Severity.CRITICAL))
    await post.dispatch.rest()
    assert ["a critical", "c critical"] == first.active
    await post.dispatch.take_over(telling(first, labels={"instance": "eu-1"}))
    await post.dispatch.rest()
    assert ["a critical", "b warning", "c critical"] == first.active
    post.dispatch.forget("other")
    await post.dispatch.rest()
    assert ["a critical", "b warning"] == first.active
    await post.dispatch.take_over(replace(telling(first), receivers={}, clusters={}))

    assert [] == first.active


async def test_a_reload_may_change_the_members(
    post: Post, telling: Callable[..., Setup], first: FakeMember, second: FakeMember
) -> None:
    """A new one gets all; an end does not wait for a removed one."""
    await post.begin(telling(first, second))
    post.poll(alert_of("a"), alert_of("b"))
    await post.dispatch.rest()
    second.refuses = NotifyError("gone")
    post.poll(alert_of("b"))
    await passing(post, 16 * MINUTE)
    third = FakeMember("http://am-3", post.clock)
    await post.dispatch.take_over(telling(first, third))
    await post.dispatch.rest()
    assert ["b critical"] == third.active
    await passing(post, MINUTE)

    await settled(post)


async def test_a_receiver_may_become_an_alertmanager_and_back(
    post: Post, telling: Callable[..., Setup], first: FakeMember, channel: Any,
    eventually: Eventually,
) -> None:  # fmt: skip
    """What it was told counts; what the Alertmanager has ends when it is no longer posted to."""
    setup = telling(first)
    messages = replace(setup, receivers={"ops": channel}, clusters={})
    await post.begin(messages)
    post.poll(alert_of())
    await eventually(lambda: channel.sent)
    await post.dispatch.take_over(setup)
    await post.dispatch.rest()
    assert ["a critical"] == first.active
    await post.dispatch.take_over(messages)
    assert [] == first.active
    post.poll()
    await eventually(lambda: len(channel.sent) == 2)


async def test_the_store_may_fail(
    make_post: Callable[..., Post], telling: Callable[..., Setup], first: FakeMember, store: Store
) -> None:
    """What was accepted is remembered, and written when it works again."""

    class Failing:
        """The store, whose writes of attempts fail while `fails`."""

        fails = False

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def save_attempts(self, *what: Any) -> None:
            if self.fails:
                raise StoreError("disk full")
            store.save_attempts(*what)

    failing = Failing()
    post = make_post(failing)
    await post.begin(telling(first))
    failing.fails = True
    post.poll(alert_of())
    await post.dispatch.rest()
    assert (["a critical"], {}) == (first.active, post.told())
    failing.fails = False
    await passing(post, MINUTE)

    assert 1 == len(post.told())
    assert 1 == post.count("notifications")


async def test_a_clock_that_is_set_back_stops_no_refresh(
    post: Post, telling: Callable[..., Setup], first: FakeMember
) -> None:
    """A refresh far ahead counts as due."""
    await post.begin(telling(first))
    post.poll(alert_of())
    await post.dispatch.rest()
    await passing(post, -HOUR)

    assert 2 == len(first.posts)


async def test_the_journal_of_a_cluster(
    post: Post, store: Store, telling: Callable[..., Setup], first: FakeMember, second: FakeMember
) -> None:
    """What a member accepted first, what the route kept from it, and what ended by itself."""
    await post.begin(telling(first, second, rules=("poll_failing", "price_changed")))
    other = alert_of(fingerprint=Fingerprint("main", "vm_status", "0xab"))
    facts = PriceChanged(VmRef("0xab"), MicroUsdc(1), MicroUsdc(2), MicroUsdc(1), None, None)
    post.poll(alert_of(), replace(changed_price(), facts=facts), other)
    await post.dispatch.rest()
    assert {"ops": "skipped"} == {n: a.what for n, a in reasons(store, other.episode).items()}
    post.poll(alert_of(severity=Severity.WARNING))
    await post.dispatch.rest()
    post.poll()
    await passing(post, HOUR)
    await passing(post, DAY)
    await post.dispatch.rest()

    words = {
        alert.fingerprint.rule: [(a.what, a.reason) for a in reasons(store, alert.episode).values()]
        for alert in store.history()
    }
    assert {
        "poll_failing": [("sent", "resolved")],
        "price_changed": [("sent", "first")],
        "vm_status": [("skipped", "rules")],
    } == words
