"""Full disks and threads: nothing that was committed is lost, nothing is kept by halves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import connect

import pytest
from sqlalchemy import event, text

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.state import AccountState
from fluence_watch.errors import StoreError
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import Status, Vm
from fluence_watch.store import Store

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def fleet(size: int, name: str = "x") -> AccountState:
    """A state with so many VMs."""
    vms = [Vm(str(number), name, Status.ACTIVE, "ACTIVE") for number in range(size)]
    return AccountState({vm.key: KnownVm(vm, NOW) for vm in vms}, last_poll_at=NOW)


def limit_pages(store: Store, more: int) -> None:
    """Let the database grow by so many pages only, as on a disk that is nearly full."""

    def limit(dbapi_connection: object, *_: object) -> None:
        cursor = dbapi_connection.execute("PRAGMA page_count")  # type: ignore[attr-defined] # sqlite3's
        pages = cursor.fetchone()[0] + more
        dbapi_connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined] # as above

    event.listen(store._writer, "checkout", limit)


def test_a_full_disk_keeps_nothing_and_can_be_read(store: Store) -> None:
    """The commit that does not fit is undone whole; the state before it is still there."""
    before = fleet(10)
    store.commit("main", AccountState(), before)
    limit_pages(store, more=20)
    with pytest.raises(StoreError, match=r"store\.db: the disk is full: free some space"):
        store.commit("main", before, fleet(2000))
    assert before == store.load("main")


def test_a_full_disk_takes_smaller_commits_again(store: Store) -> None:
    """The failed commit left nothing behind that is in the way."""
    limit_pages(store, more=20)
    with pytest.raises(StoreError):
        store.commit("main", AccountState(), fleet(2000))
    store.commit("main", AccountState(), fleet(10))
    assert fleet(10) == store.load("main")


def test_the_check_writes_for_real(url: str, store: Store) -> None:
    """It passes where a commit would, and fails where one would."""
    store.check()
    with Store.open(url, exclusive=False) as reader, pytest.raises(StoreError):
        reader.check()


def test_a_store_that_another_program_locks_is_reported(store: Store, tmp_path: Path) -> None:
    """After some patience, which the test cuts short, it says who has to let go."""

    def impatient(dbapi_connection: object, *_: object) -> None:
        dbapi_connection.execute("PRAGMA busy_timeout = 1")  # type: ignore[attr-defined] # sqlite3's

    event.listen(store._writer, "checkout", impatient)
    other = connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program holds it locked"):
        store.check()
    other.close()
    store.check()


def test_polls_and_delivery_work_at_the_same_time(store: Store) -> None:
    """Four accounts commit while two receivers are served: no state is mixed."""
    polls = 12

    def poll(account: str) -> None:
        before = AccountState()
        for number in range(polls):
            after = fleet(number + 1, account)
            store.commit(account, before, after)
            before = store.load(account)
            assert after == before

    def deliver(receiver: str) -> None:
        for number in range(4 * polls):
            attempts = Attempts(since=NOW, failures=number)
            store.save_attempts(receiver, attempts, {})
            assert attempts == store.receivers()[receiver]

    with ThreadPoolExecutor() as pool:
        polling = [pool.submit(poll, account) for account in "abcd"]
        delivering = [pool.submit(deliver, receiver) for receiver in ("ops", "mail")]
        for done in (*polling, *delivering):
            done.result()

    for account in "abcd":
        assert fleet(polls, account) == store.load(account)


def test_a_reader_sees_whole_commits_only(store: Store) -> None:
    """All of one load is of the same moment, whatever is committed meanwhile."""
    store.commit("main", AccountState(), fleet(0))
    with store._reader.begin() as connection:
        assert 0 == connection.scalar(text("SELECT count(*) FROM vms"))
        store.commit("main", fleet(0), fleet(5))
        assert 0 == connection.scalar(text("SELECT count(*) FROM vms"))
    assert 5 == len(store.load("main").known)
