from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluence_watch.alerting.delivery import FIRST_WAIT, LONGEST_WAIT, Fate, fate, wait_after
from fluence_watch.alerting.grouping import Count, Item, Message
from fluence_watch.alerting.lifecycle import Alert

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
    assert timedelta(seconds=seconds) == wait_after(attempts, 0.5)


@given(st.integers(1, 1_000), st.floats(0, 1))
def test_waits_are_bounded_and_grow(attempts: int, jitter: float) -> None:
    """Jitter spreads a wait by a quarter, and more failures never mean a shorter one."""
    wait = wait_after(attempts, jitter)
    assert FIRST_WAIT * 0.75 <= wait <= LONGEST_WAIT * 1.25
    assert wait <= wait_after(attempts + 1, jitter)


@pytest.mark.parametrize(
    ("hours_ago", "told_as", "now_firing", "expected"),
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
    told_as: str,
    now_firing: bool,  # noqa: FBT001 - a column of the table
    expected: Fate,
) -> None:
    """A fresh one is sent; a stale one only if what it says fires still does."""
    message = message_of(item_of(firing, firing=told_as == "firing"), hours_ago=hours_ago)
    alerts = {firing.fingerprint} if now_firing else set()
    assert expected is fate(message, alerts, HOUR, NOW)


@pytest.mark.parametrize(
    ("minutes", "expected"), [(1, Fate.SEND), (0, Fate.SUMMARIZE), (-1, Fate.SUMMARIZE)]
)
def test_news_with_an_end(firing: Alert, minutes: int, expected: Fate) -> None:
    """After its moment it is no news, be it ever so fresh and firing."""
    until = NOW + timedelta(minutes=minutes)
    message = message_of(item_of(firing, firing=True, relevant_until=until))
    assert expected is fate(message, {firing.fingerprint}, HOUR, NOW)


def test_one_item_that_matters_is_enough(firing: Alert) -> None:
    """A message is sent whole as long as anything in it is news."""
    over = item_of(firing, firing=True, relevant_until=NOW - HOUR)
    resolved = item_of(firing, firing=False)
    assert Fate.SEND is fate(message_of(over, resolved), (), HOUR, NOW)
    assert Fate.SUMMARIZE is fate(message_of(over, resolved, hours_ago=2), (), HOUR, NOW)


@pytest.mark.parametrize(("account", "expected"), [("main", Fate.SEND), ("x", Fate.SUMMARIZE)])
def test_what_a_long_message_only_counts_may_matter(
    firing: Alert, account: str, expected: Fate
) -> None:
    """Of 500 findings 20 are shown; when those are over, the others may still fire."""
    shown = item_of(firing, firing=True)
    counts = (Count(shown.fingerprint.rule, shown.severity, firing=True, number=500),)
    message = replace(message_of(shown, hours_ago=2), counts=counts)
    hidden = firing.fingerprint._replace(account=account, subject="0xother")
    assert expected is fate(message, {hidden}, HOUR, NOW)
