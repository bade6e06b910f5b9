"""What the referee asks to be told, by the tables of the manual."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.truth.plan import Inhibit, Plan, Receiver
from tests.e2e.truth.referee.episodes import Episode, Found, What
from tests.e2e.truth.referee.hearing import Hearing
from tests.e2e.truth.referee.lines import Silence, Taken

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OPS = Receiver("ops", repeat_interval=4 * HOUR, escalate_after=30 * MINUTE, escalate_to="boss")
BOSS = Receiver("boss", rules=())


def hearing(*receivers: Receiver, inhibits: tuple[Inhibit, ...] = ()) -> Hearing:
    plan = Plan(5 * MINUTE, {"main": "v2"}, receivers or (OPS, BOSS), (), inhibits)
    return Hearing(plan)


def fires(heard: Hearing, rule: str = "port_drift", minute: int = 0, **more: Any) -> Episode:  # noqa: ANN401 - fields of `Found`
    """An alert of the account fires since then."""
    found = Found(What("main", rule, "0x1"), **{"severity": "warning", **more})
    at = START + minute * MINUTE
    episode = Episode(found.what, found, at, at)
    episode.see(found)
    heard.add(episode)
    return episode


def due(heard: Hearing, minute: int, receiver: Receiver = OPS) -> list[str]:
    """The reasons for what must be told then."""
    return [each.reason for each in heard.due(receiver, START + minute * MINUTE) if each.sure]


def tell(heard: Hearing, episode: Episode, minute: int = 0, receiver: Receiver = OPS) -> None:
    found = episode.found
    line = {"status": "firing", "severity": found.severity, "step": found.step}
    heard.hear(receiver.name, episode, line, START + minute * MINUTE)


def ends(episode: Episode, minute: int) -> None:
    episode.ends_at = START + minute * MINUTE


def silenced(heard: Hearing, begin: int, end: int, *match: str) -> None:
    span = START + begin * MINUTE, START + end * MINUTE
    heard.silences["s"] = Silence("s", match or ("rule=port_drift",), *span)


def test_a_life() -> None:
    """First, worse, repeated, resolved: each once."""
    heard = hearing()
    episode = fires(heard)
    assert ["first"] == due(heard, 0)

    tell(heard, episode)
    assert [] == due(heard, 5)

    episode.see(replace(episode.found, severity="critical"))
    assert ["worse"] == due(heard, 5)

    tell(heard, episode, 5)
    assert ["repeat"] == due(heard, 245)

    ends(episode, 250)
    assert ["resolved"] == due(heard, 250)


def test_missed() -> None:
    """What began and ended while the receiver could not be told."""
    heard = hearing()
    episode = fires(heard)
    assert ["first"] == due(heard, 0)

    ends(episode, 10)

    assert ["missed"] == due(heard, 10)


@pytest.mark.parametrize(
    ("end", "minute", "expected"),
    [(None, 20, []), (None, 30, ["first"]), (25, 30, []), (35, 35, ["missed"])],
)
def test_silenced(end: int | None, minute: int, expected: list[str]) -> None:
    """What fires under a silence waits; what ends under it is never told."""
    heard = hearing()
    silenced(heard, 0, 30)
    episode = fires(heard)
    assert [] == due(heard, 5)
    if end is not None:
        due(heard, 30)
        ends(episode, end)

    assert expected == due(heard, minute)


def test_the_end_of_what_was_told_before_a_silence() -> None:
    """It is told."""
    heard = hearing()
    episode = fires(heard)
    tell(heard, episode)
    silenced(heard, 5, 60)
    ends(episode, 10)

    assert ["resolved"] == due(heard, 10)


@pytest.mark.parametrize(("minute", "expected"), [(29, []), (30, ["escalated"])])
def test_escalated(minute: int, expected: list[str]) -> None:
    """What has fired for so long goes to the other receiver too, whatever that takes."""
    heard = hearing()
    fires(heard)

    assert expected == due(heard, minute, BOSS)


@pytest.mark.parametrize(
    ("step", "minute", "expected"),
    [(0, 40, []), (0, 60, ["escalated"]), (1, 40, ["escalated"])],
)
def test_acknowledged(step: int, minute: int, expected: list[str]) -> None:
    """Somebody takes care of it, as bad as it was, for an hour."""
    heard = hearing()
    episode = fires(heard)
    heard.taken[episode] = Taken(START + HOUR, 1, 0)
    episode.see(replace(episode.found, step=step))

    assert expected == due(heard, minute, BOSS)


@pytest.mark.parametrize(
    ("rule", "more", "expected"),
    [
        ("vm_vanished", {"severity": "critical"}, ["first"]),
        ("poll_failing", {"severity": "critical"}, ["first"]),
        ("vm_status", {"status": "stopped"}, ["first", "first"]),
        ("vm_status", {"status": "terminated", "severity": "critical"}, ["first"]),
        ("price_changed", {}, ["first", "first"]),
    ],
)
def test_inhibited(rule: str, more: dict[str, Any], expected: list[str]) -> None:
    """What explains another alert of the VM, or of the account, mutes it."""
    heard, machine = hearing(), _machine()
    fires(heard, machine=machine)
    fires(heard, rule, machine=machine, **more)

    assert expected == due(heard, 0)


def test_inhibited_by_the_settings() -> None:
    """As long as the source fires, of the same VM."""
    rule = Inhibit(("rule=vm_status",), ("rule=port_drift",), ("vm_id",))
    heard, machine = hearing(inhibits=(rule,)), _machine()
    fires(heard, machine=machine)
    source = fires(heard, "vm_status", machine=machine, status="stopped")
    tell(heard, source)
    assert [] == due(heard, 0)

    ends(source, 5)

    assert {"first", "resolved"} == {*due(heard, 5)}


def test_outside_active_times() -> None:
    """It waits for the window, unless it is critical."""
    office = Receiver("office", active=("13:00-14:00",))
    heard = hearing(office)
    episode = fires(heard)
    assert [] == due(heard, 0, office)
    assert ["first"] == due(heard, 60, office)

    episode.see(replace(episode.found, severity="critical"))
    assert ["first"] == due(heard, 0, office)


def test_a_group() -> None:
    """It is sent when its first alert has waited long enough."""
    slow = Receiver("slow", group_wait=20 * MINUTE)
    heard = hearing(slow)
    fires(heard)
    fires(heard, "low_balance", minute=15)

    assert [] == due(heard, 15, slow)
    assert ["first", "first"] == due(heard, 20, slow)


def _machine() -> Any:  # noqa: ANN401 - only its labels count
    class Machine:
        id, name = "0x1", "web-1"

    return Machine()


DAY_SHIFT = Receiver("office", active=("08:00-13:00",))
UNTIL = Inhibit(("rule=vm_status",), ("rule=port_drift",))


@pytest.mark.parametrize(("ends_first", "lines"), [(30, True), (90, False)])
def test_what_was_kept_back_all_along(ends_first: int, *, lines: bool) -> None:
    """First by another alert and then by the hours: its end is never told. Not so after a gap."""
    heard = hearing(DAY_SHIFT, inhibits=(UNTIL,))
    source, episode = fires(heard, "vm_status"), fires(heard)
    for minute in range(0, 200, 10):
        if minute == ends_first:
            ends(source, minute)
        list(heard.due(DAY_SHIFT, START + minute * MINUTE))
    ends(episode, 200)
    told = heard.due(DAY_SHIFT, START + 21 * HOUR)
    assert lines is ("port_drift" in [each.episode.what.rule for each in told])
