"""A rehearsal, against the couriers of the daemon and step by step."""

# ruff: noqa: ANN401 - the fakes are in conftest.py, which is not imported

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Silence
from fluence_watch.alerting.telling import Reason
from fluence_watch.app.decide import decide
from fluence_watch.app.rehearsal.engine import Rehearsal
from fluence_watch.app.rehearsal.sent import Sent
from fluence_watch.app.wiring import Setup
from fluence_watch.model.finding import WATCHER
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.snapshot import INTERNAL_ERROR, Outcome, PollFailure, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.settings import WatchSettings
from fluence_watch.store import Store
from tests.unit.app.post import Post

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
WEB = Vm(
    "0xA1", "web", Status.ACTIVE, "ACTIVE", price=MicroUsdc(298_160), reserved=MicroUsdc(900_000),
    next_billing_at=NOW + 20 * HOUR, ports=(SSH,),
)  # fmt: skip
DB, LAB = replace(WEB, id="0xB2", name="db"), replace(WEB, id="0xC3", name="lab")
OPEN = replace(WEB, ports=(SSH, port(8080)))
DRY = replace(DB, reserved=MicroUsdc(100))
HOUSE: dict[str, Any] = {
    "poll": {"interval": "5m"},
    "receivers": [
        {"name": "ops", "repeat_interval": "40m", "group_wait": "2m", "group_interval": "7m",
         "escalate_after": "30m", "escalate_to": "pager"},
        {"name": "pager", "rules": ["vm_vanished"], "repeat_interval": "1h"},
        {"name": "day", "active": ["12:00-12:40", "13:30-15:00"], "critical_at_once": False},
    ],
    "maintenance": [
        {"name": "m", "match": ['vm="lab"'], "schedule": "20 * * * *", "duration": "15m"}
    ],
    "inhibit": [{"source": ['vm="db"'], "target": ['vm="web"']}],
}  # fmt: skip

Told = tuple[datetime, str, str, str]


def settings_of(**tables: Any) -> WatchSettings:
    """Settings without a secret."""
    usual = {"accounts": [{"name": "main"}], "receivers": [{"name": "ops"}]}
    return WatchSettings.model_validate(usual | tables)


def listed(minute: float, *vms: Vm, account: str = "main") -> Outcome:
    return build_snapshot(account, NOW + minute * MINUTE, vms)


def failed(minute: float, reason: str = "server_error") -> Outcome:
    return PollFailure("main", NOW + minute * MINUTE, reason, "503")


@dataclass
class Story:
    """A rehearsal and what was told in it."""

    settings: WatchSettings
    told: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rehearsal = Rehearsal(self.settings, self.told.append)

    def polls(self, *outcomes: Outcome) -> "Story":
        """One after the other."""
        for outcome in outcomes:
            self.rehearsal.poll(outcome)
        return self

    @property
    def lines(self) -> list[tuple[float, str, str, str]]:
        """When in minutes, to whom, of which rule, and why."""
        return [
            ((each.at - NOW) / MINUTE, each.receiver, line.alert.fingerprint.rule, line.reason)
            for each in self.told
            for line in each.lines
        ]


@pytest.fixture
def story() -> Iterator[Callable[..., Story]]:
    """A function from tables of settings to a story that begins."""
    made: list[Story] = []

    def make(**tables: Any) -> Story:
        made.append(Story(settings_of(**tables)))
        return made[-1]

    yield make
    for each in made:
        with each.rehearsal:
            pass


def lives(seed: int) -> Sequence[Outcome]:
    """Four hours of polls: VMs drift, run dry, vanish and come back, and polls fail."""
    chance = Random(seed)
    outcomes, vms = list[Outcome](), {"web": WEB, "db": DB, "lab": LAB}
    for number in range(48):
        if chance.random() < 0.25:
            change = chance.choice([OPEN, WEB, DRY, DB, replace(LAB, ports=()), LAB])
            vms[change.name or ""] = change
        if chance.random() < 0.05:
            vms.pop(chance.choice(list(vms)))
        fails = chance.random() < 0.1
        outcomes.append(failed(5 * number) if fails else listed(5 * number, *vms.values()))
    return outcomes


class Daemon:
    """The half of the daemon that decides and notifies, with receivers that accept everything."""

    def __init__(self, post: Post, setup: Setup, channels: Sequence[Any]) -> None:
        self.post, self.setup, self.channels = post, setup, channels
        self.told: list[Told] = []
        self.seen = dict.fromkeys((each.name for each in channels), 0)

    async def live(self, outcomes: Sequence[Outcome], end: datetime) -> None:
        """Poll at the times of the outcomes, and look each minute."""
        left = list(outcomes)
        while self.post.clock() <= end:
            if left and left[0].taken_at == self.post.clock():
                self._poll(left.pop(0))
            await self._look()
            self.post.clock.advance(MINUTE)

    def _poll(self, outcome: Outcome) -> None:
        policy = self.setup.policies["main"]
        decision = self.post.kept["main"].change(lambda state: decide(state, outcome, policy))
        alerts, ended = decision.after.alerts, decision.ended
        self.post.dispatch.committed("main", alerts, ended, decision.paused)

    async def _look(self) -> None:
        for courier in self.post.dispatch._couriers.values():
            courier.wake()
        await self.post.dispatch.rest()
        for channel in self.channels:
            new = channel.sent[self.seen[channel.name] :]
            self.seen[channel.name] += len(new)
            self.told += [(self.post.clock(), channel.name, each.title, each.body) for each in new]


@pytest.mark.parametrize("seed", range(3))
async def test_the_couriers_of_the_daemon_tell_the_same(
    seed: int,
    post: Post,
    planned: Callable[..., Setup],
    make_channel: Callable[[str], Any],
    store: Store,
    story: Callable[..., Story],
) -> None:
    """Each message, with its time, its receiver and its words; silences and all."""
    outcomes, end = lives(seed), NOW + 8 * HOUR
    silence = Silence("51", parse_matchers("rule=port_drift"), NOW + HOUR, NOW + 2 * HOUR)
    addresses = [{**each, "url": f"json://{each['name']}"} for each in HOUSE["receivers"]]
    channels = [make_channel(each["name"]) for each in addresses]
    setup = planned(**HOUSE | {"receivers": addresses})
    setup = replace(setup, receivers={each.name: each for each in channels})
    store.silences.add(silence)
    await post.begin(setup)
    daemon = Daemon(post, setup, channels)
    await daemon.live(outcomes, end)

    rehearsed = story(**HOUSE)
    rehearsed.rehearsal.silence(silence)
    rehearsed.polls(*outcomes).rehearsal.pass_until(end)
    told = [
        (each.at, each.receiver, words.title, words.body)
        for each in rehearsed.told
        if (words := each.rendered(fmt=channels[0].format))
    ]
    assert sorted(daemon.told) == sorted(told)
    assert len(told) > 10


def test_what_comes_due_between_polls_is_sent_when_it_does(story: Callable[..., Story]) -> None:
    """An escalation and a repetition have times of their own."""
    told = story(
        receivers=[
            {
                "name": "ops",
                "repeat_interval": "90m",
                "escalate_after": "25m",
                "escalate_to": "cto",
            },
            {"name": "cto", "rules": ["vm_vanished"]},
        ]
    ).polls(listed(0, WEB), listed(10, OPEN), listed(60, OPEN))
    assert [
        (10, "ops", "port_drift", Reason.FIRST),
        (35, "cto", "port_drift", Reason.ESCALATED),
    ] == told.lines
    told.rehearsal.pass_until(NOW + 99 * MINUTE)
    assert 2 == len(told.lines)
    told.rehearsal.pass_until(NOW + 100 * MINUTE)
    assert (100, "ops", "port_drift", Reason.REPEAT) == told.lines[-1]


def test_a_poll_counts_before_what_comes_due_with_it(story: Callable[..., Story]) -> None:
    """What is over when its escalation comes due is not escalated."""
    told = story(
        receivers=[
            {"name": "ops", "escalate_after": "20m", "escalate_to": "cto"},
            {"name": "cto", "rules": ["vm_vanished"]},
        ]
    ).polls(listed(0, WEB), listed(10, OPEN), listed(30, WEB))
    assert [(10, "ops"), (30, "ops")] == [line[:2] for line in told.lines]


def test_an_acknowledgement(story: Callable[..., Story]) -> None:
    """It stops repetitions of what fires then, and of nothing else."""
    told = story(receivers=[{"name": "ops", "repeat_interval": "1h"}])
    told.polls(listed(0, WEB, DB), listed(10, OPEN, replace(OPEN, id=DB.id, name="db")))
    taken = told.rehearsal.acknowledge(parse_matchers("vm=web"), NOW + HOUR, NOW + DAY)
    assert ["0xa1"] == [alert.fingerprint.subject for alert in taken]
    told.rehearsal.pass_until(NOW + 70 * MINUTE)
    assert [("0xb2", Reason.REPEAT)] == [
        (line.episode.fingerprint.subject, line.reason) for line in told.told[-1].lines
    ]


def test_a_silence_that_ends_soon(story: Callable[..., Story]) -> None:
    """The watcher tells of it, as in the daemon."""
    told = story()
    told.rehearsal.silence(Silence("5", parse_matchers("vm=web"), NOW, NOW + 25 * HOUR))
    closed = replace(WEB, ports=())
    told.polls(listed(0, WEB), listed(10, closed), listed(70, closed))
    assert [(70, "ops", "silence_ending", Reason.FIRST)] == told.lines
    assert WATCHER == told.told[0].account
    told.rehearsal.pass_until(NOW + 25 * HOUR)
    assert (25 * 60, "ops", "port_drift", Reason.FIRST) == told.lines[-1]


def test_internal_errors(story: Callable[..., Story]) -> None:
    """They touch nothing else, and last until a poll goes well."""
    told = story()
    told.polls(listed(0, WEB), listed(5, OPEN), failed(10, INTERNAL_ERROR), failed(30))
    assert ["port_drift", "poll_failing"] == [line[2] for line in told.lines]
    told.polls(listed(35, WEB))
    assert {Reason.RESOLVED} == {line[3] for line in told.lines[2:]}


def test_a_poll_that_changes_nothing_need_not_be_evaluated(story: Callable[..., Story]) -> None:
    """Only time passes."""
    polled, skipped = story(), story()
    drift = [listed(0, WEB), listed(5, OPEN)]
    polled.polls(*drift, *(listed(minute, OPEN) for minute in range(10, 600, 5)), listed(600, WEB))
    skipped.polls(*drift)
    for minute in range(10, 600, 5):
        skipped.rehearsal.skip("main", NOW + minute * MINUTE)
    skipped.polls(listed(600, WEB))
    assert polled.lines == skipped.lines
    assert polled.rehearsal.state("main") == skipped.rehearsal.state("main")


def test_alertmanagers_get_no_messages(story: Callable[..., Story]) -> None:
    """They hold alerts as states."""
    told = story(receivers=[{"name": "am", "alertmanager": ["http://am:9093"]}])
    assert [] == told.polls(listed(0, WEB), listed(10, OPEN)).lines


def charged(days: float, *, extra: int = 0) -> Outcome:
    """Three VMs that are charged each midnight, and `extra` ones that were created this morning."""
    first = datetime(2026, 4, 1, tzinfo=UTC)
    midnight = first + int(days) * DAY
    web = replace(
        WEB, price=MicroUsdc(2_000_000), reserved=MicroUsdc(90_000_000),
        next_billing_at=midnight + DAY, spent=MicroUsdc(2_000_000 * (1 + int(days))),
        created_at=first - DAY,
    )  # fmt: skip
    new = replace(web, spent=MicroUsdc(2_000_000), created_at=midnight)
    vms = [replace(web, id=f"0x{number}") for number in range(3)]
    vms += [replace(new, id=f"0xe{number}") for number in range(extra)]
    return build_snapshot("main", first + days * DAY, vms)


def test_budgets(story: Callable[..., Story]) -> None:
    """What is spent is read from a ledger of its own."""
    told = story(budgets=[{"name": "team", "monthly_usdc": 20, "forecast": False}])
    told.polls(*(charged(half / 2 + 0.01) for half in range(10)))
    spent = [each.message.items[0] for each in told.told if each.account == WATCHER]
    assert ["budget"] * 3 == [item.fingerprint.rule for item in spent]
    assert [60, 90, 120] == [item.facts.percent for item in spent]  # type: ignore[attr-defined] # of a budget


def test_a_day_that_costs_more(story: Callable[..., Story]) -> None:
    """It is compared with the days before, once there are enough."""
    told = story(receivers=[{"name": "ops", "rules": ["spend_anomaly"]}])
    told.polls(*(charged(quarter / 4 + 0.01) for quarter in range(40)))
    assert [] == told.lines
    told.polls(charged(10.1, extra=5), charged(10.3, extra=5))
    assert ["spend_anomaly"] == [line[2] for line in told.lines]


def test_what_another_alert_muted_speaks_when_that_is_over(story: Callable[..., Story]) -> None:
    """It was not looked at meanwhile."""
    told = story(inhibit=[{"source": ['vm="db"'], "target": ['vm="web"']}])
    told.polls(listed(0, WEB, DB), listed(5, WEB, replace(DB, ports=())))
    told.polls(listed(10, OPEN, replace(DB, ports=())), listed(20, OPEN, DB))
    assert [(5, Reason.FIRST), (20, Reason.FIRST), (20, Reason.RESOLVED)] == sorted(
        (line[0], line[3]) for line in told.lines
    )


def test_the_worst_that_a_receiver_heard_is_remembered(story: Callable[..., Story]) -> None:
    """A repetition while it is better does not make news of what was heard before."""
    told = story(
        receivers=[{"name": "ops", "repeat_interval": "1h", "rules": ["low_balance"]}],
        rules={"low_balance": {"for": "0s"}},
    )
    low, lowest = (replace(DB, reserved=MicroUsdc(each)) for each in (200_000, 100))
    told.polls(listed(0, DB), listed(5, low), listed(10, lowest), listed(20, low))
    told.polls(listed(75, lowest))
    assert [
        (5, Reason.FIRST),
        (10, Reason.WORSE),
        (70, Reason.REPEAT),
    ] == [(line[0], line[3]) for line in told.lines]
