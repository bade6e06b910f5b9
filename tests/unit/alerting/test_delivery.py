from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.delivery import (
    INITIAL_BACKOFF,
    MAX_BACKOFF,
    Fate,
    Queued,
    backoff,
    fate,
    superseded,
    wait_left,
)
from fluence_watch.alerting.grouping import Count, Item, Message
from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.model.finding import Fingerprint

NOW = datetime(2025, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def item_of(alert: Alert, *, firing: bool, relevant_until: datetime | None = None) -> Item:
    return Item(
        alert.fingerprint, alert.severity, firing, alert.facts, NOW, relevant_until=relevant_until
    )


def message_of(*items: Item, hours_ago: float = 0) -> Message:
    return Message("ops", "main", NOW - hours_ago * HOUR, items, ())


@pytest.mark.parametrize(
    ("attempts", "seconds"),
    [(0, 5), (1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (8, 300), (10_000, 300)],
)
def test_tries_become_rarer(attempts: int, seconds: int) -> None:
    """Each wait is twice the one before, up to five minutes."""
    assert timedelta(seconds=seconds) == backoff(attempts, 0.5)


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_waits_are_bounded_and_grow(attempts: int, jitter: float) -> None:
    """Jitter spreads a wait by a quarter, and more failures never mean a shorter one."""
    wait = backoff(attempts, jitter)
    assert INITIAL_BACKOFF * 0.75 <= wait <= MAX_BACKOFF * 1.25
    assert wait <= backoff(attempts + 1, jitter)


@pytest.mark.parametrize(
    ("hours_ago", "notified_as", "now_firing", "expected"),
    [
        (0, "firing", True, Fate.SEND),
        (0, "firing", False, Fate.SEND),
        (0, "resolved", False, Fate.SEND),
        (1, "firing", False, Fate.SEND),
        (1.01, "firing", True, Fate.SEND),
        (1.01, "firing", False, Fate.SUMMARIZE),
        (1.01, "resolved", False, Fate.SUMMARIZE),
        (1.01, "resolved", True, Fate.SUMMARIZE),
        (-1, "resolved", False, Fate.SEND),
    ],
)
def test_what_becomes_of_a_late_message(
    firing: Alert,
    hours_ago: float,
    notified_as: str,
    now_firing: bool,  # noqa: FBT001 - a column of the table
    expected: Fate,
) -> None:
    """A fresh one is sent; a stale one only if what it says fires still does."""
    message = message_of(item_of(firing, firing=notified_as == "firing"), hours_ago=hours_ago)
    alerts = {firing.fingerprint: NOW} if now_firing else {}
    assert expected is fate(message, alerts, HOUR, NOW)


@pytest.mark.parametrize(
    ("minutes", "expected"), [(1, Fate.SEND), (0, Fate.SUMMARIZE), (-1, Fate.SUMMARIZE)]
)
def test_news_with_an_end(firing: Alert, minutes: int, expected: Fate) -> None:
    """After its moment it is no news, be it ever so fresh and firing."""
    until = NOW + timedelta(minutes=minutes)
    message = message_of(item_of(firing, firing=True, relevant_until=until))
    assert expected is fate(message, {firing.fingerprint: NOW}, HOUR, NOW)


def test_one_item_that_matters_is_enough(firing: Alert) -> None:
    """A message is sent whole as long as anything in it is news."""
    over = item_of(firing, firing=True, relevant_until=NOW - HOUR)
    resolved = item_of(firing, firing=False)
    assert Fate.SEND is fate(message_of(over, resolved), {}, HOUR, NOW)
    assert Fate.SUMMARIZE is fate(message_of(over, resolved, hours_ago=2), {}, HOUR, NOW)


def test_a_later_episode_is_another_alert(firing: Alert) -> None:
    """What fires again does not make the stale message of the time before news."""
    message = message_of(item_of(firing, firing=True), hours_ago=2)
    assert Fate.SUMMARIZE is fate(message, {firing.fingerprint: NOW + HOUR}, HOUR, NOW)


@pytest.mark.parametrize(
    ("account", "hours_ago", "expected"),
    [("main", 3, Fate.SEND), ("x", 3, Fate.SUMMARIZE), ("main", 1, Fate.SUMMARIZE)],
)
def test_what_a_long_message_only_counts_may_matter(
    firing: Alert, account: str, hours_ago: int, expected: Fate
) -> None:
    """Of 500 findings 20 are shown; when those are over, the others of then may still fire."""
    shown = item_of(firing, firing=True)
    counts = (Count(shown.fingerprint.rule, shown.severity, firing=True, number=500),)
    message = replace(message_of(shown, hours_ago=2), counts=counts)
    hidden = firing.fingerprint._replace(account=account, subject="0xother")
    assert expected is fate(message, {hidden: NOW - hours_ago * HOUR}, HOUR, NOW)


def queue_of(*messages: Message) -> list[Queued]:
    return [Queued(number, message) for number, message in enumerate(messages, 1)]


def test_repeats_that_are_said_again(firing: Alert) -> None:
    """Of a pile of repeats, only the last one stays, and the first notification."""
    first = item_of(firing, firing=True)
    repeat = replace(first, repeated=True)
    queue = queue_of(*map(message_of, (first, repeat, repeat, repeat)))
    assert [2, 3] == [queued.id for queued in superseded(queue)]


@pytest.mark.parametrize(
    "changes",
    [
        {"active_at": NOW + HOUR},
        {"firing": False},
        {"fingerprint": Fingerprint("main", "port_drift", "0xother")},
    ],
)
def test_repeats_that_are_not_said_again(firing: Alert, changes: dict[str, Any]) -> None:
    """A later episode, an end or another alert does not say what a repeat said."""
    repeat = replace(item_of(firing, firing=True), repeated=True)
    queue = queue_of(message_of(repeat), message_of(replace(repeat, **changes)))
    assert [] == superseded(queue)


def test_a_repeat_with_anything_else_is_kept(firing: Alert) -> None:
    """Every item must be a repeat that is said again, shown or only counted."""
    repeat = replace(item_of(firing, firing=True), repeated=True)
    news = replace(repeat, repeated=False)
    counts = (Count(repeat.fingerprint.rule, repeat.severity, firing=True, number=2),)
    long = replace(message_of(repeat), counts=counts)
    assert [] == superseded(queue_of(message_of(repeat, news), long, message_of(repeat)))


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
    """The clock was set back: the message is tried now."""
    assert left == wait_left(NOW + ahead, NOW)
    assert 1.25 * MAX_BACKOFF == backoff(100, 1.0)
