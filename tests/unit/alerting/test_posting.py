from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matching import GIVE_UP_AFTER, Route
from fluence_watch.alerting.posting import (
    EVENT_LASTS,
    SETTLES_AFTER,
    Posting,
    ended_before,
    patient,
    posting,
)
from fluence_watch.alerting.telling import Heard, Notified, Recipient
from fluence_watch.model.finding import Fingerprint, Severity

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOW = datetime.fromisoformat("2025-04-16T13:00:00+00:00")
FIRED = NOW - HOUR
FIRING = Alert(
    Fingerprint("main", "port_drift", "0xab", "opened:80/tcp"),
    Severity.WARNING,
    State.FIRING,
    "80/tcp is open",
    active_at=FIRED,
    starts_at=FIRED,
)
PENDING = replace(FIRING, state=State.PENDING, starts_at=None)
RESOLVED = replace(FIRING, state=State.RESOLVED, ends_at=NOW - MINUTE)
GONE = replace(RESOLVED, quiet=True)
LONG_AGO = replace(RESOLVED, ends_at=NOW - GIVE_UP_AFTER - HOUR)
DUE_SOON = replace(FIRING, relevant_until=NOW + HOUR)
DUE_NOW = replace(FIRING, relevant_until=NOW)
EVENT = replace(FIRING, fingerprint=Fingerprint("main", "price_changed", "0xab"))
OVER_EVENT = replace(EVENT, state=State.RESOLVED, ends_at=NOW - MINUTE, quiet=True)
OLD_EVENT = replace(OVER_EVENT, ends_at=LONG_AGO.ends_at)

HEARD = Notified(NOW - MINUTE, Severity.WARNING)
HEARD_LONG_AGO = replace(HEARD, at=NOW - EVENT_LASTS)
KNOWS_END = replace(HEARD, heard=Heard.RESOLVED)
GIVEN_UP = replace(HEARD, heard=Heard.GIVEN_UP)
ALL = Route("am")
NONE = Route("am", rules=())
FAR = NOW + GIVE_UP_AFTER


@pytest.mark.parametrize(
    ("alert", "notified", "route", "expected"),
    [
        (PENDING, None, ALL, None),
        (FIRING, None, ALL, (FAR, False)),
        (FIRING, HEARD, ALL, (FAR, False)),
        (FIRING, KNOWS_END, ALL, (FAR, False)),  # the route took it no more, and takes it again
        (FIRING, GIVEN_UP, ALL, (FAR, False)),
        (FIRING, None, NONE, None),
        (FIRING, HEARD, NONE, (NOW - SETTLES_AFTER, True)),
        (FIRING, KNOWS_END, NONE, None),
        (DUE_SOON, None, ALL, (NOW + HOUR, False)),
        (DUE_NOW, HEARD, ALL, (NOW, True)),
        (DUE_NOW, KNOWS_END, ALL, None),
        (RESOLVED, HEARD, ALL, (NOW - MINUTE, True)),
        (RESOLVED, HEARD, NONE, (NOW - MINUTE, True)),
        (RESOLVED, None, ALL, (NOW - MINUTE, True)),  # a crash may have lost that it was accepted
        (RESOLVED, None, NONE, None),
        (RESOLVED, KNOWS_END, ALL, None),
        (RESOLVED, GIVEN_UP, ALL, None),
        (GONE, HEARD, ALL, (NOW - MINUTE, True)),
        (LONG_AGO, HEARD, ALL, None),
        (EVENT, None, ALL, (NOW + EVENT_LASTS, False)),
        (OVER_EVENT, None, ALL, (NOW + EVENT_LASTS, False)),
        (OVER_EVENT, HEARD, ALL, (NOW - MINUTE + EVENT_LASTS, False)),
        (OVER_EVENT, HEARD_LONG_AGO, ALL, None),
        (EVENT, HEARD_LONG_AGO, ALL, None),
        (EVENT, None, NONE, None),
        (OLD_EVENT, None, ALL, None),
    ],
)
def test_how_an_alert_is_posted(
    alert: Alert, notified: Notified | None, route: Route, expected: tuple[datetime, bool] | None
) -> None:
    """The table in the module's docstring."""
    found = posting(alert, notified, Recipient(route), NOW, {"price_changed"})

    assert expected == (found and (found.ends_at, found.over))


def test_what_ended_before_the_receiver_was_added_is_not_posted() -> None:
    """Neither a level nor an event."""
    since = Recipient(ALL, since=NOW)

    assert posting(RESOLVED, None, since, NOW) is None
    assert posting(OVER_EVENT, None, since, NOW, {"price_changed"}) is None


def test_what_is_active_outlives_any_silence_after_which_its_end_would_be_posted() -> None:
    """An end that is too old to be posted has come to pass by itself."""
    posted = posting(FIRING, None, Recipient(ALL), NOW)
    over = replace(RESOLVED, ends_at=NOW)

    assert posted
    assert posting(over, HEARD, Recipient(ALL), posted.ends_at) is not None
    assert posting(over, HEARD, Recipient(ALL), posted.ends_at + MINUTE) is None


@pytest.mark.parametrize(("hours", "expected"), [(1, 24), (48, 48)])
def test_an_end_is_never_near(hours: int, expected: int) -> None:
    """However soon news are given up, a short stop of the daemon resolves nothing."""
    recipient = patient(Recipient(Route("am", give_up_after=hours * HOUR)))
    posted = posting(FIRING, None, recipient, NOW)

    assert posted
    assert expected * HOUR == posted.ends_at - NOW


def test_a_clock_that_was_set_back_keeps_no_event_for_ever() -> None:
    """Accepted in the future counts as now."""
    ahead = replace(HEARD, at=NOW + 9 * HOUR)
    found = posting(EVENT, ahead, Recipient(ALL), NOW, {"price_changed"})

    assert found
    assert NOW + EVENT_LASTS == found.ends_at


@pytest.mark.parametrize(
    ("wanted", "notified", "expected"),
    [
        (Posting(FIRING, FAR), None, True),
        (Posting(FIRING, FAR), HEARD, False),
        (Posting(FIRING, FAR), KNOWS_END, True),
        (Posting(replace(FIRING, severity=Severity.CRITICAL), FAR), HEARD, True),
        (Posting(replace(FIRING, step=1), FAR), HEARD, True),
        (Posting(RESOLVED, NOW, over=True), HEARD, True),
        (Posting(RESOLVED, NOW, over=True), KNOWS_END, False),
    ],
)
def test_what_is_news(wanted: Posting, notified: Notified | None, expected: bool) -> None:  # noqa: FBT001 - a table
    """More than was accepted before: it is counted, and remembered."""
    assert expected is wanted.is_news(notified)


def test_what_is_remembered() -> None:
    """The time of the first acceptance stays: an event lasts from then on."""
    wanted = Posting(replace(FIRING, severity=Severity.CRITICAL, step=2), FAR)

    assert Notified(HEARD.at, Severity.CRITICAL, 2) == wanted.notified(HEARD, NOW)
    assert Notified(NOW, Severity.CRITICAL, 2) == wanted.notified(KNOWS_END, NOW)
    assert Notified(NOW, Severity.CRITICAL, 2, Heard.RESOLVED) == wanted.resolved(NOW)


def test_an_end_settles_when_no_clock_can_take_it_for_the_future() -> None:
    """A member whose clock is behind keeps what it has; so the end is posted for a while."""
    over = Posting(RESOLVED, NOW, over=True)

    assert [False, True] == [over.settles(NOW + SETTLES_AFTER - MINUTE), over.settles(NOW + HOUR)]
    assert not Posting(FIRING, NOW).settles(NOW + HOUR)
    assert [FIRED, NOW - SETTLES_AFTER] == [ended_before(FIRED, FIRED), ended_before(FIRED, NOW)]
