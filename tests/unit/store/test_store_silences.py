"""Silences and acknowledgements are kept as long as they matter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from fluence_watch.alerting.journal import What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Acknowledgement, Silence
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep, tables

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAILS = Alert(
    Fingerprint("main", "poll_failing"), Severity.CRITICAL, State.FIRING,
    PollFailing("unreachable", "no answer"), NOW, NOW,
)  # fmt: skip


def silence(hours: float) -> Silence:
    return Silence(f"{hours}", parse_matchers("rule=x"), NOW, NOW + hours * HOUR)


def test_prune_removes_silences_that_ended_before(store: Store) -> None:
    """Those in force, and those that ended at the limit, stay."""
    for hours in (1, 2, 3):
        store.silences.add(silence(hours))
    assert 1 == store.silences.prune(NOW + 2 * HOUR)
    assert [silence(2), silence(3)] == store.silences.all()


def test_an_acknowledgement_ends_when_the_alert_gets_worse(store: Store) -> None:
    """For good: it does not hold again when the alert gets milder."""
    keep(store, "main", AccountState(alerts={FAILS.fingerprint: FAILS}))
    taken = Acknowledgement(NOW, NOW + HOUR, FAILS.severity, FAILS.step)
    assert store.silences.acknowledge(FAILS.episode, taken)
    worse = replace(FAILS, step=FAILS.step + 1)
    keep(store, "main", AccountState({}, {FAILS.fingerprint: worse}, last_poll_at=NOW + HOUR / 4))
    assert NOW + HOUR / 4 == store.silences.acknowledged()[FAILS.episode].until
    assert What.UNACKNOWLEDGED is store.journal.of_alert(FAILS.episode)[-1].what


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"step": 1}, False),
        ({"severity": Severity.CRITICAL}, False),
        ({"severity": Severity.INFO}, True),
        ({"severity": Severity.CRITICAL, "step": -1}, False),
    ],
)
def test_an_acknowledgement_of_what_got_worse_meanwhile(
    store: Store, changes: dict[str, Any], *, taken: bool
) -> None:
    """Who wants it read the alert before a poll changed it: it is stored if that is no worse."""
    read = replace(FAILS, severity=Severity.WARNING)
    found = replace(read, **changes)
    keep(store, "main", AccountState(alerts={found.fingerprint: found}, last_poll_at=NOW))
    wanted = Acknowledgement(NOW, NOW + HOUR, read.severity, read.step)
    assert taken is store.silences.acknowledge(read.episode, wanted)
    assert taken is (read.episode in store.silences.acknowledged())
    assert taken is bool(store.journal.of_alert(read.episode))


def test_an_acknowledgement_goes_with_its_alert(store: Store, url: str) -> None:
    """When the alert is settled it says nothing any more; when it is pruned, it is gone."""
    keep(store, "main", AccountState(alerts={FAILS.fingerprint: FAILS}))
    assert store.silences.acknowledge(
        FAILS.episode, Acknowledgement(NOW, NOW + HOUR, FAILS.severity, FAILS.step)
    )
    assert store.silences.withdraw(FAILS.episode, NOW + HOUR / 2)
    assert not store.silences.withdraw(FAILS.episode, NOW + HOUR / 2)
    written = [each.what for each in store.journal.of_alert(FAILS.episode)]
    assert [What.ACKNOWLEDGED, What.UNACKNOWLEDGED] == written
    ended = replace(FAILS, state=State.RESOLVED, ends_at=NOW + HOUR)
    keep(store, "main", AccountState(), [ended])
    assert {FAILS.episode} == store.silences.acknowledged().keys()
    store.settle([FAILS.episode])
    assert {} == store.silences.acknowledged()
    assert 1 == store.prune(NOW + 2 * HOUR)
    with tables(url) as connection:
        assert 0 == connection.scalar(text("SELECT count(*) FROM acknowledgements"))
