"""Receivers that fail, over a real store and real couriers; only the receivers are fakes."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Acknowledgement, Silence
from fluence_watch.alerting.state import AccountState
from fluence_watch.alerting.telling import Notified
from fluence_watch.app.board import Board
from fluence_watch.app.book import Page
from fluence_watch.app.dispatch import Dispatch
from fluence_watch.app.policies import watcher_policy
from fluence_watch.app.schedule import Schedule
from fluence_watch.app.selfwatch import Seen, SelfWatch, decide_watcher
from fluence_watch.app.wiring import Setup, prepare
from fluence_watch.errors import NotifyError, StoreError
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity
from fluence_watch.model.undelivered import Undelivered
from fluence_watch.notify.render import Rendered
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.rules.silence_ending import SilenceEnding
from fluence_watch.settings import WatchSettings
from fluence_watch.simulator import SettableClock
from fluence_watch.store import Store
from tests.stored import keep, tables
from tests.unit.app.hearing import Listeners

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LEFT = Undelivered("HTTP 503", 2, NOW)
OPS, CHAT = (Fingerprint(WATCHER, "delivery_failing", name) for name in ("ops", "chat"))
BOTH = [{"name": name, "url": f"json://{name}"} for name in ("ops", "chat")]
LOST = Alert(
    fingerprint=Fingerprint("main", "poll_failing"),
    severity=Severity.CRITICAL,
    state=State.FIRING,
    facts=PollFailing("server_error", "the API failed (503)"),
    active_at=NOW,
    starts_at=NOW,
)

Eventually = Callable[[Callable[[], object]], Awaitable[None]]


class Story:
    """Looks at the receivers, one after another."""

    def __init__(self, settings: WatchSettings) -> None:
        self.policy = watcher_policy(settings)
        self.routes = list(prepare(settings).routes.values())
        self.state = AccountState()
        self.listeners = Listeners()

    def look(self, minute: float, **receivers: Undelivered | None) -> list[tuple[str, str, bool]]:
        """What is said of such a state of the receivers: to whom, about whom, whether it fires."""
        now = NOW + minute * MINUTE
        decision = decide_watcher(self.state, Seen(receivers, {}), self.policy, now)
        self.state = decision.after
        return [
            (message.receiver, item.fingerprint.subject, item.firing)
            for message in self.listeners.follow(decision, self.routes)
            for item in message.items
        ]


@pytest.fixture
def story(settings: Callable[..., WatchSettings]) -> Callable[..., Story]:
    """A function from receivers and other tables to the story that begins with them."""
    return lambda receivers=BOTH, **tables: Story(settings(receivers=receivers, **tables))


def test_the_others_are_notified_once_when_it_fails_and_once_when_it_works(
    story: Callable[..., Story],
) -> None:
    """After 15 minutes, critical, and never through itself."""
    told = story()
    assert [] == told.look(0, ops=LEFT, chat=None)
    assert [] == told.look(14, ops=LEFT, chat=None)
    assert [("chat", "ops", True)] == told.look(15, ops=LEFT, chat=None)
    assert Severity.CRITICAL is told.state.alerts[OPS].severity
    assert [] == told.look(16, ops=replace(LEFT, waiting=3), chat=None)
    assert [("chat", "ops", False)] == told.look(17, ops=None, chat=None)
    assert [] == told.look(18, ops=None, chat=None)


def test_a_receiver_that_fails_for_a_moment_is_not_news(story: Callable[..., Story]) -> None:
    """The next failure begins anew."""
    told = story()
    said = [told.look(at, ops=LEFT if at != 10 else None, chat=None) for at in range(24)]
    assert [[]] * 24 == said


def test_repeats_do_not_go_through_it_either(story: Callable[..., Story]) -> None:
    """Who fails, and who else fails, are told to the others alone."""
    hourly = [each | {"repeat_interval": "1h"} for each in BOTH]
    told = story(hourly)
    told.look(0, ops=LEFT, chat=LEFT)
    both = [("ops", "chat", True), ("chat", "ops", True)]
    assert both == told.look(20, ops=LEFT, chat=LEFT)
    assert both == told.look(80, ops=LEFT, chat=LEFT)
    over = [("ops", "chat", False), ("chat", "ops", False)]
    assert over == told.look(90, ops=None, chat=None)


def test_with_one_receiver_nobody_is_notified(story: Callable[..., Story]) -> None:
    """It fires all the same, and a receiver that is added is notified."""
    told = story(BOTH[:1])
    told.look(0, ops=LEFT)
    assert [] == told.look(20, ops=LEFT)
    assert State.FIRING is told.state.alerts[OPS].state

    told.routes = story().routes
    assert [("chat", "ops", True)] == told.look(21, ops=LEFT, chat=None)


def test_a_receiver_that_is_removed_ends_its_alert_quietly(story: Callable[..., Story]) -> None:
    """Its failure does not matter any more."""
    told = story()
    told.look(0, ops=LEFT, chat=None)
    told.look(20, ops=LEFT, chat=None)
    assert [] == told.look(21, chat=None)
    assert {} == told.state.alerts


@pytest.fixture
def board(clock: SettableClock) -> Board:
    return Board(clock)


class Post:
    """A daemon's half that notifies: dispatch, and the watch over it."""

    def __init__(self, store: Store, board: Board, clock: SettableClock) -> None:
        self.store, self.clock = store, clock
        self.dispatch = Dispatch(store, board, clock)
        self.selfwatch = SelfWatch(Schedule(), store, board, clock, self.dispatch)

    async def begin(self, setup: Setup) -> None:
        """Take over, and wait until the first tries were made."""
        for account in self.store.accounts():
            if account != WATCHER:
                self.dispatch.follow(account, Page.of(self.store.load(account)))
        await self.dispatch.take_over(setup)
        await self.selfwatch.take_over(setup)

    async def pass_time(self, minutes: float) -> None:
        """Let time pass, deliver what is due, and look."""
        self.clock.advance(minutes * MINUTE)
        await self._deliver()
        await self.selfwatch.look()
        await self._deliver()

    async def _deliver(self) -> None:
        for courier in self.dispatch._couriers.values():
            courier.wake()
            await courier.rest()


@pytest.fixture
async def post(store: Store, board: Board, clock: SettableClock) -> AsyncIterator[Post]:
    made = Post(store, board, clock)
    yield made
    await made.dispatch.stop(1)


@pytest.fixture
def setup(
    planned: Callable[..., Setup], channel: Any, make_channel: Callable[[str], Any]
) -> Callable[..., Setup]:
    """The setup with receivers of these names: `ops` is the fixture `channel`."""

    def make(*names: str) -> Setup:
        entries = [{"name": name, "url": f"json://{name}"} for name in names]
        channels = {name: channel if name == "ops" else make_channel(name) for name in names}
        return replace(planned(receivers=entries), receivers=channels)

    return make


@pytest.fixture
def queue(store: Store) -> Callable[..., None]:
    """An alert about an account that only `ops` is not notified of yet."""

    def leave(account: str = "main") -> None:
        alert = replace(LOST, fingerprint=Fingerprint(account, "poll_failing"))
        after = AccountState(alerts={alert.fingerprint: alert}, last_poll_at=NOW)
        keep(store, account, after)
        store.add_receivers(["ops", "chat"], NOW)
        store.save_attempts("chat", Attempts(), {alert.episode: Notified(NOW, alert.severity)})

    return leave


async def test_it_is_notified_shown_and_over(
    post: Post, setup: Callable[..., Setup], channel: Any, queue: Callable[..., None],
    board: Board, store: Store,
) -> None:  # fmt: skip
    """From the refusal of a message to its acceptance, with what pages and metrics say."""
    wanted = setup("ops", "chat")
    chat: Any = wanted.receivers["chat"]
    channel.refuses = True
    queue()
    await post.begin(wanted)
    await post.pass_time(0)
    assert ([], []) == (chat.sent, board.remarks())

    await post.pass_time(16)
    assert ["CRITICAL receiver ops does not accept messages"] == [m.title for m in chat.sent]
    (remark,) = board.remarks()
    assert remark.startswith("receiver ops does not accept messages: 1 message waits")
    assert remark.endswith("it says: not now")
    (row,) = board.status().alerts
    assert ("delivery_failing", "fluence-watch") == (row.alert.rule, row.alert.account)
    labels = 'account="fluence-watch",rule="delivery_failing",severity="critical",state="firing"'
    assert f"fluence_watch_alerts{{{labels}}} 1.0" in board.exposition.scrape().body.decode()

    channel.refuses = False
    await post.pass_time(16)
    assert "RESOLVED receiver ops accepts messages again" == chat.sent[1].title
    assert 2 == len(chat.sent)
    assert [] == board.remarks()
    assert [OPS] == [alert.fingerprint for alert in store.history()]


async def test_one_that_refuses_a_message_and_takes_others_works(
    post: Post, setup: Callable[..., Setup], channel: Any, queue: Callable[..., None], store: Store
) -> None:
    """Then it is that message that is wrong."""

    async def picky(rendered: Rendered) -> None:
        if "main" in rendered.title:
            raise NotifyError("not this one")

    channel.send = picky
    queue()
    await post.begin(setup("ops", "chat"))
    for _ in range(6):
        await post.pass_time(1)
    assert [State.PENDING] == [alert.state for alert in store.load(WATCHER).state.alerts.values()]
    queue("other")
    await post.begin(setup("ops", "chat"))
    await post.pass_time(1)

    assert {} == store.load(WATCHER).state.alerts
    assert store.load("other").told["ops"]
    assert "ops" not in store.load("main").told
    report = post.dispatch.report("ops")
    assert (None, 1) == (report.failing_since, report.waiting)
    assert report.next_try_at
    assert report.next_try_at > post.clock()


async def test_a_silence_that_ends_is_told_once(
    post: Post, setup: Callable[..., Setup], channel: Any, store: Store
) -> None:
    """A day before, with what it hides; it mutes neither that, nor does it end with a message."""
    after = AccountState(alerts={LOST.fingerprint: LOST}, last_poll_at=NOW)
    keep(store, "main", after)
    begun, ends = NOW - 3 * DAY, NOW + DAY + 2 * MINUTE
    store.silences.add(Silence("5115", parse_matchers('rule!=""'), begun, ends, "why", "ann"))
    await post.begin(setup("ops"))
    await post.pass_time(1)
    assert [] == channel.sent
    for _ in range(3):
        await post.pass_time(1)
    (told,) = channel.sent
    assert told.title.startswith("WARNING silence 5115 ends 2026-04-17 12:02 UTC")
    assert "poll_failing of account main" in told.body
    await post.dispatch.refresh()
    post.clock.set(ends)
    await post.pass_time(1)
    assert ["WARNING", "CRITICAL"] == [each.title.split()[0] for each in channel.sent]
    assert ["silence_ending"] == [each.fingerprint.rule for each in store.history()]


async def test_a_silence_that_is_ended_by_a_command(
    post: Post, setup: Callable[..., Setup], store: Store
) -> None:
    """The next look knows it: what another silence hides from then on counts at once."""
    keep(store, "main", AccountState(alerts={LOST.fingerprint: LOST}, last_poll_at=NOW))
    for name, days in (("short", 0.5), ("long", 2)):
        until = NOW + days * DAY
        store.silences.add(Silence(name, parse_matchers('rule!=""'), NOW - 3 * DAY, until))
    await post.begin(setup("ops"))
    await post.pass_time(1)
    assert [] == store.load(WATCHER).told.get("ops", [])
    store.silences.expire("long", post.clock())
    await post.selfwatch.look()
    assert ["silence:short"] == [each.subject for each in store.load(WATCHER).state.alerts]


async def test_a_silence_before_silences_are_known(
    post: Post, setup: Callable[..., Setup], store: Store, tmp_path: Path
) -> None:
    """They cannot be read at the start: what is told of one goes on."""
    about = Fingerprint(WATCHER, "silence_ending", "silence:5115")
    facts = SilenceEnding("5115", "rule=x", "", "", NOW + DAY, (), 0)
    told = replace(LOST, fingerprint=about, facts=facts, relevant_until=NOW + DAY)
    keep(store, WATCHER, AccountState(alerts={about: told}, last_poll_at=NOW))
    await post.selfwatch.take_over(setup("ops"))
    url = f"sqlite:///{tmp_path}/watch.db"
    with tables(url) as connection:
        connection.execute(text("ALTER TABLE silences RENAME TO gone"))
    await post.selfwatch.look()
    assert {about} == store.load(WATCHER).state.alerts.keys()
    with tables(url) as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO silences"))
    await post.selfwatch.look()
    assert {} == store.load(WATCHER).state.alerts


async def test_a_restart_forgets_nothing(
    post: Post, setup: Callable[..., Setup], channel: Any, queue: Callable[..., None],
    board: Board, store: Store, clock: SettableClock,
) -> None:  # fmt: skip
    """Neither since when it fails, nor who was notified; before its next try it still fails."""
    channel.refuses = True
    queue()
    await post.begin(setup("ops", "chat"))
    await post.pass_time(0)
    await post.dispatch.stop(0)
    after = Post(store, board, clock)
    wanted = setup("ops", "chat")
    chat: Any = wanted.receivers["chat"]
    await after.begin(wanted)
    await after.pass_time(16)
    await after.dispatch.stop(0)
    assert 1 == len(chat.sent)

    again = Post(store, board, clock)
    await again.begin(setup("ops", "chat"))
    await again.selfwatch.look()
    await again.dispatch.stop(0)
    assert [State.FIRING] == [alert.state for alert in store.load(WATCHER).state.alerts.values()]


async def test_a_store_that_fails_changes_nothing(
    post: Post, setup: Callable[..., Setup], channel: Any, queue: Callable[..., None],
    store: Store, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What cannot be read is unknown, and neither over nor begun."""
    channel.refuses = True
    queue()
    await post.begin(setup("ops", "chat"))
    await post.pass_time(0)
    await post.pass_time(16)

    def broken(*_: object, **__: object) -> None:
        raise StoreError("the disk is gone")

    monkeypatch.setattr(store, "commit", broken)
    with structlog.testing.capture_logs() as logs:
        await post.selfwatch.look()
    assert ["cannot look at the receivers: the store fails"] == [line["event"] for line in logs]
    assert [OPS] == list(store.load(WATCHER).state.alerts)


async def test_an_error_of_our_own_is_counted(
    post: Post, setup: Callable[..., Setup], board: Board, store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """And logged; the next look has its chance."""
    await post.begin(setup("ops", "chat"))
    monkeypatch.setattr(post.dispatch, "refused", lambda: {"ops": None})
    with structlog.testing.capture_logs() as logs:
        await post.selfwatch.look()

    assert [("internal error, please report it", True)] == [
        (line["event"], line["exc_info"]) for line in logs
    ]
    counted = 'fluence_watch_internal_errors_total{where="receivers"} 1.0'
    assert counted in board.exposition.scrape().body.decode()


async def test_a_look_that_cannot_read_what_is_stored(
    post: Post, setup: Callable[..., Setup], board: Board, store: Store, tmp_path: Path
) -> None:
    """An acknowledgement of a later version, say: it is counted, and the next look has its chance."""
    keep(store, "main", AccountState(alerts={LOST.fingerprint: LOST}, last_poll_at=NOW))
    taken = Acknowledgement(NOW, NOW + DAY, LOST.severity, LOST.step)
    assert store.silences.acknowledge(LOST.episode, taken)
    await post.begin(setup("ops"))
    url = f"sqlite:///{tmp_path}/watch.db"
    with tables(url) as connection:
        connection.execute(text("UPDATE acknowledgements SET severity = 'odd'"))
    await post.selfwatch.look()
    assert "internal error while looking at the receivers" == post.selfwatch.trouble
    counted = 'fluence_watch_internal_errors_total{where="receivers"} 1.0'
    assert counted in board.exposition.scrape().body.decode()
    with tables(url) as connection:
        connection.execute(text("UPDATE acknowledgements SET severity = 'critical'"))
    await post.selfwatch.look()
    assert not post.selfwatch.trouble


async def test_it_is_logged_once(
    post: Post, setup: Callable[..., Setup], channel: Any, queue: Callable[..., None]
) -> None:
    """With one receiver the log is all there is."""
    channel.refuses = True
    queue()
    await post.begin(setup("ops"))
    with structlog.testing.capture_logs() as logs:
        for minutes in (0, 16, 1, 1):
            await post.pass_time(minutes)
    failed = [line for line in logs if line["event"].startswith("receiver fails")]

    assert [("receiver fails, nobody is notified", "ops", "error")] == [
        (line["event"], line["receiver"], line["log_level"]) for line in failed
    ]


async def test_while_all_is_well_nothing_is_stored(
    post: Post, setup: Callable[..., Setup], queue: Callable[..., None], store: Store
) -> None:
    """Calm costs no writes."""
    queue()
    await post.begin(setup("ops", "chat"))
    await post.pass_time(0)
    await post.pass_time(20)

    assert ["main"] == store.accounts()
