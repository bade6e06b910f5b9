"""Until when what is known, notes and alerts stay as they are."""

from datetime import UTC, datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import Alert, State, Timing, holds_until
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.horizon import JUST_AFTER, Horizon, earliest, next_of, shifted
from fluence_watch.model.known import Cause, KnownVm, known_holds_until
from fluence_watch.model.note import Note, NoteAction, expected_changes, notes_hold_until
from fluence_watch.model.vm import Status, Vm

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WEB = Vm("a1", "web", Status.ACTIVE, "ACTIVE")


def test_the_first_of_the_moments_to_come() -> None:
    """What is over does not count, nor what never comes."""
    assert NOW + HOUR == next_of(NOW, [NOW, NOW - HOUR, None, NOW + DAY, NOW + HOUR])
    assert next_of(NOW, [NOW]) is None
    assert earliest([None, NOW, NOW - HOUR]) == NOW - HOUR
    assert shifted(NOW, timedelta.max) is None


@pytest.mark.parametrize(
    ("entry", "until"),
    [
        (KnownVm(WEB, NOW), None),
        (KnownVm(WEB, NOW, missing_since=NOW), NOW),
        (
            KnownVm(WEB, NOW, missing_since=NOW - DAY, cause=Cause.UNKNOWN),
            NOW + 6 * DAY + JUST_AFTER,
        ),
        (KnownVm(WEB, NOW, removal_asked_at=NOW - HOUR), NOW + 23 * HOUR),
        (KnownVm(WEB, NOW, removal_asked_at=NOW + 25 * HOUR), NOW + HOUR + JUST_AFTER),
    ],
    ids=["listed", "missing", "lost", "deleted", "deleted by a clock that runs ahead"],
)
def test_until_when_what_is_known_stays(entry: KnownVm, until: Horizon) -> None:
    """A missing VM is counted by each poll; a lost one is forgotten one day."""
    assert until == known_holds_until({"a1": entry}, 7 * DAY, NOW)


@pytest.mark.parametrize("ahead", [-30 * MINUTE, 30 * MINUTE, 90 * MINUTE])
def test_until_when_the_same_changes_are_expected(ahead: timedelta) -> None:
    """To the microsecond."""
    notes = [Note(1, NOW + ahead, NoteAction.KEY_ADDED, "SHA256:x")]
    until = notes_hold_until(notes, NOW)
    assert until is not None
    assert expected_changes(notes, NOW) == expected_changes(notes, until - JUST_AFTER)
    assert expected_changes(notes, NOW) != expected_changes(notes, until)


@pytest.mark.parametrize(
    ("change", "until"),
    [
        ({"state": State.PENDING}, NOW + 4 * MINUTE),
        ({"state": State.FIRING}, None),
        ({"state": State.FIRING, "relevant_until": NOW + HOUR}, NOW + HOUR),
        ({"state": State.FIRING, "clear_since": NOW - MINUTE}, NOW + 9 * MINUTE),
    ],
    ids=["pending", "firing", "relevant", "clear"],
)
def test_until_when_an_alert_stays(change: dict[str, object], until: Horizon) -> None:
    """As its rule's settings have it."""
    key = Fingerprint("main", "low_balance", "a1")
    alert = Alert(key, Severity.CRITICAL, facts=None, active_at=NOW - MINUTE, **change)  # type: ignore[arg-type] # see above
    timings = {"low_balance": Timing(hold=5 * MINUTE, keep_firing_for=10 * MINUTE)}
    assert until == holds_until({key: alert}, timings, NOW)
