"""What silences, maintenance, other alerts and acknowledgements keep back, over a real store and couriers."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.active import ActiveTimes, parse_windows
from fluence_watch.alerting.attempts import marks
from fluence_watch.alerting.inhibition import Inhibit
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Acknowledgement, Mutes, Silence
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import StoreError
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.unit.app.post import Post

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


def alert_of(rule: str = "poll_failing", at: datetime = NOW) -> Alert:
    """An alert that fires."""
    facts = PollFailing("server_error", f"what {rule} says")
    return Alert(Fingerprint("main", rule), Severity.CRITICAL, State.FIRING, facts, at, at)


def silence(text: str = "rule=poll_failing", lasts: timedelta = HOUR) -> Silence:
    """A silence from now on."""
    return Silence("5115", parse_matchers(text), NOW, NOW + lasts)


@dataclass
class House:
    """A daemon's half that notifies, a receiver, and how much it got."""

    post: Post
    channel: Any

    async def poll(self, *alerts: Alert) -> None:
        """Poll, and let the courier do what it has to."""
        self.post.poll(*alerts)
        await self.look()

    async def look(self) -> None:
        """Let the courier do what it has to."""
        await self.post.dispatch.refresh()
        self.post.dispatch._couriers["ops"].wake()
        await self.post.dispatch.rest()

    def heard(self) -> list[str]:
        """The kinds of the messages."""
        return [each.title.split("]")[0].split()[0].strip("[") for each in self.channel.sent]


@pytest.fixture
async def house(post: Post, telling: Callable[..., Setup], channel: Any) -> House:
    """One receiver that is notified again after half an hour."""
    await post.begin(telling(channel, repeat_interval=HOUR / 2))
    await post.dispatch.rest()
    return House(post, channel)


async def test_a_silence_that_ends(house: House, store: Store) -> None:
    """What still fires speaks then, at its time, without a poll."""
    store.silences.add(silence())
    await house.poll(alert_of())
    assert [] == house.heard()
    house.post.clock.advance(HOUR - MINUTE)
    await house.look()
    assert [] == house.heard()
    house.post.clock.advance(MINUTE)
    await house.look()
    assert ["CRITICAL"] == house.heard()


async def test_a_silence_that_is_ended(house: House, store: Store) -> None:
    """The next poll speaks, whatever it found."""
    store.silences.add(silence())
    await house.poll(alert_of())
    store.silences.expire("5115", NOW)
    await house.poll(alert_of())
    assert ["CRITICAL"] == house.heard()


async def test_what_resolves_under_a_silence(
    house: House, store: Store, eventually: Eventually
) -> None:
    """Who knows that it fired is notified; nobody is of what began and ended under it."""
    await house.poll(alert_of())
    store.silences.add(silence())
    house.post.clock.advance(HOUR / 2)
    await house.poll(alert_of())
    assert ["CRITICAL"] == house.heard()
    await house.poll()
    assert ["CRITICAL", "RESOLVED"] == house.heard()
    second = alert_of(at=house.post.clock())
    await house.poll(second)
    await house.poll()
    house.post.clock.advance(2 * HOUR)
    await house.poll()
    assert ["CRITICAL", "RESOLVED"] == house.heard()
    await eventually(
        lambda: second.episode not in {each.episode for each in store.load("main").unsettled}
    )


async def test_the_end_of_what_may_have_arrived(house: House, store: Store) -> None:
    """Whether the receiver knows that it fired is unknown, so it hears that it is over."""
    store.silences.add(silence())
    courier, alert = house.post.dispatch._couriers["ops"], alert_of()
    courier.delivery.attempts = courier.delivery.attempts.begin(marks([alert.episode]))
    await house.poll(alert)
    assert [] == house.heard()
    house.post.clock.advance(MINUTE)
    await house.poll()
    assert ["MISSED:1"] == house.heard()


async def test_a_restart_under_a_silence(
    house: House, store: Store, make_post: Callable[..., Post], telling: Callable[..., Setup]
) -> None:
    """It is still in force, and ends when it should."""
    store.silences.add(silence())
    await house.poll(alert_of())
    await house.post.dispatch.stop(1)
    again = House(make_post(), house.channel)
    await again.post.begin(telling(house.channel))
    await again.look()
    assert [] == again.heard()
    again.post.clock.advance(HOUR)
    await again.look()
    assert ["CRITICAL"] == again.heard()


async def test_an_alert_that_mutes_another(
    post: Post, telling: Callable[..., Setup], channel: Any
) -> None:
    """As long as it fires; then the other speaks."""
    inhibit = Inhibit(parse_matchers("rule=debt"), parse_matchers("rule=account_low"))
    setup = replace(telling(channel), mutes=Mutes(inhibits=(inhibit,)))
    await post.begin(setup)
    house = House(post, channel)
    source, target = alert_of("debt"), alert_of("account_low")
    await house.poll(source, target)
    assert ["CRITICAL"] == house.heard()
    assert "debt says" in channel.sent[0].body
    assert "account_low says" not in channel.sent[0].body
    post.clock.advance(MINUTE)
    await house.poll(target)
    bodies = "".join(each.body for each in channel.sent[1:])
    assert "account_low says" in bodies


async def test_an_alert_that_mutes_another_no_more(
    post: Post, telling: Callable[..., Setup], channel: Any
) -> None:
    """It still fires, but is not as it was: the other speaks."""
    inhibit = Inhibit(
        parse_matchers("rule=debt,severity=critical"), parse_matchers("rule=account_low")
    )
    await post.begin(replace(telling(channel), mutes=Mutes(inhibits=(inhibit,))))
    house = House(post, channel)
    source, target = alert_of("debt"), alert_of("account_low")
    await house.poll(source, target)
    assert 1 == len(channel.sent)
    await house.poll(replace(source, severity=Severity.WARNING), target)
    assert "account_low says" in channel.sent[-1].body


async def test_an_acknowledged_alert(house: House, store: Store, eventually: Eventually) -> None:
    """It is not repeated, and its end is told."""
    alert = alert_of()
    await house.poll(alert)
    taken = Acknowledgement(NOW, NOW + 2 * HOUR, alert.severity, alert.step)
    assert store.silences.acknowledge(alert.episode, taken)
    house.post.clock.advance(HOUR)
    await house.poll(alert)
    assert ["CRITICAL"] == house.heard()
    house.post.clock.advance(HOUR)
    await house.look()
    assert ["CRITICAL"] * 2 == house.heard()
    await house.poll()
    assert ["CRITICAL", "CRITICAL", "RESOLVED"] == house.heard()
    assert not store.silences.acknowledge(alert.episode, taken)
    await eventually(lambda: not store.silences.acknowledged())


class Unreadable:
    """A store that cannot be read."""

    @property
    def silences(self) -> object:
        """Nothing."""
        raise StoreError("the disk is gone")


async def test_silences_that_cannot_be_read(house: House, store: Store) -> None:
    """Those known before count."""
    store.silences.add(silence())
    await house.poll(alert_of())
    house.post.dispatch._readings._store = Unreadable()  # type: ignore[assignment] # a fake
    await house.look()
    assert house.post.dispatch._book.mutes.silences
    assert [] == house.heard()


class Slow:
    """A store whose first reading of silences takes until `go` is set."""

    def __init__(self, store: Store) -> None:
        self.store, self.read, self.go = store, threading.Event(), threading.Event()
        self.silences = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def all(self, since: datetime | None = None) -> list[Silence]:
        """The silences of the store, as they were at the begin."""
        found = self.store.silences.all(since)
        if not self.read.is_set():
            self.read.set()
            self.go.wait(20)
        return found

    def acknowledged(self) -> Any:
        """Those of the store."""
        return self.store.silences.acknowledged()


@pytest.mark.parametrize("by_settings", [False, True])
async def test_a_slow_reading_of_silences(
    make_post: Callable[..., Post], telling: Callable[..., Setup], channel: Any, store: Store,
    eventually: Eventually, *, by_settings: bool,
) -> None:  # fmt: skip
    """One that began later, or with new settings, is not undone by it."""
    over, setup = Slow(store), telling(channel)
    dispatch = make_post(over).dispatch
    slow = asyncio.create_task(dispatch.refresh())
    await eventually(over.read.is_set)
    if by_settings:
        setup = replace(setup, mutes=Mutes(inhibits=()))
        await dispatch.take_over(setup)
    else:
        store.silences.add(silence())
        await dispatch.refresh()
    known = dispatch._book.mutes
    assert (1, True) == (len(known.silences) + by_settings, known != Mutes())
    over.go.set()
    await slow
    assert known == dispatch._book.mutes


async def test_a_restart_after_an_alert_that_muted_another(
    post: Post,
    telling: Callable[..., Setup],
    make_channel: Callable[[str], Any],
    make_post: Callable[..., Post],
) -> None:
    """What began and ended while it was muted is never told, though another receiver is due its end."""
    ops, pager = make_channel("ops"), make_channel("pager")
    inhibit = Inhibit(parse_matchers("rule=debt"), parse_matchers("rule=account_low"))
    setup = replace(telling(ops, pager), mutes=Mutes(inhibits=(inhibit,)))
    setup = replace(setup, routes={**setup.routes, "pager": Route("pager", rules=("account_low",))})
    source, target = alert_of("debt", NOW + MINUTE), alert_of("account_low")
    ops.refuses = True
    await post.begin(setup)
    await _look(post, target)
    assert ([], 1) == (ops.sent, len(pager.sent))
    ops.refuses, pager.refuses = False, True
    post.clock.advance(10 * MINUTE)
    await _look(post, source, target)
    post.clock.advance(MINUTE)
    await _look(post)
    assert ["debt", "debt"] == [_rule(each) for each in ops.sent]
    await post.dispatch.stop(1)
    again = make_post()
    await again.begin(setup)
    await _look(again)
    assert 2 == len(ops.sent)
    assert 1 == len(pager.sent)


async def test_what_was_muted_until_the_evening(
    post: Post, telling: Callable[..., Setup], channel: Any, make_post: Callable[..., Post]
) -> None:
    """When the window opens it is not told, though what muted it is long over, also after a restart."""
    inhibit = Inhibit(parse_matchers("rule=debt"), parse_matchers("rule=account_low"))
    active = ActiveTimes(parse_windows("08:00-13:00"))
    setup = replace(telling(channel), mutes=Mutes(inhibits=(inhibit,)))
    route = Route("ops", active=active, critical_at_once=False, rules=("account_low",))
    await post.begin(replace(setup, routes={"ops": route}))
    source, target = alert_of("debt"), alert_of("account_low")
    await _look(post, source, target)
    post.clock.advance(90 * MINUTE)
    await _look(post, target)
    post.clock.advance(HOUR)
    await _look(post)
    await post.dispatch.stop(1)
    again = make_post()
    await again.begin(replace(setup, routes={"ops": route}))
    again.clock.advance(DAY - 3 * HOUR)
    await _look(again)
    assert [] == channel.sent
    assert {} == again.dispatch._book.pages["main"].alerts


async def _look(post: Post, *alerts: Alert) -> None:
    """Poll, and let all couriers do what they have to."""
    post.poll(*alerts)
    await post.dispatch.refresh()
    for courier in post.dispatch._couriers.values():
        courier.wake()
    await post.dispatch.rest()
    await post.rest()


def _rule(said: Any) -> str:
    return "debt" if "debt" in said.title + said.body else "account_low"
