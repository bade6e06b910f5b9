"""A record, lived through by given settings, and what other settings would have told otherwise."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from fluence_watch.app.rehearsal.differing import Kind, differences, repeats
from fluence_watch.app.rehearsal.engine import Rehearsal
from fluence_watch.app.rehearsal.replay import Replayed, Wanted, replay
from fluence_watch.app.rehearsal.sent import Sent
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.note import Note, NoteAction
from fluence_watch.model.ports import SSH, port
from fluence_watch.model.snapshot import Outcome, PollFailure, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.record.files import Bounds, files_in
from fluence_watch.record.wire import Seen
from fluence_watch.record.writing import Writer
from fluence_watch.settings import WatchSettings
from tests.unit.app.rehearsal.lives import MINUTE, NOW, PRICE, lives

WEB = Vm(
    "a1", "web", Status.ACTIVE, "ACTIVE", PRICE, MicroUsdc(9 * PRICE), MicroUsdc(0),
    next_billing_at=NOW + 90 * MINUTE, ports=(SSH,),
)  # fmt: skip
OPEN = replace(WEB, ports=(SSH, port(8080)))


def settings_of(**tables: Any) -> WatchSettings:  # noqa: ANN401 - whatever settings hold
    """Settings without a secret."""
    usual = {"accounts": [{"name": "main"}], "receivers": [{"name": "ops"}]}
    return WatchSettings.model_validate(usual | tables)


def recorded(folder: Path, *outcomes: Outcome) -> Path:
    """A record of these polls."""
    writer = Writer(folder, Bounds(timedelta(days=90), 2**30))
    for outcome in outcomes:
        writer.write(Seen(outcome))
    return folder


def listed(minute: int, *vms: Vm, account: str = "main") -> Outcome:
    return build_snapshot(account, NOW + minute * MINUTE, vms)


def lines(found: Replayed) -> list[tuple[int, str, str, str]]:
    """When in minutes, to whom, of which rule, and why."""
    return [
        ((each.at - NOW) // MINUTE, each.receiver, line.alert.fingerprint.rule, line.reason)
        for each in found.messages
        for line in each.lines
    ]


def day() -> list[Outcome]:
    """Two hours, a poll a minute: a port is open for a while, then a charge is due and a poll fails."""
    polls = [listed(minute, OPEN if 10 <= minute < 20 else WEB) for minute in range(80)]
    polls[50] = PollFailure("main", NOW + 50 * MINUTE, "unreachable", "timeout")
    return polls


def test_a_record_is_lived_through(tmp_path: Path) -> None:
    """What would have been told, when and to whom; most polls are not evaluated for that."""
    found = replay(settings_of(), recorded(tmp_path, *day()))
    assert [
        (10, "ops", "port_drift", "first"),
        (20, "ops", "port_drift", "resolved"),
        (30, "ops", "billing_due", "first"),
    ] == lines(found)
    assert (80, NOW, NOW + 79 * MINUTE) == (found.polls, found.first_at, found.last_at)
    assert found.evaluated < 20


@pytest.mark.parametrize(
    ("wanted", "minutes"),
    [
        (Wanted(since=NOW + 20 * MINUTE), [20, 30]),
        (Wanted(until=NOW + 20 * MINUTE), [10]),
        (Wanted(receiver="ops"), [10, 20, 30]),
        (Wanted(receiver="other"), []),
        (Wanted(account="other"), []),
    ],
)
def test_a_part_of_it(tmp_path: Path, wanted: Wanted, minutes: list[int]) -> None:
    """Polls before are lived through too: a port that opened then is as it was."""
    found = replay(settings_of(), recorded(tmp_path, *day()), wanted)
    assert minutes == [line[0] for line in lines(found)]


def spending(account: str, hour: int) -> Outcome:
    """A VM that is charged 1 USDC each midnight."""
    at, day = NOW + timedelta(hours=hour), hour // 24
    vm = replace(
        WEB, id=account, price=MicroUsdc(10**6), reserved=MicroUsdc(9 * 10**6),
        spent=MicroUsdc(day * 10**6), next_billing_at=NOW + timedelta(days=day + 1),
        created_at=NOW - timedelta(days=day),
    )  # fmt: skip
    return build_snapshot(account, at, [vm])


def test_a_budget_is_of_all_accounts_whichever_is_wanted(tmp_path: Path) -> None:
    """Its messages come at the same times, with the same sums: others spend of it too."""
    polls = [spending(each, hour) for hour in range(0, 96, 6) for each in ("main", "dev")]
    of_both = settings_of(
        accounts=[{"name": "main"}, {"name": "dev"}],
        receivers=[{"name": "ops", "rules": ["budget"]}],
        budgets=[{"name": "all", "monthly_usdc": 6, "forecast": False}],
    )
    folder = recorded(tmp_path, *polls)
    of_all, of_one = (replay(of_both, folder, Wanted(account=each)) for each in (None, "main"))
    assert of_all.messages == of_one.messages
    assert [50, 83, 100] == [each.message.items[0].facts.percent for each in of_one.messages]  # type: ignore[attr-defined] # of a budget


def test_what_is_not_replayed_is_said(tmp_path: Path) -> None:
    """An account without settings, and files that cannot be read."""
    folder = recorded(tmp_path, listed(0, WEB), listed(1, WEB, account="other"))
    next(file for file in files_in(folder) if "main" in str(file.path)).path.write_bytes(b"?")
    found = replay(settings_of(), folder)
    assert ({"other"}, 0, 1) == (found.unwatched, found.polls, len(found.flaws))


def test_what_users_did_counts(tmp_path: Path) -> None:
    """Ports that were accepted are no drift any more."""
    writer = Writer(tmp_path, Bounds(timedelta(days=90), 2**30))
    note = Note(1, NOW + 2 * MINUTE, NoteAction.ACCEPTED, "a1", OPEN.ports or ())
    for minute, vm, notes in ((0, WEB, ()), (1, OPEN, ()), (2, OPEN, (note,)), (3, OPEN, ())):
        writer.write(Seen(listed(minute, vm), notes))
    assert [(1, "first"), (2, "resolved")] == [
        (each[0], each[3]) for each in lines(replay(settings_of(), tmp_path))
    ]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(outcomes=lives)
def test_a_record_tells_what_its_polls_told(tmp_path_factory: Any, outcomes: list[Outcome]) -> None:  # noqa: ANN401 - of pytest
    """As if each poll were evaluated as it came."""
    told: list[Sent] = []
    made = settings_of(receivers=[{"name": "ops", "repeat_interval": "40m"}])
    with Rehearsal(made, told.append) as rehearsal:
        for outcome in outcomes:
            rehearsal.poll(outcome)
    found = replay(made, recorded(tmp_path_factory.mktemp("record"), *outcomes))
    assert lines(Replayed(told)) == lines(found)


OPS = {"name": "ops"}
CTO = {"name": "cto", "rules": ["port_drift"]}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({}, {}, []),
        ({}, {"rules": {"port_drift": {"enabled": False}}}, [(10, Kind.GONE), (20, Kind.GONE)]),
        ({"rules": {"port_drift": {"enabled": False}}}, {}, [(10, Kind.ADDED), (20, Kind.ADDED)]),
        ({}, {"rules": {"port_drift": {"for": "5m"}}}, [(15, Kind.MOVED)]),
        ({}, {"rules": {"billing_due": {"severity": "warning"}}}, [(30, Kind.SEVERITY)]),
        (
            {"receivers": [OPS, {"name": "cto", "rules": ["debt"]}]},
            {"receivers": [{**OPS, "rules": ["billing_due"]}, {"name": "cto", "rules": ["port_drift"]}]},
            [(10, Kind.GONE), (10, Kind.ADDED), (20, Kind.GONE), (20, Kind.ADDED)],
        ),
        (
            {"receivers": [{**OPS, "rules": ["port_drift"]}]},
            {"receivers": [{"name": "cto", "rules": ["port_drift"]}]},
            [(10, Kind.REROUTED), (20, Kind.REROUTED)],
        ),
        (
            {"receivers": [{**OPS, "repeat_interval": "4m"}]},
            {
                "receivers": [{**OPS, "repeat_interval": "4m"}, CTO],
                "rules": {"port_drift": {"for": "2m"}},
            },
            [(12, Kind.MOVED), (12, Kind.ADDED), (16, Kind.MOVED), (18, Kind.GONE), (20, Kind.ADDED)],
        ),
    ],
    ids=["nothing", "off", "on", "later", "worse", "to another", "renamed", "repeated"],
)  # fmt: skip
def test_what_differs_between_two_settings(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], changes: list[tuple[int, Kind]]
) -> None:
    """Of each alert that is told: added, gone, at another time, or to a receiver that only one of them has."""
    folder = recorded(tmp_path, *day())
    both = [settings_of(**each) for each in (old, new)]
    before, after = (replay(each, folder).messages for each in both)
    one, other = ({receiver.name for receiver in each.receivers} for each in both)
    found = differences(before, after, one & other)
    assert changes == [((each.at - NOW) // MINUTE, each.kind) for each in found]


def test_how_often_both_repeat(tmp_path: Path) -> None:
    """One fold for each alert and receiver; equally often is no difference, whenever it is."""
    folder = recorded(tmp_path, *day())
    of = {
        name: replay(
            settings_of(receivers=[{**CTO, "repeat_interval": every}], rules={"port_drift": {"for": hold}}),
            folder,
        ).messages
        for name, every, hold in [("old", "4m", "0s"), ("later", "4m", "30s"), ("rare", "7m", "0s")]
    }  # fmt: skip
    (fold,) = repeats(of["old"], of["rare"])

    assert (2, 1, "cto", 14) == (
        fold.old,
        fold.new,
        fold.sent.receiver,
        (fold.sent.at - NOW) // MINUTE,
    )
    assert [] == repeats(of["old"], of["later"])


def test_two_ends_of_an_alert_are_not_mixed_up(tmp_path: Path) -> None:
    """What moved is compared with the notification of the same time that the alert held."""
    short, long = range(10, 12), range(40, 50)
    folder = recorded(
        tmp_path, *(listed(minute, OPEN if minute in {*short, *long} else WEB) for minute in range(60))
    )  # fmt: skip
    before, after = (
        replay(settings_of(rules={"port_drift": {"for": hold}}), folder).messages
        for hold in ("0s", "5m")
    )
    assert [(10, Kind.GONE), (12, Kind.GONE), (45, Kind.MOVED)] == [
        ((each.at - NOW) // MINUTE, each.kind)
        for each in differences(before, after)
        if each.sent.line.alert.fingerprint.rule == "port_drift"
    ]
