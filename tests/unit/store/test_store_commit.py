"""What one poll changes is kept, whole, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.alerting.telling import Notified
from fluence_watch.errors import StoreConflictError, StoreError
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.model.known import KnownVm
from fluence_watch.model.note import NoteAction
from fluence_watch.model.ports import SSH
from fluence_watch.model.vm import Status, Vm
from fluence_watch.rules.poll_failing import PollFailing
from fluence_watch.store import Store
from tests.stored import keep, tables

NOW = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EMPTY = AccountState()


def known(number: int) -> KnownVm:
    """A VM that was seen."""
    return KnownVm(Vm(f"0x{number}", f"web-{number}", Status.ACTIVE, "ACTIVE"), NOW, (SSH,))


def alert(key: str, account: str = "main") -> Alert:
    """An alert that fires."""
    fingerprint = Fingerprint(account, "poll_failing", key=key)
    facts = PollFailing("unreachable", "no answer")
    return Alert(fingerprint, Severity.CRITICAL, State.FIRING, facts, NOW, starts_at=NOW)


def resolved(before: Alert, ends_at: datetime) -> Alert:
    """How the alert ended."""
    return replace(before, state=State.RESOLVED, ends_at=ends_at)


def state(*alerts: Alert, vms: int = 2) -> AccountState:
    """A state with some VMs and alerts."""
    return AccountState(
        known={f"0x{number}": known(number) for number in range(vms)},
        alerts={alert.fingerprint: alert for alert in alerts},
        last_poll_at=NOW,
        last_good_at=NOW - HOUR,
    )


def rows(url: str, table: str) -> list[tuple[object, ...]]:
    """All rows of a table, with their ids."""
    with tables(url) as connection:
        return [tuple(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1"))]


def execute(url: str, statement: str) -> None:
    """Do behind the store's back what a newer version or a broken disk might do."""
    with tables(url) as connection:
        connection.execute(text(statement))


def test_an_account_that_was_never_committed_is_empty(store: Store) -> None:
    """A first start finds nothing, and that is no error."""
    assert EMPTY == store.load("main").state
    assert [] == store.accounts()


def test_a_state_survives_a_restart(url: str) -> None:
    """What was committed is loaded by the next process."""
    after = state(alert("a"), alert("b"))
    with Store.open(url) as store:
        keep(store, "main", after)
    with Store.open(url) as store:
        assert after == store.load("main").state
        assert ["main"] == store.accounts()


def test_accounts_are_apart(store: Store) -> None:
    """The same VM in two accounts is two."""
    keep(store, "b", state(vms=1))
    keep(store, "a", state(vms=2))
    assert (1, 2) == (len(store.load("b").state.known), len(store.load("a").state.known))
    assert ["a", "b"] == store.accounts()


def test_only_the_difference_is_written(store: Store, url: str) -> None:
    """Rows of what did not change are the same rows after the commit."""
    before = state(alert("a"), alert("b"), vms=3)
    keep(store, "main", before)
    vms, alerts = rows(url, "vms"), rows(url, "alerts")

    changed = replace(before.known["0x1"], missing_polls=1, missing_since=NOW, missing_among=3)
    after = replace(before, known={**before.known, "0x1": changed}, last_poll_at=NOW + HOUR)
    keep(store, "main", after)

    assert after == store.load("main").state
    assert {vms[0], vms[2]} == set(vms) & set(rows(url, "vms"))
    assert alerts == rows(url, "alerts")


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(EMPTY, id="everything goes"),
        pytest.param(state(vms=1), id="a vm and the alerts go"),
        pytest.param(state(alert("a"), alert("c"), vms=3), id="one goes and one comes"),
        pytest.param(
            state(replace(alert("a"), severity=Severity.INFO), alert("b")), id="severity changes"
        ),
        pytest.param(
            state(replace(alert("a"), step=2, relevant_until=NOW), alert("b")), id="it is worse"
        ),
    ],
)
def test_any_difference_is_kept(store: Store, after: AccountState) -> None:
    """After a commit, load gives the state that was committed."""
    before = state(alert("a"), alert("b"))
    keep(store, "main", before)
    keep(store, "main", after)
    assert after == store.load("main").state


def test_a_commit_that_does_not_know_the_last_one_is_refused(store: Store) -> None:
    """Such as one whose caller was told of a failure, though it was kept. It changes nothing."""
    before = state(alert("a"), alert("b"))
    change = Change.between(EMPTY, before)
    assert 1 == store.commit("main", change, version=0)
    for version in (0, 2):
        with pytest.raises(StoreConflictError, match=f"account main: .* after version {version}"):
            store.commit("main", Change.between(before, EMPTY), version=version)
    assert (before, 1) == (store.load("main").state, store.load("main").version)
    assert 2 == store.commit("main", Change.between(before, EMPTY), version=1)


def test_a_commit_to_an_account_that_was_forgotten_is_refused(store: Store) -> None:
    """What it differs from is gone."""
    keep(store, "main", state(alert("a")))
    forget(store, "main")
    with pytest.raises(StoreConflictError):
        store.commit("main", Change.between(state(alert("a")), EMPTY), version=1)
    assert [] == store.accounts()


def test_an_ended_alert_becomes_history(store: Store) -> None:
    """It is no longer open."""
    before = state(alert("a"), alert("b"))
    ended = replace(resolved(alert("a"), NOW + HOUR), quiet=True)
    keep(store, "main", before)
    keep(store, "main", state(alert("b")), [ended])
    assert state(alert("b")) == store.load("main").state
    assert [ended] == store.history("main")


def test_the_same_problem_may_come_back(store: Store) -> None:
    """An alert fires while its earlier life is history."""
    first = resolved(alert("a"), NOW)
    keep(store, "main", state(alert("a")))
    keep(store, "main", state(), [first])
    keep(store, "main", state(alert("a")))
    assert state(alert("a")) == store.load("main").state
    assert [first] == store.history()


def test_history_is_newest_first_and_bounded(store: Store) -> None:
    """Of one account or of all, at most as many as asked for."""
    for account, hours in (("main", [1, 3, 2]), ("other", [4])):
        alerts = [alert(str(hour), account) for hour in hours]
        ended = [resolved(one, NOW + hour * HOUR) for one, hour in zip(alerts, hours, strict=True)]
        keep(store, account, state(*alerts))
        keep(store, account, state(), ended)
    assert ["4", "3", "2"] == [one.fingerprint.key for one in store.history(limit=3)]
    assert ["3", "2", "1"] == [one.fingerprint.key for one in store.history("main")]


def test_prune_removes_old_history_alone(store: Store) -> None:
    """Open alerts are never too old, and the limit itself is not before the limit."""
    before = state(alert("old"), alert("new"), alert("open"))
    ended = [resolved(alert("old"), NOW), resolved(alert("new"), NOW + HOUR)]
    keep(store, "main", before)
    keep(store, "main", state(alert("open")), ended)
    assert 1 == store.prune(NOW + HOUR)
    assert ["new"] == [one.fingerprint.key for one in store.history()]
    assert state(alert("open")) == store.load("main").state


def forget(store: Store, account: str) -> None:
    """Let the account be absent for long enough."""
    store.watch_only(set(store.accounts()) - {account}, NOW)
    assert [account] == list(store.forget_absent(NOW + DAY))


def test_an_absent_account_keeps_all(store: Store) -> None:
    """It is no account that is watched, and is there as it was when it comes back."""
    kept = replace(state(alert("a")), last_poll_at=NOW)
    keep(store, "main", kept)
    keep(store, "other", state(alert("x", "other")))
    note(store, "main", "0x1")

    assert {"main": NOW} == store.watch_only(["other"], NOW)
    assert {"main": NOW} == store.watch_only(["other"], NOW + DAY)
    assert ["other"] == store.accounts()
    assert [] == store.forget_absent(NOW)
    assert {} == store.watch_only(["main", "other"], NOW + DAY)
    assert ["main", "other"] == store.accounts()
    assert kept == store.load("main").state
    assert ["0x1"] == [each.subject for each in store.notes("main")]
    assert [] == store.forget_absent(NOW + 100 * DAY)


def test_the_watcher_itself_is_never_absent(store: Store) -> None:
    """Its alerts are under the account without a name, which no settings can have."""
    keep(store, "", state(alert("a", "")))

    assert {} == store.watch_only(["main"], NOW)
    assert [""] == store.accounts()


def test_an_absence_that_a_wrong_clock_noted(store: Store) -> None:
    """An account that was polled after its absence is said to have begun is kept by that time."""
    keep(store, "main", replace(state(alert("a")), last_poll_at=NOW))
    store.watch_only([], NOW - 20_000 * DAY)

    assert [] == store.forget_absent(NOW)
    assert ["main"] == store.forget_absent(NOW + DAY)


def test_a_forgotten_account_leaves_nothing(store: Store, url: str) -> None:
    """State, alerts, history, and what receivers were notified of."""
    before = state(alert("a"), alert("b"))
    keep(store, "main", before)
    told = dict.fromkeys([alert("a").episode, alert("b").episode], Notified(NOW, Severity.INFO))
    store.save_attempts("ops", Attempts(), told)
    keep(store, "main", state(alert("a")), [resolved(alert("b"), NOW)])
    keep(store, "other", EMPTY)
    store.watch_only(["other"], NOW)
    assert ["main"] == store.forget_absent(NOW + DAY)
    assert EMPTY == store.load("main").state
    assert (["other"], []) == (store.accounts(), store.history())
    assert [] == rows(url, "vms") + rows(url, "alerts") + rows(url, "notified")


def note(store: Store, account: str, subject: str) -> None:
    """Leave a note for an account."""
    store.leave_note(account, NoteAction.REMOVED, subject, at=NOW)


def test_the_notes_of_a_forgotten_account_go_too(store: Store) -> None:
    """A later account of that name must not get them. Those of other accounts stay."""
    note(store, "main", "0x1")
    note(store, "other", "0x2")
    keep(store, "main", EMPTY)
    keep(store, "other", EMPTY)
    forget(store, "main")
    assert ([], ["0x2"]) == (store.notes("main"), [each.subject for each in store.notes("other")])


def test_old_notes_of_an_account_that_never_was_polled_go_too(store: Store) -> None:
    """Younger ones wait for its first poll."""
    note(store, "new", "0x1")
    assert [] == store.forget_absent(NOW)
    assert ["0x1"] == [each.subject for each in store.notes("new")]
    assert [] == store.forget_absent(NOW + DAY)
    assert [] == store.notes("new")


def test_a_renamed_account_keeps_all(store: Store, url: str) -> None:
    """State, history and notes have the new name, in place of what an account before it left."""
    keep(store, "new", state(alert("left", "new"), vms=5))
    keep(store, "third", state(alert("x", "third")))
    before = state(alert("a"), alert("b"))
    keep(store, "main", before)
    keep(store, "main", state(alert("a")), [resolved(alert("b"), NOW)])
    for account, subject in [("main", "0x1"), ("third", "0x2"), ("new", "0x3")]:
        note(store, account, subject)
    store.rename({"main": "new"})

    assert ["new", "third"] == store.accounts()
    assert state(alert("a", "new")) == store.load("new").state
    assert [resolved(alert("b", "new"), NOW)] == store.history("new")
    assert {"new": ["0x1", "0x3"], "third": ["0x2"], "main": []} == {
        name: [each.subject for each in store.notes(name)] for name in ("new", "third", "main")
    }
    assert 4 == len(rows(url, "vms"))
    assert state(alert("x", "third")) == store.load("third").state


def test_an_account_may_be_renamed_to_itself(store: Store) -> None:
    """Then nothing is lost."""
    keep(store, "main", state(alert("a")))
    store.rename({"main": "main"})
    assert state(alert("a")) == store.load("main").state


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alerts SET facts_type = 'Later' WHERE key = 'a'",
        "UPDATE alerts SET facts = '{}' WHERE key = 'a'",
        "UPDATE alerts SET state = 'snoozed' WHERE key = 'a'",
    ],
)
def test_an_alert_that_cannot_be_read_is_left_out_and_found_again(
    store: Store, url: str, statement: str
) -> None:
    """After a downgrade the others are there, and the next poll can store the problem anew."""
    keep(store, "main", state(alert("a"), alert("b")))
    execute(url, statement)
    assert state(alert("b")) == store.load("main").state
    keep(store, "main", state(alert("a"), alert("b")))
    assert state(alert("a"), alert("b")) == store.load("main").state


def test_a_vm_that_cannot_be_read_is_left_out_and_found_again(store: Store, url: str) -> None:
    """One damaged row loses one VM, until the next poll."""
    keep(store, "main", state())
    execute(url, "UPDATE vms SET vm = '[]' WHERE key = '0x1'")
    assert state(vms=1) == store.load("main").state
    keep(store, "main", state())
    assert state() == store.load("main").state


def test_a_failed_commit_keeps_nothing(store: Store, url: str) -> None:
    """When the notes cannot be removed, the state that knows of them is not kept either."""
    before = state(alert("a"))
    keep(store, "main", before)
    note(store, "main", "0x1")
    applied = store.notes("main")
    execute(url, "DROP TABLE notes")
    with pytest.raises(StoreError, match=r"store\.db: no such table: notes"):
        keep(store, "main", state(vms=5), [resolved(alert("a"), NOW)], applied=applied)
    assert before == store.load("main").state
    assert [] == store.history()
