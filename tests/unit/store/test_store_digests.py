"""How far each digest is survives, and the ledger is summed up for it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.slots import Progress
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.accounting import Booking
from fluence_watch.model.digest import ThingCost
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep

NOW = datetime(2025, 1, 3, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST, LAST = date(2025, 1, 2), date(2025, 1, 3)


def spend(store: Store, account: str, key: str, at: datetime, amount: int, *, sure: bool) -> None:
    certainty = Certainty.EXACT if sure else Certainty.ESTIMATED
    entry = Entry(key, EntryKind.CHARGE, MicroUsdc(amount), at, at, certainty)
    stored = store.load(account)
    after = replace(stored.state, last_poll_at=at, begun_at=stored.state.begun_at or at)
    booking = Booking([entry])
    store.commit(account, Change.between(stored.state, after, booking=booking), version=stored.version)  # fmt: skip


@pytest.fixture
def spent(store: Store) -> Store:
    """A store in which two accounts spent something on three days."""
    spend(store, "a", "0x1", NOW - 2 * DAY, 1, sure=True)
    spend(store, "a", "0x1", NOW - DAY, 10, sure=True)
    spend(store, "a", "0x1", NOW, 20, sure=True)
    spend(store, "a", "disk:2", NOW, 400, sure=False)
    spend(store, "b", "0x3", NOW, 5_000, sure=True)
    return store


def test_costs_are_summed_up_by_thing(spent: Store) -> None:
    """Only of the accounts and days that are asked for; with how much of it is estimated."""
    assert {
        ThingCost("a", "0x1", "vm", None, MicroUsdc(30), MicroUsdc(0)),
        ThingCost("a", "disk:2", "disk", None, MicroUsdc(400), MicroUsdc(400)),
    } == set(spent.digests.by_thing(["a"], FIRST, LAST))


def test_costs_are_summed_up_by_day(spent: Store) -> None:
    assert {FIRST: 10, LAST: 5_420} == spent.digests.by_day(["a", "b"], FIRST, LAST)


def test_the_first_day_of_each_ledger(spent: Store) -> None:
    assert {"a": FIRST - DAY, "b": LAST} == spent.digests.first_days(["a", "b", "c"])


def test_progress_survives_a_restart(url: str) -> None:
    """The last of each digest, and nothing of those that are gone."""
    with Store.open(url) as store:
        store.digests.save("one", Progress(NOW, is_sent=False))
        store.digests.save("two", Progress(NOW, is_sent=True))
        store.digests.save("one", Progress(NOW + DAY, is_sent=True))
    with Store.open(url) as store:
        assert {
            "one": Progress(NOW + DAY, is_sent=True),
            "two": Progress(NOW, is_sent=True),
        } == store.digests.progress()
        store.digests.keep_only(["two"])
        assert ["two"] == list(store.digests.progress())
        store.digests.keep_only([])
        assert {} == store.digests.progress()


def test_alerts_that_fired_in_a_time(store: Store) -> None:
    """Also if they began before it or ended after it; open ones are not among them."""
    ended = [over("before", -3, -2), over("began before", -3, 1), over("in it", 1, 2), over("after", 25, 26)]  # fmt: skip
    keep(store, "main", AccountState(alerts={each.fingerprint: replace(each, state=State.FIRING, ends_at=None) for each in ended}))  # fmt: skip
    keep(store, "main", AccountState(), ended)

    found = store.digests.alerts(["main", "other"], NOW, NOW + DAY)
    assert ["in it", "began before"] == [each.fingerprint.key for each in found]
    assert [] == store.digests.alerts(["other"], NOW, NOW + DAY)


def over(key: str, begin: int, end: int) -> Alert:
    """An alert that fired from one hour to another."""
    facts, at = PollFailing("unreachable", "no answer"), NOW + begin * HOUR
    fingerprint = Fingerprint("main", "poll_failing", key=key)
    return Alert(fingerprint, Severity.CRITICAL, State.RESOLVED, facts, at, at, ends_at=NOW + end * HOUR)  # fmt: skip
