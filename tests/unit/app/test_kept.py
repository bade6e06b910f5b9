"""The cache of an account's state follows the store, whoever commits to it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.app.decide import Decision
from fluence_watch.app.kept import Kept
from fluence_watch.errors import StoreConflictError, StoreError
from fluence_watch.model.accounting import Booking, Settlement
from fluence_watch.model.finding import Fingerprint, Severity, Verdict
from fluence_watch.model.ledger import Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)


def alert(key: str) -> Alert:
    facts = PollFailing("unreachable", "no answer")
    fingerprint = Fingerprint("main", "poll_failing", "", key)
    return Alert(fingerprint, Severity.WARNING, State.FIRING, facts, NOW, NOW)


def state(*keys: str) -> AccountState:
    return AccountState(alerts={alert(key).fingerprint: alert(key) for key in keys})


def over(key: str) -> Alert:
    return replace(alert(key), state=State.RESOLVED, ends_at=NOW)


def one_more(before: AccountState) -> Decision:
    """Another alert fires."""
    keys = [each.key for each in before.alerts]
    return Decision(state(*keys, str(len(keys))), (), (), Verdict({}))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as opened:
        yield opened


@pytest.fixture
def kept(store: Store) -> Kept:
    return Kept(store, "main", store.load("main"))


def test_one_decision_after_the_other(store: Store, kept: Kept) -> None:
    for number in range(3):
        kept.change(one_more)
        assert number + 1 == len(kept.state.alerts)
    assert kept.state == store.load("main").state


def test_a_commit_that_came_between_is_decided_from(store: Store, kept: Kept) -> None:
    """It is not overwritten, and what it ended is known to the caller."""
    kept.change(one_more)
    keep(store, "main", state("x", "y"), [over("0")])
    decision = kept.change(one_more)

    assert state("x", "y", "2") == store.load("main").state == kept.state
    assert [over("0")] == decision.ended


def test_what_was_charged_is_read_when_it_changes(store: Store, kept: Kept) -> None:
    """Since a day, again after a booking and for another day."""
    first, later = date(2026, 4, 1), date(2026, 4, 17)
    assert 0 == kept.charged_since(first)
    kept.change(lambda _: booked(7, NOW))
    assert (7, 0) == (kept.charged_since(first), kept.charged_since(later))
    other = Change.between(AccountState(), AccountState(), booking=booked(5, NOW).booking)
    store.commit("main", other, version=1)
    assert 0 == kept.charged_since(later)
    kept.change(lambda state: Decision(state, (), (), Verdict({})))
    assert 12 == kept.charged_since(first)
    assert 0 == store.charged_since("other", first)


def test_what_each_thing_was_charged_is_read_when_it_changes(store: Store, kept: Kept) -> None:
    """After a booking of this daemon or of another one, of few things or many, and not otherwise."""
    assert {} == kept.charged()
    kept.change(lambda _: booked(7, NOW))
    first = kept.charged()
    assert {"0xa": 7} == first
    kept.change(lambda state: Decision(state, (), (), Verdict({})))
    assert first is kept.charged()
    other = Change.between(AccountState(), AccountState(), booking=booked(5, NOW).booking)
    store.commit("main", other, version=2)
    kept.change(lambda state: Decision(state, (), (), Verdict({})))
    assert {"0xa": 12} == kept.charged()
    kept.change(lambda _: booked(1, NOW, "0xb"))
    kept.change(lambda _: booked(3, NOW))
    assert {"0xa": 15, "0xb": 1} == kept.charged()
    many = {f"0x{number}": 2 for number in range(600)}
    kept.change(lambda _: booked(2, NOW, *many))
    assert {"0xa": 15, "0xb": 1, **many} == kept.charged()
    settled = Settlement(NOW.date(), {"0xb": MicroUsdc(9)}, final=False)
    kept.change(lambda _: replace(booked(1, NOW), booking=Booking(settled=[settled])))
    assert 9 == kept.charged()["0xb"]


def booked(amount: int, at: datetime, *keys: str) -> Decision:
    found = [Entry(key, EntryKind.CHARGE, MicroUsdc(amount), at, at) for key in keys or ("0xa",)]
    return Decision(AccountState(), (), (), Verdict({}), booking=Booking(found))


class Failing:
    """A store whose next commits fail: before they are made, or after, as a lost connection may."""

    def __init__(self, store: Store, error: StoreError, *, after: bool = False) -> None:
        self.store, self.error, self.after, self.failures = store, error, after, 1
        self.load = store.load

    def commit(self, *args: object, **more: object) -> int:
        """Commit, unless it is to fail before."""
        version = self.store.commit(*args, **more) if self.after or not self.failures else 0
        if self.failures:
            self.failures -= 1
            raise self.error
        return version


def test_a_failed_commit_is_decided_again(store: Store) -> None:
    kept = Kept(Failing(store, StoreError("the disk is full")), "main", store.load("main"))
    with pytest.raises(StoreError, match="full"):
        kept.change(one_more)
    assert AccountState() == kept.state
    kept.change(one_more)
    assert state("0") == kept.state == store.load("main").state


def test_a_commit_that_only_seemed_to_fail_is_found(store: Store) -> None:
    kept = Kept(Failing(store, StoreError("gone"), after=True), "main", store.load("main"))
    with pytest.raises(StoreError, match="gone"):
        kept.change(one_more)
    kept.change(one_more)
    assert state("0", "1") == kept.state == store.load("main").state


def test_a_store_that_always_conflicts_is_an_error(store: Store) -> None:
    """It is not tried for ever."""
    failing = Failing(store, StoreConflictError("again"))
    failing.failures = 5
    kept = Kept(failing, "main", store.load("main"))
    with pytest.raises(StoreConflictError):
        kept.change(one_more)
    assert 3 == failing.failures
