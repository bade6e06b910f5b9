"""Who is notified of what, over a real store and real couriers; only the receivers are fakes."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.due import Due, due
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.telling import Notified
from fluence_watch.app import agenda
from fluence_watch.app.book import Page
from fluence_watch.app.kept import Kept
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.notify.render import Rendered
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.price_changed import PriceChanged
from fluence_watch.store import Store
from fluence_watch.web.reports import ReceiverReport
from tests.unit.app.post import Post

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


def alert_of(key: str = "", account: str = "main", **changes: Any) -> Alert:
    """An alert that fires since now; `key` tells several apart."""
    facts = PollFailing("server_error", f"the API failed {key}")
    fingerprint = Fingerprint(account, "poll_failing", "", key)
    alert = Alert(fingerprint, Severity.CRITICAL, State.FIRING, facts, NOW, NOW)
    return replace(alert, **changes)


class Picky:
    """A receiver that refuses what names one of the `poison`, for good or for now."""

    def __init__(self, channel: Any, poison: Iterable[str], *, permanent: bool) -> None:
        self.channel, self.poison, self.permanent = channel, poison, permanent
        self.name, self.format, self.longest = channel.name, channel.format, channel.longest

    async def send(self, rendered: Rendered) -> None:
        """Refuse, or take it."""
        if any(each in rendered.body for each in self.poison):
            self.channel.tried += 1
            raise NotifyError("error=400", permanent=self.permanent)
        await self.channel.send(rendered)


async def passing(post: Post, minutes: int) -> None:
    """Let time pass, and the courier take every turn of it."""
    for _ in range(minutes // 10):
        post.clock.advance(10 * MINUTE)
        post.dispatch._couriers["ops"].wake()
        await post.dispatch.rest()


def bodies(channel: Any) -> str:
    """All that was accepted."""
    return "\n".join(each.body for each in channel.sent)


async def test_a_poll_notifies(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """Once when it fires, once when it resolves; then it is settled."""
    await post.begin(telling(channel))
    post.poll(alert_of())
    await eventually(post.told)
    post.poll(alert_of())
    post.clock.advance(MINUTE)
    post.poll()
    await eventually(lambda: len(channel.sent) == 2 and not post.store.load("main").unsettled)

    assert [
        "CRITICAL account main cannot be polled: server error",
        "RESOLVED account main is polled again",
    ] == [each.title for each in channel.sent]
    assert ({}, 0) == (post.told(), post.waiting())


async def test_what_is_not_told_is_told_at_the_next_start(
    make_post: Callable[..., Post], telling: Callable[..., Setup], channel: Any,
    eventually: Eventually,
) -> None:  # fmt: skip
    """What fires, and what fired and ended while no daemon ran, as far as anybody is due it."""
    post = make_post()
    await post.begin(telling())
    post.poll(alert_of("a"), alert_of("b"))
    await post.begin(telling(channel))
    await eventually(lambda: channel.sent)
    await post.dispatch.stop(1)
    post.poll(alert_of("a"))

    await make_post().begin(telling(channel))
    await eventually(lambda: len(channel.sent) == 2)
    assert channel.sent[0].title.startswith("[FIRING:2]")
    assert channel.sent[1].title.startswith("RESOLVED")


async def test_what_ends_before_the_receivers_are_known(
    make_post: Callable[..., Post], telling: Callable[..., Setup], channel: Any,
    eventually: Eventually,
) -> None:  # fmt: skip
    """A poll may be the first to end: who is due the end is decided when all receivers are known."""
    post = make_post()
    await post.begin(telling(channel))
    post.poll(alert_of())
    await eventually(post.told)
    await post.dispatch.stop(1)
    again = make_post()
    stored = again.store.load("main")
    again.kept["main"] = Kept(again.store, "main", stored)
    again.dispatch.follow("main", Page.of(stored))
    again.poll()
    await asyncio.sleep(0.05)
    assert 1 == len(again.store.load("main").unsettled)
    await again.dispatch.take_over(telling(channel))
    await eventually(lambda: not again.store.load("main").unsettled)

    assert ["CRITICAL", "RESOLVED"] == [each.title.split()[0] for each in channel.sent]


async def test_after_an_outage_one_message_says_what_is_true(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """What fires now, what is over that was told, and what began and ended meanwhile."""
    await post.begin(telling(channel))
    post.poll(alert_of("told"))
    await eventually(lambda: channel.sent)
    channel.refuses = True
    post.poll(alert_of("brief"), alert_of("lasting"))
    await eventually(lambda: post.failures() == 1)
    for number in range(50):
        post.poll(alert_of("lasting"), alert_of(f"flap {number}"))
    assert 1 == post.waiting()
    channel.refuses = False
    post.clock.advance(HOUR)
    post.poll(alert_of("lasting"))
    await eventually(lambda: len(channel.sent) == 2)

    assert "[FIRING:1" not in channel.sent[1].title
    body = channel.sent[1].body
    assert "the API failed lasting" in body
    assert "is polled again" in body
    assert "before ops could be notified" in body
    assert "46 × poll_failing missed" in body  # noqa: RUF001 - as it is shown
    await eventually(lambda: not post.store.load("main").unsettled)
    assert [alert_of("lasting").episode] == [*post.told()]


async def test_an_event_that_ended_meanwhile_is_news(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """It ended with the next poll, before the receiver could be reached."""
    from fluence_watch.model.finding import VmRef  # noqa: PLC0415

    facts = PriceChanged(VmRef("0xa", "web-1"), 1, 2, 1, None, None)
    event = alert_of(facts=facts, fingerprint=Fingerprint("main", "price_changed", "0xa", "x"))
    await post.begin(telling(channel))
    channel.refuses = True
    post.poll(event)
    await eventually(lambda: post.failures() == 1)
    post.poll(quiet=True)
    channel.refuses = False
    post.clock.advance(MINUTE)
    post.poll()
    post.dispatch.committed("main", {}, [])
    await post.dispatch.stop(5)

    assert ["CRITICAL web-1 costs 0.000002 USDC an epoch, was 0.000001"] == [
        each.title for each in channel.sent
    ]


async def test_what_is_settled_while_somebody_looks(
    post: Post, telling: Callable[..., Setup], channel: Any, monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:  # fmt: skip
    """A look that began before sees what the receiver knew then, and takes nothing for missed."""
    await post.begin(telling(channel))
    post.poll(alert_of())
    await eventually(post.told)
    page, looked = post.dispatch._book.pages["main"], due

    def slowly(*what: Any, **more: Any) -> Due:
        page.settle([*page.alerts])
        return looked(*what, **more)

    post.dispatch._complete = False  # nothing else settles
    post.poll()
    await eventually(lambda: len(channel.sent) == 2)
    monkeypatch.setattr(agenda, "due", slowly)
    post.dispatch._couriers["ops"].look("main")
    await post.dispatch.rest()

    assert 2 == len(channel.sent)


async def test_worse_is_news(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """Once per step, never on the way down, and one resolved."""
    await post.begin(telling(channel))
    steps = [(Severity.WARNING, 0), (Severity.WARNING, 1), (Severity.WARNING, 0),
             (Severity.WARNING, 1), (Severity.CRITICAL, 1)]  # fmt: skip
    told = [1, 2, 2, 2, 3]
    for (severity, step), number in zip(steps, told, strict=True):
        post.poll(alert_of(severity=severity, step=step))
        await eventually(lambda n=number: len(channel.sent) == n)
    post.poll()
    await eventually(lambda: len(channel.sent) == 4)

    assert [False, True, True, False] == [each.title.endswith("(worse)") for each in channel.sent]
    assert "Worse than before." in channel.sent[1].body


async def test_repeats_need_no_poll(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """A poll that hangs does not stop them; a missing VM does."""
    await post.begin(telling(channel, repeat_interval=HOUR))
    post.poll(alert_of())
    await eventually(post.told)
    for hours in (2, 3):
        post.clock.advance(HOUR)
        post.dispatch._couriers["ops"].wake()
        await eventually(lambda n=hours: len(channel.sent) == n)
    post.dispatch.committed("main", post.kept["main"].state.alerts, [], frozenset({""}))
    post.clock.advance(HOUR)
    post.dispatch._couriers["ops"].wake()
    await post.dispatch._couriers["ops"].hurry()

    assert 3 == len(channel.sent)
    assert "Still firing, since" in channel.sent[1].body


async def test_how_it_stands_with_a_receiver(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """Not notified, then failing since the first failure, then well; a reload changes nothing."""
    dispatch, clock = post.dispatch, post.clock
    await post.begin(telling(channel))
    assert ReceiverReport("ops") == dispatch.report("ops")
    channel.refuses = True
    post.poll(alert_of())
    await eventually(lambda: post.failures() == 1)
    clock.advance(HOUR)
    dispatch._couriers["ops"].wake()
    await eventually(lambda: post.store.receivers()["ops"].failures == 2)
    next_try_at = post.store.receivers()["ops"].next_at
    assert next_try_at
    assert next_try_at > clock()
    failing = ReceiverReport("ops", None, NOW, "not now", 1, NOW, next_try_at)
    assert failing == dispatch.report("ops")
    await dispatch.take_over(telling(channel))
    assert failing == dispatch.report("ops")

    channel.refuses = False
    clock.advance(HOUR)
    dispatch._couriers["ops"].wake()
    await eventually(lambda: channel.sent and post.waiting() == 0)
    assert ReceiverReport("ops", clock()) == dispatch.report("ops")


async def test_a_failure_waits_for_its_time(
    make_post: Callable[..., Post], telling: Callable[..., Setup], channel: Any,
    eventually: Eventually,
) -> None:  # fmt: skip
    """A receiver that refuses is left alone for a while, after a restart too."""
    channel.refuses = True
    post = make_post()
    await post.begin(telling(channel))
    post.poll(alert_of())
    await eventually(lambda: post.failures() == 1)
    for courier in post.dispatch._couriers.values():
        await courier.stop()
    again = make_post()
    channel.refuses = False
    await again.begin(telling(channel))
    await eventually(lambda: again.waiting() == 1)
    assert (1, []) == (channel.tried, channel.sent)

    again.clock.advance(timedelta(seconds=10))
    again.dispatch._couriers["ops"].wake()
    await eventually(lambda: channel.sent and again.waiting() == 0)


async def test_one_that_hangs_does_not_hold_up_another(
    post: Post, telling: Callable[..., Setup], channel: Any, make_channel: Callable[[str], Any],
    eventually: Eventually,
) -> None:  # fmt: skip
    """Each receiver has a courier of its own."""
    other = make_channel("boss")
    channel.gate.clear()
    await post.begin(telling(channel, other))
    post.poll(alert_of())
    await eventually(lambda: other.sent)
    assert [] == channel.sent
    channel.gate.set()
    await eventually(lambda: channel.sent)


async def test_a_receiver_that_is_removed_and_added_again(
    post: Post, telling: Callable[..., Setup], channel: Any, make_channel: Callable[[str], Any],
    eventually: Eventually,
) -> None:  # fmt: skip
    """What it knew goes with it: it is notified of what fires, and not of what ended before."""
    channel.refuses = True
    other = make_channel("boss")
    await post.begin(telling(channel, other))
    post.poll(alert_of("a"), alert_of("b"))
    await eventually(lambda: post.failures() == 1 and post.told("boss"))
    await post.dispatch.take_over(telling(other))
    await eventually(lambda: (None, 0) == (post.waiting(), post.waiting("boss")))
    assert {"boss"} == post.store.receivers().keys()
    post.poll(alert_of("a"))
    await eventually(lambda: len(other.sent) == 2)

    channel.refuses = False
    post.clock.advance(MINUTE)
    await post.dispatch.take_over(telling(channel, other))
    await eventually(lambda: channel.sent)
    assert "the API failed a" in bodies(channel)
    assert "the API failed b" not in bodies(channel)
    assert "MISSED" not in channel.sent[0].title


async def test_a_receiver_that_changed(
    post: Post, telling: Callable[..., Setup], channel: Any, make_channel: Callable[[str], Any],
    eventually: Eventually,
) -> None:  # fmt: skip
    """A reload mends a wrong address, and what waited for it goes to the new one."""
    channel.refuses = True
    await post.begin(telling(channel))
    post.poll(alert_of())
    await eventually(lambda: post.failures() == 1)
    mended = make_channel("ops")
    post.clock.advance(timedelta(seconds=10))
    await post.dispatch.take_over(telling(mended))
    await eventually(lambda: mended.sent)

    assert 1 == channel.tried


async def test_an_account_that_is_not_watched(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """Nobody is notified of it, and what others wait for is not held up."""
    channel.refuses = True
    await post.begin(telling(channel), "main", "test")
    post.poll(alert_of())
    post.poll(alert_of(account="test"), account="test")
    await eventually(lambda: post.failures() and post.waiting() == 2)
    post.dispatch.forget("main")
    channel.refuses = False
    post.clock.advance(MINUTE)
    post.poll(alert_of())  # a late poll
    post.poll(alert_of("more", account="test"), account="test")
    await eventually(lambda: channel.sent and post.waiting() == 0)

    assert ["account test"] == [each.title.partition(" ")[2][:12] for each in channel.sent][:1]
    assert 1 == len(channel.sent)


async def test_stopping_tries_once_more(
    make_post: Callable[..., Post], telling: Callable[..., Setup], channel: Any,
    eventually: Eventually,
) -> None:  # fmt: skip
    """What the last poll found still goes out, and a receiver that failed gets its chance."""
    post = make_post()
    await post.begin(telling(channel))
    channel.refuses = True
    post.poll(alert_of())
    await eventually(lambda: post.failures() == 1)
    channel.refuses = False
    await post.dispatch.stop(5)

    assert 1 == len(channel.sent)
    assert post.told()


async def test_what_a_crash_leaves_open(
    make_post: Callable[..., Post], telling: Callable[..., Setup], channel: Any,
    eventually: Eventually,
) -> None:  # fmt: skip
    """A message that was on its way may have arrived: it is sent again, and counted."""
    channel.gate.clear()
    post = make_post()
    await post.begin(telling(channel))
    post.poll(alert_of())
    await eventually(lambda: channel.tried)
    await post.dispatch.stop(0.02)
    assert post.store.receivers()["ops"].begun

    channel.gate.set()
    again = make_post()
    await again.begin(telling(channel))
    await eventually(again.told)
    assert 1 == again.count("notification_possible_duplicates")
    assert Attempts(since=NOW) == again.store.receivers()["ops"]


async def test_a_message_that_may_have_arrived_late(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """The receiver did not answer in time: the next message about the same is counted too."""

    async def late(_: Rendered) -> None:
        channel.tried += 1
        raise NotifyError("no answer within 30 s", may_have_arrived=True)

    class Slow:
        name, format, longest, send = "ops", channel.format, channel.longest, staticmethod(late)

    await post.begin(telling(Slow()))
    post.poll(alert_of())
    await eventually(lambda: post.failures() == 1)
    await post.dispatch.take_over(telling(channel))
    post.clock.advance(MINUTE)
    post.dispatch._couriers["ops"].wake()
    await eventually(lambda: channel.sent)

    assert 1 == post.count("notification_possible_duplicates")


@pytest.mark.parametrize("alone", [True, False])
async def test_an_alert_that_is_refused_for_good(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually,
    alone: bool,  # noqa: FBT001 - a column of the table
) -> None:  # fmt: skip
    """It holds up nothing else, is given up, counted, and named to the watcher."""
    picky = Picky(channel, ["server_error poison", "key poison", "poison"], permanent=True)
    await post.begin(telling(picky), "main", "test")
    others = [] if alone else [alert_of("a"), alert_of("b")]
    post.poll(alert_of("poison"), *others)
    post.poll(alert_of("c", account="test"), account="test")
    await eventually(lambda: post.count("notification_given_up_alerts"))
    await eventually(lambda: post.waiting() == 0)

    assert 1 == post.count("notification_given_up_alerts")
    assert all(f"{each.fingerprint.key}" in bodies(channel) for each in others)
    assert "poison" not in bodies(channel)
    assert {"ops": None} == post.dispatch.failing()
    assert ("main poll_failing poison",) == post.dispatch.refused()["ops"].alerts

    post.poll(*others)
    sent = len(channel.sent)
    await eventually(lambda: not post.store.load("main").unsettled)
    assert sent == len(channel.sent)
    assert {} == post.dispatch.refused()


async def test_an_alert_that_fails_while_others_pass(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """After some failures it is found out, and holds up nothing; after some more it is given up."""
    picky = Picky(channel, ["poison"], permanent=False)
    await post.begin(telling(picky))
    post.poll(alert_of("poison"), alert_of("good"))
    await passing(post, 7 * 10)
    assert 1 == len(channel.sent)
    assert "good" in bodies(channel)

    await passing(post, 5 * 10)  # it may be the receiver that fails now
    assert 0 == post.count("notification_given_up_alerts")
    assert post.dispatch.failing()["ops"]
    for number in range(2):
        post.poll(alert_of("poison"), alert_of("good"), alert_of(f"more {number}"))
        await post.dispatch._couriers["ops"].hurry()
        assert {"ops": None} == post.dispatch.failing()
        assert f"more {number}" in bodies(channel)
        await passing(post, 10)

    assert 1 == post.count("notification_given_up_alerts")


async def test_a_receiver_that_refuses_everything(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """It is the receiver that fails, whatever it says: nothing is given up."""
    picky = Picky(channel, [""], permanent=True)
    await post.begin(telling(picky))
    post.poll(*(alert_of(f"{number}") for number in range(30)))
    for _ in range(8):
        await post.dispatch._couriers["ops"].hurry()
        post.clock.advance(10 * MINUTE)
    assert 0 == post.count("notification_given_up_alerts")
    assert (failing := post.dispatch.failing()["ops"])
    assert (1, "error=400") == (failing.waiting, failing.error)
    assert channel.tried < 8 * 5

    await post.dispatch.take_over(telling(channel))
    await post.dispatch._couriers["ops"].hurry()
    assert ["[FIRING:30] poll_failing · main"] == [each.title for each in channel.sent]


async def test_groups_wait(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """`group_wait` gathers alerts, `group_interval` keeps messages apart."""
    await post.begin(telling(channel, group_wait=MINUTE, group_interval=HOUR))
    courier = post.dispatch._couriers["ops"]
    post.poll(alert_of("a"))
    await courier.hurry()
    assert (0, 0) == (channel.tried, post.waiting())
    post.clock.advance(MINUTE)
    post.poll(alert_of("a"), alert_of("b", active_at=NOW + MINUTE, starts_at=NOW + MINUTE))
    await eventually(lambda: channel.sent)
    post.clock.advance(MINUTE)
    post.poll(alert_of("a"))
    await courier.hurry()
    assert 1 == len(channel.sent)
    post.clock.advance(HOUR)
    courier.wake()
    await eventually(lambda: len(channel.sent) == 2)

    assert channel.sent[0].title.startswith("[FIRING:2]")
    assert channel.sent[1].title.startswith("RESOLVED")


class FullStore:
    """A store that cannot keep what was accepted while it is full, over a real one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.full = True
        self.asked = 0

    def save_attempts(
        self, receiver: str, attempts: Attempts, told: Mapping[Episode, Notified], *more: Any
    ) -> None:
        """Refuse, or keep it."""
        if told and self.full:
            self.asked += 1
            raise StoreError("the disk is full")
        self.store.save_attempts(receiver, attempts, told, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_what_was_accepted_is_not_sent_again_though_the_store_fails(
    make_post: Callable[..., Post], store: Store, telling: Callable[..., Setup], channel: Any,
    make_channel: Callable[[str], Any], eventually: Eventually,
) -> None:  # fmt: skip
    """It is remembered, over a reload too, and written when the store can again."""
    full = FullStore(store)
    post = make_post(full)
    await post.begin(telling(channel))
    post.poll(alert_of())
    await eventually(lambda: full.asked)
    asked, changed = full.asked, make_channel("ops")
    await post.dispatch.take_over(telling(changed))
    await eventually(lambda: full.asked > asked)
    full.full = False
    post.dispatch._couriers["ops"].wake()
    await eventually(post.told)

    assert (1, 0) == (len(channel.sent), changed.tried)
    assert Attempts(since=NOW) == store.receivers()["ops"]


class SlowStore:
    """A store that settles when `gate` is open, over a real one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.gate = threading.Event()
        self.asked = 0

    def settle(self, *what: Any) -> None:
        """Wait, and settle."""
        self.asked += 1
        self.gate.wait()
        self.store.settle(*what)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


async def test_what_ends_while_the_store_is_slow_is_settled_too(
    make_post: Callable[..., Post], store: Store, telling: Callable[..., Setup], channel: Any,
    eventually: Eventually,
) -> None:  # fmt: skip
    """When nobody is due anything of it, though what ended before is being written then."""
    slow = SlowStore(store)
    post = make_post(slow)
    await post.begin(telling(channel))
    post.poll(alert_of("a"), alert_of("b"))
    await eventually(lambda: channel.sent)
    post.poll(alert_of("b"))
    await eventually(lambda: slow.asked)
    post.poll()
    await post.dispatch.rest()
    assert 3 == len(channel.sent)
    slow.gate.set()
    await eventually(lambda: not store.load("main").unsettled)


class SickStore:
    """A store that fails while it is sick, over a real one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.sick: Exception | None = None
        self.asked = 0

    @property
    def silences(self) -> object:
        """What is read before each round."""
        return self.store.silences

    def __getattr__(self, name: str) -> Any:
        def call(*args: object, **more: object) -> object:
            self.asked += 1
            if self.sick:
                raise self.sick
            return getattr(self.store, name)(*args, **more)

        return call


@pytest.mark.parametrize("sickness", [StoreError("the disk is full"), RuntimeError("a bug")])
async def test_a_store_that_fails_is_tried_again(
    make_post: Callable[..., Post], store: Store, telling: Callable[..., Setup], channel: Any,
    eventually: Eventually, sickness: Exception,
) -> None:  # fmt: skip
    """Whatever goes wrong in a round, the courier lives on and delivers later."""
    sick = SickStore(store)
    post = make_post(sick)
    await post.begin(telling(channel))
    post.poll(alert_of())
    sick.sick = sickness
    asked = sick.asked
    await eventually(lambda: sick.asked > asked)
    assert [] == channel.sent
    sick.sick = None
    post.dispatch._couriers["ops"].wake()
    await eventually(lambda: channel.sent)

    assert 1 == len(channel.sent)


async def test_a_message_that_cannot_be_rendered(
    post: Post, telling: Callable[..., Setup], channel: Any, eventually: Eventually
) -> None:
    """It is sent in its plainest form, and counted."""
    await post.begin(telling(channel))
    post.poll(alert_of(facts="no template fits this"))
    await eventually(lambda: channel.sent)

    assert "CRITICAL: poll_failing, account main" in channel.sent[0].body
    assert 1 == post.board.own.registry.get_sample_value(
        "fluence_watch_internal_errors_total", {"where": "message"}
    )
    await asyncio.sleep(0)
