"""The journal survives as it was written, as long as what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.conditions import END_OF, Conditions
from fluence_watch.alerting.journal import Details, Entry, What
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep, tables

NOW = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = "\x00\ud800\\u0041 ' “"
FACTS = PollFailing("unreachable", HOSTILE)
ALERT = Alert(
    Fingerprint("main", "poll_failing", "a"), Severity.CRITICAL, State.FIRING, FACTS, NOW, NOW
)
STATE = AccountState(alerts={ALERT.fingerprint: ALERT}, last_poll_at=NOW)
FULL = Details(
    "silenced", HOSTILE, HOSTILE, NOW, NOW + MINUTE, 3, 4, Severity.INFO, 2, FACTS, {"for": "1h", "n": 1.5}
)  # fmt: skip


def entry(what: What, receiver: str | None = "ops", minute: int = 0, **details: Any) -> Entry:  # noqa: ANN401
    """An entry about the alert."""
    return Entry(NOW + minute * MINUTE, what, *ALERT.episode, receiver, Details(**details))


def commit(store: Store, *entries: Entry) -> None:
    """Another poll, with these entries."""
    stored = store.load("main")
    change = Change.between(stored.state, STATE, entries=entries)
    store.commit("main", change, version=stored.version)


@pytest.mark.parametrize("details", [Details(), FULL, replace(FULL, facts=None), Details("x")])
def test_round_trip(store: Store, details: Details) -> None:
    """Whatever the text is."""
    written = replace(entry(What.WAITS), details=details)
    commit(store, written)
    assert [written] == store.journal.of_alert(ALERT.episode)


def test_what_each_entry_is_about(store: Store) -> None:
    """An alert, a finding, an account or a receiver."""
    about_alert = entry(What.FIRING, None)
    dropped = Entry(NOW, What.DROPPED, Fingerprint("main", "vm_status", "a"))
    failed = Entry(
        NOW, What.POLL_FAILED, Fingerprint("main", ""), details=Details("timeout", since=NOW)
    )
    failing = Entry(NOW, What.FAILING, receiver="ops")
    stray = Entry(NOW, What.FIRING, Fingerprint("main", "vm_status", "b"), NOW)
    commit(store, about_alert, dropped, failed, stray)
    store.save_attempts("ops", Attempts(), {}, [failing])

    assert [about_alert] == store.journal.of_alert(ALERT.episode)
    assert [dropped] == store.journal.of_subject("main", "a")
    assert [failed] == store.journal.of_account("main", "", NOW, NOW)
    assert [failing] == store.journal.of_receivers(NOW, None)
    assert [ALERT] == store.journal.alerts("main", "a")
    assert [ALERT.episode] == [*store.journal.ids().values()]
    assert ("timeout", NOW) == (
        store.load("main").state.conditions.failing, store.load("main").state.conditions.failing_since,
    )  # fmt: skip


def test_with_the_last_word_an_alert_is_settled(store: Store) -> None:
    """An entry that comes later is kept all the same."""
    commit(store)
    over = replace(ALERT, state=State.RESOLVED, ends_at=NOW)
    keep(store, "main", AccountState(), [over])
    last, late = entry(What.NEVER), entry(What.SENT, "mail", 1)
    store.settle([ALERT.episode], [last])
    store.save_attempts("mail", Attempts(), {}, [late])
    assert [last, late] == store.journal.of_alert(ALERT.episode)


def test_what_is_old_goes(store: Store, url: str) -> None:
    """An entry about an alert goes with it, however old; every other one by its age."""
    old = Entry(NOW, What.DROPPED, Fingerprint("main", "vm_status", "a"))
    commit(store, entry(What.FIRING), old, replace(old, at=NOW + 2 * MINUTE))
    store.prune(NOW + MINUTE)
    assert 1 == len(store.journal.of_alert(ALERT.episode))
    assert 1 == len(store.journal.of_subject("main", "a"))
    keep(store, "main", AccountState(), [replace(ALERT, state=State.RESOLVED, ends_at=NOW)])
    store.prune(NOW + 3 * MINUTE)
    with tables(url) as connection:
        assert 0 == connection.exec_driver_sql("SELECT count(*) FROM journal").scalar()


def test_an_account_takes_its_journal_along(store: Store, url: str) -> None:
    """When it is forgotten."""
    commit(store, entry(What.FIRING), Entry(NOW, What.POLLED, Fingerprint("main", "")))
    store.watch_only([], NOW)
    store.forget_absent(NOW + MINUTE)
    with tables(url) as connection:
        assert 0 == connection.exec_driver_sql("SELECT count(*) FROM journal").scalar()


def test_what_lasts_is_kept(store: Store) -> None:
    """However long ago it began; once it is over, it goes by its age."""
    about, account = Fingerprint("main", "low_balance", "a"), Fingerprint("main", "")
    begun = [
        Entry(NOW, What.MUTED, about, details=Details(by="main topup_failed a")),
        Entry(NOW, What.POLL_FAILED, account, details=Details("timeout", since=NOW)),
        Entry(NOW, What.INCOMPLETE, account, details=Details(text="page 2 is missing")),
        Entry(NOW, What.UNREADABLE, Fingerprint("main", "", "b")),
        Entry(NOW, What.GUARDED, Fingerprint("main", "", "fleet")),
    ]
    commit(store, *begun)
    lasting = store.load("main").state.conditions
    store.prune(NOW + 10 * MINUTE)
    assert Conditions(
        "timeout", NOW, "page 2 is missing", frozenset({"fleet"}),
        {("low_balance", "a"): "main topup_failed a"}, frozenset({"b"}),
    ) == lasting == store.load("main").state.conditions  # fmt: skip

    over = [replace(e, at=NOW + MINUTE, what=end) for end, b in END_OF.items() for e in begun if e.what is b]  # fmt: skip
    commit(store, *over)
    store.prune(NOW + 2 * MINUTE)
    assert Conditions() == store.load("main").state.conditions
    assert [] == store.journal.of_subject("main", "a")


def test_repetitions_go_by_their_age(store: Store) -> None:
    """Of an open alert, the first message to each receiver and its last word remain."""
    own = [
        entry(What.FIRING, None),
        *(entry(What.SENT, "ops", n, reason="repeat" if n else "first") for n in range(9)),
        entry(What.WAITS, "mail", reason="silenced"),
        entry(What.SENT, "mail", 1, reason="first"),
        entry(What.WAITS, "mail", 2, reason="inactive"),
    ]
    commit(store, *own)
    store.prune(NOW)
    assert own == store.journal.of_alert(ALERT.episode)
    store.prune(NOW + 5 * MINUTE)
    assert [own[0], own[1], *own[6:10], *own[11:]] == store.journal.of_alert(ALERT.episode)
    store.prune(NOW + 3650 * 24 * 60 * MINUTE)
    assert [own[0], own[1], own[9], *own[11:]] == store.journal.of_alert(ALERT.episode)
    assert [own[9]] == store.journal.last_of("ops")


def dropped(minute: int, subject: str = "a", key: str = "", **details: Any) -> Entry:  # noqa: ANN401
    """What never fired."""
    about = Fingerprint("main", "vm_status", subject, key)
    return Entry(NOW + minute * MINUTE, What.DROPPED, about, details=Details("over", **details))


def test_of_what_never_fired_the_latest_is_kept(store: Store) -> None:
    """Of each finding, with how often and since when; also within one commit, and in any number."""
    commit(store, dropped(0), dropped(0, "b"), dropped(0, key="x"))
    commit(store, dropped(1), Entry(NOW, What.MUTED, Fingerprint("main", "vm_status", "a")))
    commit(store, dropped(2), dropped(3), dropped(3, "c"))
    last = dropped(3, number=4, first_at=NOW)
    found = store.journal.of_subject("main", "a")
    assert [dropped(0, key="x"), last] == [e for e in found if e.what is What.DROPPED]
    assert [dropped(0, "b")] == store.journal.of_subject("main", "b")
    many = [f"vm{n}" for n in range(1200)]
    for minute in range(2):
        commit(store, *(dropped(minute, each) for each in many))
    assert all(
        [dropped(1, each, number=2, first_at=NOW)] == store.journal.of_subject("main", each)
        for each in (many[0], many[-1])
    )


def test_what_happened_beside_an_alert(store: Store) -> None:
    """In its time: of its account, of its own VM, of receivers; the newest, if they are many."""
    account = Fingerprint("main", "")
    polls = [Entry(NOW + n * MINUTE, What.POLLED, account) for n in range(5)]
    guard = Entry(NOW + 5 * MINUTE, What.GUARDED, Fingerprint("main", "", "vms:1"))
    unread = [Entry(NOW + 6 * MINUTE, What.UNREADABLE, Fingerprint("main", "", k)) for k in "ab"]
    works = [Entry(NOW + n * MINUTE, What.WORKS, receiver="ops") for n in range(5)]
    commit(store, *polls, guard, *unread, dropped(2))
    store.save_attempts("ops", Attempts(), {}, works)
    of_account, of_receivers = store.journal.of_account, store.journal.of_receivers
    first, last = NOW + MINUTE, NOW + 3 * MINUTE
    assert polls[1:4] == of_account("main", "a", first, last)
    assert polls[2:4] == of_account("main", "a", first, last, most=2)
    assert [*polls[1:], guard, unread[0]] == of_account("main", "a", first, None)
    assert works[1:4] == of_receivers(first, last)
    assert works[3:] == of_receivers(first, None, most=2)
