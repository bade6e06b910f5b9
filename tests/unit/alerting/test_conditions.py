"""What a poll writes of its account, and of its alerts: begin, change and end, once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.conditions import (
    Conditions,
    conditions_after,
    conditions_in,
    entries_of,
)
from fluence_watch.alerting.episodes import entries_of_alerts
from fluence_watch.alerting.journal import What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.model.finding import Fingerprint, Severity, Verdict
from fluence_watch.model.known import KnownVm
from fluence_watch.model.presence import Doubt, Presence
from fluence_watch.model.snapshot import Outcome, PollFailure, Rejected, build_snapshot
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.poll_failing import PollFailing

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GOOD: Outcome = build_snapshot("main", NOW, (), (), "v2")
SHORT: Outcome = build_snapshot("main", NOW, (), (), "v2", incomplete_because="page 2 is missing")
BAD: Outcome = build_snapshot("main", NOW, (), (Rejected("[0]", "bad", "a"),), "v2")
SOME: Outcome = build_snapshot(
    "main", NOW, (Vm("b", "b", Status.ACTIVE, "ACTIVE"),), (Rejected("[0]", "bad", "a"),), "v2"
)
DOWN, REFUSED = (PollFailure("main", NOW, reason, "why") for reason in ("timeout", "unauthorized"))
VM = Vm("a", "a", Status.ACTIVE, "ACTIVE")
DOUBTED = Presence(doubts=(Doubt(NOW, NOW + MINUTE, 3, {"a": KnownVm(VM, NOW)}),))
MUTED = Verdict(muted={("low_balance", "a"): Fingerprint("main", "topup_failed", "a", "x")})

Poll = tuple[Outcome, Presence, Verdict]


def written(*polls: Poll) -> list[list[str]]:
    """What each poll writes; what lasts can be read back from it at any time."""
    state, found, entries = Conditions(), [], []
    for outcome, presence, verdict in polls:
        after = conditions_after(state, outcome, presence, verdict)
        new = entries_of("main", state, after, outcome, presence)
        entries += new
        assert after == conditions_in(entries)
        state = after
        found.append([each.what.value for each in new])
    return found


@pytest.mark.parametrize(
    ("polls", "expected"),
    [
        ([GOOD, GOOD], [[], []]),
        ([DOWN, DOWN, GOOD, GOOD], [["poll_failed"], [], ["polled"], []]),
        ([DOWN, REFUSED, GOOD], [["poll_failed"], ["poll_failed"], ["polled"]]),
        ([BAD, BAD, GOOD], [["unreadable"], [], ["readable"]]),
        ([BAD, SOME, DOWN, GOOD], [["unreadable"], ["unreadable", "readable"], ["poll_failed"], ["polled", "readable"]]),
        ([SHORT, SHORT, DOWN, GOOD], [["incomplete"], [], ["poll_failed"], ["polled", "complete"]]),
    ],
)  # fmt: skip
def test_polls(polls: list[Outcome], expected: list[list[str]]) -> None:
    """A poll that is like the one before writes nothing."""
    assert expected == written(*((each, Presence(), Verdict()) for each in polls))


def test_the_guard() -> None:
    """It begins and ends once. A poll that fails says nothing of it."""
    polls = [
        (GOOD, DOUBTED, Verdict()),
        (DOWN, Presence(), Verdict()),
        (GOOD, Presence(), Verdict()),
    ]
    assert [["guarded"], ["poll_failed"], ["polled", "unguarded"]] == written(*polls)


def test_findings_that_another_one_mutes() -> None:
    """The same."""
    polls = [(GOOD, Presence(), MUTED), (GOOD, Presence(), MUTED), (GOOD, Presence(), Verdict())]
    assert [["muted"], [], ["unmuted"]] == written(*polls)


FIRING = Alert(
    Fingerprint("main", "port_drift", "a"), Severity.WARNING, State.FIRING,
    PollFailing("x", "y"), active_at=NOW - MINUTE, starts_at=NOW,
)  # fmt: skip
PENDING = replace(FIRING, state=State.PENDING, starts_at=None)
ENDED = replace(FIRING, state=State.RESOLVED, ends_at=NOW)
JUDGED = Verdict(judged=frozenset({"port_drift"}))
GONE = Verdict(gone=frozenset({("port_drift", "a")}))
OFF = Verdict(disabled=frozenset({"port_drift"}))


@pytest.mark.parametrize(
    ("before", "after", "ended", "verdict", "expected"),
    [
        (None, FIRING, None, JUDGED, [("firing", "")]),
        (None, PENDING, None, JUDGED, []),
        (PENDING, FIRING, None, JUDGED, [("firing", "")]),
        (PENDING, None, None, JUDGED, [("dropped", "over")]),
        (PENDING, None, None, GONE, [("dropped", "gone")]),
        (PENDING, replace(PENDING, active_at=NOW), None, JUDGED, [("dropped", "started_over")]),
        (FIRING, FIRING, None, JUDGED, []),
        (FIRING, replace(FIRING, facts=PollFailing("x", "z")), None, JUDGED, []),
        (FIRING, replace(FIRING, severity=Severity.CRITICAL), None, JUDGED, [("changed", "")]),
        (FIRING, replace(FIRING, step=1), None, JUDGED, [("changed", "")]),
        (FIRING, None, ENDED, JUDGED, [("resolved", "over")]),
        (FIRING, None, ENDED, GONE, [("gone", "gone")]),
        (FIRING, None, ENDED, OFF, [("gone", "disabled")]),
    ],
)  # fmt: skip
def test_alerts(
    before: Alert | None,
    after: Alert | None,
    ended: Alert | None,
    verdict: Verdict,
    expected: list[tuple[What, str]],
) -> None:
    """What a poll writes of an alert."""
    found = entries_of_alerts(
        {before.fingerprint: before} if before else {},
        {after.fingerprint: after} if after else {},
        [ended] if ended else [],
        verdict,
        NOW,
        settings=lambda rule: {"of": rule},
    )
    entries = [*found]
    assert expected == [(each.what, each.details.reason) for each in entries]
    for each in entries:
        seen = each.what in {What.FIRING, What.DROPPED}
        assert ({"of": "port_drift"} if seen else {}) == each.details.settings
