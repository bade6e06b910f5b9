"""Every receiver has an answer about every alert, over a real store and couriers."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.active import ActiveTimes, parse_windows
from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.escalation import Escalation
from fluence_watch.alerting.journal import FINAL, Details, Entry, What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.muting import Maintenance, Silence
from fluence_watch.alerting.slots import Cron
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.app.why import Question, alert_why, recipients, vm_why
from fluence_watch.app.wiring import Setup
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import reasons
from tests.unit.app.post import Post

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def alert_of(rule: str = "port_drift", key: str = "", **more: Any) -> Alert:
    """An alert that fires."""
    facts, fingerprint = (
        PollFailing("server_error", "HTTP 500"),
        Fingerprint("main", rule, "a", key),
    )
    made = Alert(fingerprint, Severity.WARNING, State.FIRING, facts, NOW, NOW)
    return replace(made, **more)


ROUTES = {
    "ops": Route("ops"),
    "mute-ends": Route("mute-ends", send_resolved=False),
    "critical": Route("critical", min_severity=Severity.CRITICAL),
    "rules": Route("rules", rules=("vm_*",)),
    "accounts": Route("accounts", accounts=("dev",)),
    "match": Route("match", match=parse_matchers('vm="web"')),
    "nights": Route("nights", active=ActiveTimes(parse_windows("22:00-06:00"))),
    "slow": Route("slow", group_wait=HOUR),
    "boss": Route("boss", rules=("none",)),
}


def setup_of(planned: Callable[..., Setup], channels: Mapping[str, Any]) -> Setup:
    """These receivers, and the rest by default; `boss` hears of what nobody acknowledges in an hour."""
    made, escalation = planned(receivers=[]), Escalation(ROUTES["ops"], HOUR)
    routes = {name: ROUTES.get(name, Route(name)) for name in channels}
    return replace(made, receivers=channels, routes=routes, escalations={"boss": (escalation,)})


async def lived(post: Post, made: Setup, *polls: Sequence[Alert], step: timedelta = MINUTE) -> None:
    """Polls that find these alerts, at this distance."""
    await post.begin(made)
    for alerts in polls:
        post.poll(*alerts)
        await looked(post)
        post.clock.advance(step)


async def looked(post: Post) -> None:
    """The couriers look at what is due, and what nobody is due any more is settled."""
    for courier in post.dispatch._couriers.values():
        await courier.hurry()
    await post.rest()


async def over_at_once(post: Post, made: Setup, store: Store) -> Alert:
    """An alert that is over before any courier has looked at it."""
    await post.begin(made)
    post.poll(alert_of())
    post.poll()
    (alert,) = store.history()
    return alert


def final(store: Store) -> dict[str, tuple[str, str]]:
    """The last word of each receiver about the one alert that is over."""
    (alert,) = store.history()
    return {name: (each.what, each.reason) for name, each in reasons(store, alert.episode).items()}


async def test_each_receiver_has_a_reason(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """One alert, over after two minutes: who was notified, and why the others were not."""
    made = setup_of(planned, {name: make_channel(name) for name in ROUTES})
    await lived(post, made, [alert_of()], [alert_of()], [])
    await lived(post, made, [], step=HOUR)  # until the group of `slow` opens
    await lived(post, made, [])

    assert {
        "accounts": ("skipped", "accounts"),
        "boss": ("never", "escalate_after"),
        "critical": ("skipped", "min_severity"),
        "match": ("skipped", "match"),
        "mute-ends": ("never", "send_resolved"),
        "nights": ("never", "inactive"),
        "ops": ("sent", "resolved"),
        "rules": ("skipped", "rules"),
        "slow": ("sent", "missed"),
    } == final(store)


SILENCE = Silence(
    "5115", parse_matchers("rule=port_drift"), NOW - HOUR, NOW + HOUR, "we know", "ann"
)
MAINTENANCE = Maintenance("nightly", parse_matchers("account=main"), Cron("* * * * *"), HOUR)
SOURCE = alert_of("poll_failing", key="x")


async def test_what_mutes_is_named(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """A silence that hid an alert as long as it fired is the answer, with who made it."""
    store.silences.add(SILENCE)
    made = setup_of(planned, {"ops": make_channel("ops")})
    await lived(post, made, [alert_of()], [])

    (alert,) = store.history()
    told = alert_why(store, alert, Question(post.clock()))
    assert ["ops: not notified: silenced by 5115 “we know” by ann until it was over"] == [
        each.words for each in told.receivers
    ]
    assert [What.FIRING, What.WAITS, What.RESOLVED, What.NEVER] == [
        each.what for each in told.steps
    ]


@pytest.mark.parametrize(
    ("mutes", "beside", "expected"),
    [
        ({"maintenance": [MAINTENANCE]}, [], ("never", "maintenance")),
        ({}, [SOURCE], ("never", "inhibited")),
    ],
)
async def test_what_mutes(
    post: Post,
    store: Store,
    planned: Callable[..., Setup],
    make_channel: Callable[[str], Any],
    mutes: dict[str, Any],
    beside: list[Alert],
    expected: tuple[str, str],
) -> None:
    """What is over before maintenance or another alert is."""
    made = setup_of(planned, {"ops": make_channel("ops")})
    made = replace(made, mutes=replace(made.mutes, **mutes))
    alerts = [alert_of(), *beside]
    await lived(post, made, alerts, beside)
    assert expected == final(store)["ops"]


async def test_a_receiver_that_was_added_later(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """It has an answer of what was over before, whether or not the daemon knows it already."""
    await lived(
        post, setup_of(planned, {"ops": make_channel("ops")}), [alert_of()], [], [], step=HOUR
    )
    (alert,) = store.history()
    made = setup_of(planned, {name: make_channel(name) for name in ("critical", "late", "ops")})

    def told(receiver: str | None = None) -> dict[str, tuple[str | None, str]]:
        asked = recipients(store, made, post.clock())
        found = alert_why(store, alert, Question(post.clock(), asked, receiver))
        answers = [each.answer for each in found.receivers]
        return {each.receiver: (each.what, each.reason) for each in answers}

    expected = {
        "critical": ("skipped", "min_severity"),
        "late": ("never", "added_later"),
        "ops": ("sent", "resolved"),
    }
    assert expected == told()
    await lived(post, made, [])
    assert expected == told()
    assert {"late": ("never", "added_later")} == told("late")
    assert {"gone": (None, "removed")} == told("gone")


async def test_what_is_over_and_not_judged_yet(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """Between its end and the round of the courier, nothing is lost: the answer waits, and comes."""
    made = setup_of(planned, {"ops": make_channel("ops")})
    alert = await over_at_once(post, made, store)

    def told() -> list[str]:
        asked = recipients(store, made, post.clock())
        found = alert_why(store, alert, Question(post.clock(), asked))
        return [each.words for each in found.receivers]

    assert not store.journal.is_settled(alert.episode)
    assert ["ops: waits: it is not judged yet"] == told()
    await looked(post)
    assert store.journal.is_settled(alert.episode)
    assert ["ops: resolved 12:00:00 UTC"] == told()


async def test_what_was_settled_before_there_was_a_journal(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """No answer comes any more: it is unknown."""
    made = setup_of(planned, {"ops": make_channel("ops")})
    alert = await over_at_once(post, made, store)
    store.settle([alert.episode])
    asked = recipients(store, made, post.clock())
    (found,) = alert_why(store, alert, Question(post.clock(), asked)).receivers
    assert "ops: unknown: it was over before this was written down" == found.words


async def test_a_receiver_that_was_down(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """One refusal is written, with the attempt that was accepted, and what the receiver itself did."""
    channel = make_channel("ops")
    made = setup_of(planned, {"ops": channel})
    channel.refuses = True
    await lived(post, made, [alert_of()], [alert_of()], [alert_of()])
    channel.refuses = False
    await lived(post, made, [alert_of()], [])

    (alert,) = store.history()
    told = alert_why(store, alert, Question(post.clock()))
    said = [(each.what, each.receiver) for each in told.steps if each.receiver]
    assert 1 == said.count((What.REFUSED, "ops"))
    assert 1 == said.count((What.WORKS, "ops"))
    assert ("sent", "resolved") == final(store)["ops"]
    assert any("it fires, at attempt 4" in each.words for each in told.steps)


async def test_an_answer_is_final(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """Whatever happened: an alert that is over and settled has one final answer of each receiver."""
    made = setup_of(planned, {name: make_channel(name) for name in ROUTES})
    several = [alert_of(key=f"{n}", severity=s) for n, s in enumerate(Severity)]
    worse = [replace(each, severity=Severity.CRITICAL) for each in several]
    await lived(post, made, several, worse, [], [], step=HOUR)
    for alert in store.history():
        found = reasons(store, alert.episode)
        assert ROUTES.keys() == found.keys()
        assert all(each.what in FINAL for each in found.values())


async def test_nothing_is_written_while_nothing_changes(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """Ten polls of the same alert leave as many entries as two."""
    made = setup_of(planned, {name: make_channel(name) for name in ROUTES})
    await lived(post, made, [alert_of()], [alert_of()])
    (before,) = [store.journal.of_alert(each) for each in store.journal.ids().values()]
    await lived(post, made, *[[alert_of()]] * 8)
    (after,) = [store.journal.of_alert(each) for each in store.journal.ids().values()]
    assert [each.what for each in before] == [each.what for each in after]


async def test_a_restart_writes_nothing_again(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """Whatever each receiver was last told: what waits, what its route does not take, what is refused."""
    channels = {name: make_channel(name) for name in ROUTES}
    channels["ops"].refuses = True
    made = setup_of(planned, channels)
    await lived(post, made, [alert_of()], [alert_of()])
    (before,) = [store.journal.of_alert(each) for each in store.journal.ids().values()]
    for _ in range(3):
        again = Post(store, post.clock)
        await lived(again, made, [alert_of()], [alert_of()])
        await again.dispatch.stop(1)
    (after,) = [store.journal.of_alert(each) for each in store.journal.ids().values()]
    assert before == after
    assert {What.SKIPPED, What.WAITS, What.REFUSED} <= {each.what for each in before}


async def test_the_newest_steps_of_an_alert(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """Its page is not longer than that, however long it lasts."""
    made = setup_of(planned, {"ops": make_channel("ops")})
    await lived(post, made, [alert_of()], [])
    (alert,) = store.history()
    whole = alert_why(store, alert, Question(post.clock(), most_steps=None))
    cut = alert_why(store, alert, Question(post.clock(), most_steps=2))
    assert (4, False) == (len(whole.steps), whole.is_cut)
    assert (whole.steps[-2:], True) == (cut.steps, cut.is_cut)
    assert whole.receivers == cut.receivers


async def test_an_account_that_flaps(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """However often polls fail while an alert lasts: it is one step, and nothing of the alert is cut."""
    await lived(post, setup_of(planned, {"ops": make_channel("ops")}), [alert_of()])
    (alert,) = store.load("main").state.alerts.values()
    account = Fingerprint("main", "")
    details = Details("timeout", text="no answer")
    flaps = [
        Entry(NOW + number * MINUTE, what, account, details=details)
        for number in range(2, 402, 2)
        for what in (What.POLL_FAILED, What.POLLED)
    ]
    stored = store.load("main")
    change = Change.between(stored.state, stored.state, entries=flaps)
    store.commit("main", change, version=stored.version)

    told = alert_why(store, alert, Question(NOW + 9 * HOUR))
    assert [What.FIRING, What.SENT, What.POLLED] == [each.what for each in told.steps]
    assert (200, NOW + 2 * MINUTE, False) == (
        told.steps[-1].times,
        told.steps[-1].since,
        told.is_cut,
    )


def test_what_never_fired_of_a_vm(store: Store, planned: Callable[..., Setup]) -> None:
    """The latest, since then, oldest first."""
    about = [Fingerprint("main", "vm_status", "a", str(n)) for n in range(4)]
    dropped = [Entry(NOW + n * HOUR, What.DROPPED, e, details=Details("over")) for n, e in enumerate(about)]  # fmt: skip
    alerts = [alert_of(key=str(n), active_at=NOW + n * HOUR) for n in range(4)]
    state = AccountState(alerts={each.fingerprint: each for each in alerts})
    over = [replace(e, state=State.RESOLVED, ends_at=e.active_at) for e in alerts]
    for before, after, ended, new in ((AccountState(), state, [], dropped), (state, AccountState(), over, [])):  # fmt: skip
        change = Change.between(before, after, ended, entries=new)
        store.commit("main", change, version=store.load("main").version)
    policy = planned(receivers=[]).policies["main"]

    def told(hours: int, most: int | None) -> tuple[list[datetime], list[datetime], int]:
        since = NOW + hours * HOUR
        asked = Question(NOW + 9 * HOUR, most_alerts=most)
        found = vm_why(store, policy, AccountState(), "a", asked, since=since)
        return [e.at for e in found.unfired], [e.alert.since for e in found.alerts], found.hidden

    times = [NOW + n * HOUR for n in range(4)]
    assert (times, times[::-1], 0) == told(0, None)
    assert (times[2:], times[:1:-1], 0) == told(2, None)
    assert (times[2:], times[:1:-1], 2) == told(0, 2)


def test_the_order_of_the_alerts_of_a_vm(store: Store, planned: Callable[..., Setup]) -> None:
    """What fires before what may, worst first; what is over comes last, newest first."""
    over = [alert_of(key=f"over {n}", active_at=NOW + n * HOUR) for n in range(2)]
    made = {
        "may": replace(alert_of(key="may"), state=State.PENDING, starts_at=None),
        "info": replace(alert_of(key="info", active_at=NOW + HOUR), severity=Severity.INFO),
        "critical": replace(alert_of(key="critical"), severity=Severity.CRITICAL),
    }
    first = AccountState(alerts={each.fingerprint: each for each in over})
    after = AccountState(alerts={each.fingerprint: each for each in made.values()})
    ended = [replace(e, state=State.RESOLVED, ends_at=NOW + 3 * HOUR) for e in over]
    for change in (Change.between(AccountState(), first), Change.between(first, after, ended)):
        store.commit("main", change, version=store.load("main").version)
    asked = Question(NOW + 4 * HOUR)

    policy = planned(receivers=[]).policies["main"]
    found = vm_why(store, policy, after, "a", asked, since=NOW)

    ids = [
        mark(each.episode) for each in (made["critical"], made["info"], made["may"], *over[::-1])
    ]
    assert ids == [each.alert.id for each in found.alerts]


async def test_what_is_settled_meanwhile_is_not_judged_again(
    post: Post, store: Store, planned: Callable[..., Setup], make_channel: Callable[[str], Any]
) -> None:
    """While a thread looks for what is due, its last word is written, and it is forgotten."""
    made = setup_of(planned, {"mute-ends": make_channel("mute-ends")})
    await lived(post, made, [alert_of()])
    post.poll()
    courier = post.dispatch._couriers["mute-ends"]
    agenda, page = courier.agenda, post.dispatch._book.pages["main"]  # type: ignore[union-attr] # no cluster
    (episode,) = page.alerts
    found = agenda._taken("main", post.clock())
    assert found is not None
    due = found()
    assert {episode} == due.judged.keys()
    page.settle([episode])
    agenda._opened("main", post.clock(), due)
    assert [] == [*courier.scribe.take()]
