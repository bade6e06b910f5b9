"""Escalation and active times, over a real store and couriers."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from fluence_watch.alerting.active import ActiveTimes, parse_windows
from fluence_watch.alerting.escalation import Escalation
from fluence_watch.alerting.journal import What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Acknowledgement, Silence
from fluence_watch.alerting.state import AccountState
from fluence_watch.app.wiring import Setup
from fluence_watch.errors import NotifyError
from fluence_watch.model.finding import WATCHER, Fingerprint, Severity
from fluence_watch.notify.render import Rendered
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep
from tests.unit.app.post import Post

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OFFICE = ActiveTimes(parse_windows("08:00-18:00"))


def alert_of(
    key: str = "", severity: Severity = Severity.WARNING, at: datetime = NOW, rule: str = "debt"
) -> Alert:
    """An alert that fires."""
    facts = PollFailing("server_error", f"what {key} says")
    return Alert(Fingerprint("main", rule, key, key), severity, State.FIRING, facts, at, at)


@dataclass
class House:
    """A daemon's half that notifies, and its receivers by name."""

    post: Post
    channels: dict[str, Any]

    async def at(self, hours: float, *alerts: Alert) -> None:
        """Poll so long after noon, and let the couriers do what they have to."""
        self.post.clock.advance(NOW + hours * HOUR - self.post.clock())
        self.post.poll(*alerts)
        await self.look()

    async def look(self) -> None:
        """Let the couriers do what they have to."""
        await self.post.dispatch.refresh()
        for courier in self.post.dispatch._couriers.values():
            courier.wake()
            await courier.rest()

    def heard(self, name: str) -> list[str]:
        """The titles of the messages to a receiver, in short."""
        titles = [each.title for each in self.channels[name].sent]
        return [" ".join((each.split()[0], *each.split("(")[1:])) for each in titles]


class Scripted:
    """A receiver that meets the first attempts with these errors; a message may have arrived all the same."""

    def __init__(self, channel: Any, *errors: NotifyError) -> None:
        self.channel, self.errors, self.tried = channel, iter(errors), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)

    async def send(self, rendered: Rendered) -> None:
        """Refuse, or take it."""
        self.tried += 1
        if error := next(self.errors, None):
            self.channel.sent += [rendered] if error.may_have_arrived else []
            raise error
        await self.channel.send(rendered)


REFUSED = NotifyError("error=400", permanent=True)
DOWN = NotifyError("error=503")
SILENT = NotifyError("no answer in time", may_have_arrived=True)

Build = Callable[..., Any]
Eventually = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture
def build(
    make_post: Callable[..., Post],
    planned: Callable[..., Setup],
    make_channel: Callable[[str], Any],
) -> Build:
    """A house with these routes and escalations, and the receivers of another one."""

    async def make(
        *routes: Route,
        like: House | None = None,
        pager_errors: Sequence[NotifyError] = (),
        **escalations: tuple[Escalation, ...],
    ) -> House:
        channels = (
            like.channels
            if like
            else {each.receiver: make_channel(each.receiver) for each in routes}
        )
        if pager_errors:
            channels["pager"] = Scripted(channels["pager"], *pager_errors)
        setup = replace(
            planned(), receivers=channels, routes={each.receiver: each for each in routes},
            escalations=escalations,
        )  # fmt: skip
        house = House(make_post(), channels)
        await house.post.begin(setup)
        await house.look()
        return house

    return make


OPS, NOBODY = Route("ops", repeat_interval=HOUR), Route("pager", rules=(), repeat_interval=HOUR)
TO_PAGER = Escalation(OPS, HOUR / 2)


async def test_an_escalation(build: Build, store: Store, eventually: Eventually) -> None:
    """After half an hour, at its time, to a receiver without routes; then it hears as any other."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,))
    alert = alert_of("a")
    await house.at(0, alert)
    await house.at(0.49, alert)
    assert [] == house.heard("pager")
    house.post.clock.advance(NOW + HOUR / 2 - house.post.clock())
    await house.look()
    assert ["WARNING escalated)"] == house.heard("pager")
    body = house.channels["pager"].sent[0].body
    assert "firing since 12:00 UTC" in body
    assert "ops was last notified 12:00 UTC, 30 min ago, and nobody acknowledged it" in body
    await house.at(0.6, replace(alert, severity=Severity.CRITICAL))
    assert ["WARNING escalated)", "CRITICAL worse)"] == house.heard("pager")
    await house.at(1.6, replace(alert, severity=Severity.CRITICAL))
    await house.at(1.7)
    assert ["WARNING escalated)", "CRITICAL worse)", "CRITICAL", "RESOLVED"] == house.heard("pager")
    await eventually(lambda: not store.load("main").unsettled)


async def test_an_alert_that_ends_while_it_is_escalated(
    build: Build, store: Store, eventually: Eventually
) -> None:
    """The message is on its way when a poll ends the alert: its resolved follows."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,))
    pager, dispatch = house.channels["pager"], house.post.dispatch
    await house.at(0, alert_of("a"))
    pager.gate.clear()
    house.post.clock.advance(HOUR / 2)
    dispatch._couriers["pager"].wake()
    await eventually(lambda: pager.tried)
    house.post.poll()
    await eventually(lambda: len(house.channels["ops"].sent) == 2)
    await house.post.rest()
    pager.gate.set()
    await eventually(lambda: not store.load("main").unsettled)
    assert ["WARNING escalated)", "RESOLVED"] == house.heard("pager")


@pytest.mark.parametrize("errors", [[SILENT], [SILENT, DOWN], [SILENT, DOWN, SILENT, DOWN]])
async def test_an_escalation_that_may_have_arrived(
    build: Build, store: Store, eventually: Eventually, errors: Sequence[NotifyError]
) -> None:
    """No answer came in time, and later ones say nothing of the first: its end is sent."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,), pager_errors=errors)
    await house.at(0, alert_of("a"))
    for number in range(len(errors)):
        await house.at(0.5 + number / 10, alert_of("a"))
    store.silences.add(Silence("1", parse_matchers("rule=debt"), NOW, NOW + 2 * HOUR))
    await house.at(1)
    arrived = sum(error.may_have_arrived for error in errors)
    assert ["WARNING escalated)"] * arrived + ["[MISSED:1]"] == house.heard("pager")
    await eventually(lambda: not store.load("main").unsettled)
    assert frozenset() == store.receivers()["pager"].begun


async def test_an_escalation_that_did_not_arrive(build: Build) -> None:
    """Then its end is no news."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,), pager_errors=[DOWN])
    await house.at(0, alert_of("a"))
    await house.at(0.5, alert_of("a"))
    await house.at(1)
    assert ([], 1) == (house.heard("pager"), house.channels["pager"].tried)


async def test_an_escalation_whose_end_is_no_message(
    build: Build, store: Store, eventually: Eventually
) -> None:
    """When nobody is due anything, it is not remembered that it may have arrived."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,), pager_errors=[SILENT])
    await house.at(0, alert_of("a"))
    await house.at(0.5, alert_of("a"))
    assert store.receivers()["pager"].begun
    house.post.poll(quiet=True)
    courier = house.post.dispatch._couriers["pager"]
    await eventually(lambda: not store.load("main").unsettled and not courier.attempts.begun)
    assert ["WARNING escalated)"] == house.heard("pager")


async def test_an_alert_that_ends_while_it_is_looked_at(
    build: Build, store: Store, eventually: Eventually
) -> None:
    """What is found of it as it was is not written: its last word is."""
    house = await build(replace(OPS, rules=()), NOBODY, pager=(Escalation(OPS, HOUR),))
    agenda, alert = house.post.dispatch._couriers["pager"].agenda, alert_of("a")
    house.post.poll(alert)
    found = agenda._taken("main", NOW)
    due = found and found()
    assert [What.WAITS] == [each.what for each in due.judged.values()]
    house.post.poll()
    agenda._opened("main", NOW, due)
    assert [] == [*agenda.scribe.take()]
    await eventually(lambda: not store.load("main").unsettled)
    await house.look()
    said = [each.what for each in store.journal.of_alert(alert.episode) if each.receiver == "pager"]
    assert [What.NEVER] == said


async def test_a_kill_while_an_alert_is_escalated(
    build: Build, store: Store, eventually: Eventually
) -> None:
    """The alert is over when the next process looks: the message may have arrived, so the end is sent."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,))
    pager = house.channels["pager"]
    await house.at(0, alert_of("a"))
    pager.gate.clear()
    house.post.clock.advance(HOUR / 2)
    house.post.dispatch._couriers["pager"].wake()
    await eventually(lambda: pager.tried)
    await house.post.dispatch.stop(0)
    house.post.poll()
    pager.gate.set()
    again = await build(OPS, NOBODY, like=house, pager=(TO_PAGER,))
    assert ["[MISSED:1]"] == again.heard("pager")
    await eventually(lambda: not store.load("main").unsettled)


async def test_alerts_that_end_while_they_are_tried_one_by_one(
    build: Build, store: Store, eventually: Eventually
) -> None:
    """What is on its way is followed by its end; what is over by then is not sent."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,), pager_errors=[REFUSED] * 2)
    pager, dispatch = house.channels["pager"], house.post.dispatch
    await house.at(0, alert_of("a"), alert_of("b"))
    pager.gate.clear()
    house.post.clock.advance(HOUR / 2)
    dispatch._couriers["pager"].wake()
    await eventually(lambda: pager.tried == 3)
    house.post.poll()
    await eventually(lambda: len(house.channels["ops"].sent) == 2)
    await house.post.rest()
    pager.gate.set()
    await eventually(lambda: not store.load("main").unsettled)
    assert (["[FIRING:1]", "RESOLVED"], 4) == (house.heard("pager"), pager.tried)


async def test_an_account_that_is_removed_while_its_alerts_are_tried(
    build: Build, eventually: Eventually
) -> None:
    """Nothing more is sent about it."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,), pager_errors=[REFUSED] * 2)
    pager, dispatch = house.channels["pager"], house.post.dispatch
    await house.at(0, *map(alert_of, "abc"))
    pager.gate.clear()
    house.post.clock.advance(HOUR / 2)
    dispatch._couriers["pager"].wake()
    await eventually(lambda: pager.tried == 3)
    dispatch.forget("main")
    pager.gate.set()
    with structlog.testing.capture_logs() as logs:
        await house.look()
    assert ([], 3) == ([each for each in logs if each["log_level"] == "error"], pager.tried)


async def test_alerts_that_are_over_before_they_are_tried_one_by_one(
    build: Build, store: Store, eventually: Eventually
) -> None:
    """The receiver refused them, and accepted nothing since: it counts as failing until it does."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,), pager_errors=[REFUSED])
    pager, courier = house.channels["pager"], house.post.dispatch._couriers["pager"]
    await house.at(0, *map(alert_of, "ab"))
    house.post.clock.advance(HOUR / 2)
    again = courier._send_again

    async def when_over(account: str, lines: Any) -> bool:
        if house.post.kept["main"].state.alerts:
            house.post.poll()
        return bool(await again(account, lines))

    courier._send_again = when_over
    await house.look()
    assert ([], 1) == (pager.sent, pager.tried)
    assert (1, False) == (courier.attempts.failures, courier.health.works)
    await eventually(lambda: not store.load("main").unsettled)
    await house.at(1, alert_of("c"))
    await house.at(1.5, alert_of("c"))
    assert (["WARNING escalated)"], True) == (house.heard("pager"), courier.health.works)


async def test_an_acknowledged_alert_that_ends(build: Build, store: Store) -> None:
    """The store knows of the end before the courier does: that somebody took care of it counts still."""
    house, alert = await build(OPS, NOBODY, pager=(TO_PAGER,)), alert_of("a")
    await house.at(0, alert)
    taken = Acknowledgement(NOW, NOW + 2 * HOUR, alert.severity, 0)
    assert store.silences.acknowledge(alert.episode, taken)
    await house.at(0.4, alert)
    house.post.clock.advance(HOUR / 2)
    keep(store, "main", AccountState(), [replace(alert, state=State.RESOLVED, ends_at=NOW + HOUR)])
    await house.look()
    assert [] == house.heard("pager")


async def test_a_first_receiver_that_cannot_be_reached(build: Build) -> None:
    """It is escalated all the same, and the message says that nobody was notified."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,))
    house.channels["ops"].refuses = True
    await house.at(0, alert_of("a"))
    await house.at(0.5, alert_of("a"))
    assert "ops has not been notified" in house.channels["pager"].sent[0].body


async def test_an_acknowledgement_before(build: Build, store: Store) -> None:
    """It keeps the escalation back until it ends; what is over by then is not escalated."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,))
    kept, over = alert_of("a"), alert_of("b")
    await house.at(0, kept, over)
    for alert in (kept, over):
        assert store.silences.acknowledge(
            alert.episode, Acknowledgement(NOW, NOW + 2 * HOUR, alert.severity, 0)
        )
    await house.at(1, kept, over)
    await house.at(1.5, kept)
    assert [] == house.heard("pager")
    await house.at(2, kept)
    assert ["WARNING escalated)"] == house.heard("pager")


async def test_a_silence_before(build: Build, store: Store) -> None:
    """It keeps the escalation back until it ends."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,))
    store.silences.add(Silence("1", parse_matchers("rule=debt"), NOW, NOW + HOUR))
    await house.at(0, alert_of("a"))
    await house.at(0.9, alert_of("a"))
    assert [] == house.heard("pager")
    await house.at(1, alert_of("a"))
    assert ["WARNING escalated)"] == house.heard("pager")


async def test_a_chain_and_a_restart(build: Build) -> None:
    """Each step counts from the one before, over a restart too; nothing is told twice."""
    boss = Route("boss", rules=())
    to_boss = Escalation(NOBODY, HOUR, (TO_PAGER,))
    house = await build(OPS, NOBODY, boss, pager=(TO_PAGER,), boss=(to_boss,))
    await house.at(0, alert_of("a"))
    await house.at(1, alert_of("a"))
    await house.post.dispatch.stop(1)
    again = await build(OPS, NOBODY, boss, like=house, pager=(TO_PAGER,), boss=(to_boss,))
    assert (["WARNING escalated)"], []) == (again.heard("pager"), again.heard("boss"))
    await again.at(1.5, alert_of("a"))
    assert ["WARNING escalated)"] == again.heard("boss")
    assert "pager was last notified 13:00 UTC" in again.channels["boss"].sent[0].body


async def test_what_is_never_escalated(build: Build) -> None:
    """Events, and what is about the receiver itself."""
    house = await build(OPS, NOBODY, pager=(TO_PAGER,))
    event = alert_of("a", rule="price_changed")
    about = replace(alert_of(), fingerprint=Fingerprint(WATCHER, "delivery_failing", "pager"))
    await house.at(0, event, about)
    await house.at(2, event, about)
    assert [] == house.heard("pager")


async def test_a_night(build: Build, store: Store, eventually: Eventually) -> None:
    """What is held comes as one message: what fires, and the end of what was told."""
    house = await build(replace(OPS, active=OFFICE, repeat_interval=timedelta(0)))
    told, night = alert_of("told"), NOW + 7 * HOUR
    lasting, brief = alert_of("lasting", at=night), alert_of("brief", at=night)
    event = alert_of("event", at=night, rule="price_changed")
    await house.at(5, told)
    assert ["WARNING"] == house.heard("ops")
    await house.at(7, lasting, brief, event)
    await house.at(8, lasting)
    await house.at(19.9, lasting)
    kept = {told.episode, event.episode}
    await eventually(lambda: kept == {each.episode for each in store.load("main").unsettled})
    assert (["WARNING"], 0) == (house.heard("ops"), house.post.waiting())
    house.post.clock.advance(NOW + 20 * HOUR - house.post.clock())
    await house.look()
    (message,) = house.channels["ops"].sent[1:]
    assert message.title.startswith("[FIRING:2]")
    assert "lasting" in message.body
    assert "event" in message.body
    assert "is polled again" in message.body
    assert "could be notified" not in message.body
    await eventually(lambda: not store.load("main").unsettled)


@pytest.mark.parametrize(("at_once", "heard"), [(True, ["CRITICAL", "RESOLVED"]), (False, [])])
async def test_a_critical_alert_at_night(
    build: Build,
    at_once: bool,  # noqa: FBT001 - a column of the table
    heard: list[str],
) -> None:
    """It is told at once, and so is its end, unless the receiver wants to sleep."""
    house = await build(replace(OPS, active=OFFICE, critical_at_once=at_once))
    await house.at(7)
    await house.at(8, alert_of("a", Severity.CRITICAL, NOW + 8 * HOUR))
    await house.at(8.5)
    await house.at(22)
    assert heard == house.heard("ops")


async def test_repeats_at_night(build: Build) -> None:
    """They wait for the morning, over a restart too."""
    house = await build(replace(OPS, active=OFFICE))
    await house.at(5.5, alert_of("a"))
    await house.at(10, alert_of("a"))
    await house.post.dispatch.stop(1)
    again = await build(replace(OPS, active=OFFICE), like=house)
    await again.at(19, alert_of("a"))
    assert ["WARNING"] == again.heard("ops")
    await again.at(20, alert_of("a"))
    assert ["WARNING"] * 2 == again.heard("ops")


async def test_what_began_by_day_and_could_not_be_told(build: Build) -> None:
    """It was missed, and the morning's message says so."""
    house = await build(replace(OPS, active=OFFICE))
    house.channels["ops"].refuses = True
    await house.at(5.9, alert_of("a"))
    await house.at(7)
    house.channels["ops"].refuses = False
    await house.at(19)
    assert [] == house.heard("ops")
    await house.at(20)
    assert ["[MISSED:1]"] == house.heard("ops")
