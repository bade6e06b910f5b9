from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.attempts import (
    INITIAL_BACKOFF,
    MAX_BACKOFF,
    Attempts,
    backoff,
    mark,
    marks,
)
from fluence_watch.alerting.lifecycle import Alert, Episode

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 5), (1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (8, 300), (10_000, 300)],
)
def test_attempts_become_rarer(failures: int, seconds: int) -> None:
    """Each wait is twice the one before, up to five minutes."""
    assert timedelta(seconds=seconds) == backoff(failures, 0.5)


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_waits_are_bounded_and_grow(failures: int, jitter: float) -> None:
    """Jitter spreads a wait by a quarter, and more failures never mean a shorter one."""
    wait = backoff(failures, jitter)
    assert INITIAL_BACKOFF * 0.75 <= wait <= MAX_BACKOFF * 1.25
    assert wait <= backoff(failures + 1, jitter)


@pytest.mark.parametrize(
    ("ahead", "left"),
    [
        (timedelta(seconds=-5), timedelta(seconds=-5)),
        (timedelta(0), timedelta(0)),
        (timedelta(seconds=5), timedelta(seconds=5)),
        (1.25 * MAX_BACKOFF, 1.25 * MAX_BACKOFF),
        (1.26 * MAX_BACKOFF, timedelta(0)),
        (timedelta(hours=1), timedelta(0)),
        (timedelta(days=1), timedelta(0)),
    ],
)
def test_a_stored_time_that_no_wait_can_have_given(ahead: timedelta, left: timedelta) -> None:
    """The clock was set back: the receiver is tried now."""
    assert left == Attempts(next_at=NOW + ahead).wait_left(NOW)
    assert 1.25 * MAX_BACKOFF == backoff(100, 1.0)


def test_the_course_of_attempts() -> None:
    """A failure counts and waits; a success forgets the failures."""
    failed = Attempts(since=NOW).failed("503", NOW, 0.5)
    again = failed.failed("504", NOW, 0.5)

    assert (1, "503", INITIAL_BACKOFF) == (failed.failures, failed.error, failed.wait_left(NOW))
    assert (2, "504", 2 * INITIAL_BACKOFF) == (again.failures, again.error, again.wait_left(NOW))
    assert Attempts(since=NOW) == again.succeeded()
    assert timedelta(0) == Attempts().wait_left(NOW)


def test_what_may_repeat_a_message(firing: Alert) -> None:
    """What a crash or a time-out leaves open is remembered by episode, until its attempt ends."""
    later = Episode(firing.fingerprint, NOW + HOUR)
    begun = Attempts().begin(marks([firing.episode]))

    assert begun.repeats(marks([later, firing.episode]))
    assert not begun.repeats(marks([later]))
    assert not Attempts().repeats(marks([firing.episode]))
    assert begun.failed("late", NOW, 0.5).repeats(marks([firing.episode]))
    assert not begun.ended(marks([firing.episode])).repeats(marks([firing.episode]))
    assert (
        begun.begin(marks([later]))
        .succeeded()
        .ended(marks([later]))
        .repeats(marks([firing.episode]))
    )


def test_the_mark_of_an_episode(firing: Alert) -> None:
    """It is short, stable, and takes names that no encoding can write."""
    fingerprint = firing.fingerprint._replace(subject="\ud800")

    assert mark(firing.episode) == mark(Episode(firing.fingerprint, NOW))
    assert 16 == len(mark(Episode(fingerprint, NOW)))
    assert mark(firing.episode) != mark(Episode(fingerprint, NOW))
