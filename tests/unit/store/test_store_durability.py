"""Full disks and threads: nothing that was committed is lost, nothing is kept by halves."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection, connect
from threading import Event

import pytest
from sqlalchemy import Engine, event

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.errors import StoreError, StoreLockedError
from fluence_watch.model.known import KnownVm
from fluence_watch.model.vm import Status, Vm
from fluence_watch.store import Store
from tests.stored import OnCheckout, keep

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def fleet(size: int, name: str = "x") -> AccountState:
    """A state with so many VMs."""
    vms = [Vm(str(number), name, Status.ACTIVE, "ACTIVE") for number in range(size)]
    return AccountState({vm.key: KnownVm(vm, NOW) for vm in vms}, last_poll_at=NOW)


def nearly_full(sqlite: Connection) -> None:
    """Let the database grow by 20 pages only, as on a disk that is nearly full."""
    (pages,) = sqlite.execute("PRAGMA page_count").fetchone()
    sqlite.execute(f"PRAGMA max_page_count = {pages + 20}")


@contextmanager
def after_a_statement(act: Callable[[], object]) -> Iterator[None]:
    """Act after the next statement of any store that reads or writes, once."""
    acts = [act]

    def listener(_: object, __: object, statement: str, *___: object) -> None:
        if acts and not statement.startswith("BEGIN"):
            acts.pop()()

    event.listen(Engine, "after_cursor_execute", listener)
    yield
    event.remove(Engine, "after_cursor_execute", listener)


def test_a_full_disk_keeps_nothing_and_can_be_read(store: Store, on_checkout: OnCheckout) -> None:
    """The commit that does not fit is undone whole; the state before it is still there."""
    before = fleet(10)
    keep(store, "main", before)
    on_checkout(nearly_full)
    with pytest.raises(StoreError, match=r"store\.db: the disk is full: free some space"):
        keep(store, "main", fleet(2000))
    assert before == store.load("main").state


def test_a_full_disk_takes_smaller_commits_again(store: Store, on_checkout: OnCheckout) -> None:
    """The failed commit left nothing behind that is in the way."""
    on_checkout(nearly_full)
    with pytest.raises(StoreError):
        keep(store, "main", fleet(2000))
    keep(store, "main", fleet(10))
    assert fleet(10) == store.load("main").state


def test_the_check_writes_for_real(url: str, store: Store) -> None:
    """It passes where a commit would, and fails where one would."""
    store.check()
    with Store.open(url, exclusive=False) as reader, pytest.raises(StoreError):
        reader.check()


def test_a_store_that_another_program_locks_is_reported(
    store: Store, tmp_path: Path, on_checkout: OnCheckout
) -> None:
    """After some patience, which the test cuts short, it says who has to let go."""
    on_checkout(lambda sqlite: sqlite.execute("PRAGMA busy_timeout = 1"))
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
            keep(store, account, after)
            before = store.load(account).state
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
        assert fleet(polls, account) == store.load(account).state


def test_a_reader_sees_whole_commits_only(store: Store) -> None:
    """All of one load is of the same moment, whatever is committed meanwhile."""
    keep(store, "main", fleet(0))

    def commit_beside() -> None:
        with ThreadPoolExecutor() as pool:
            pool.submit(keep, store, "main", fleet(5)).result()

    with after_a_statement(commit_beside):
        stored = store.load("main")
    assert (fleet(0), 1) == (stored.state, stored.version)
    assert 5 == len(store.load("main").state.known)


def test_closing_waits_for_what_runs(store: Store, url: str) -> None:
    """A commit that has begun is whole before another process may own the store."""
    begun, go_on = Event(), Event()

    def hold() -> None:
        begun.set()
        go_on.wait()

    with ThreadPoolExecutor() as pool, after_a_statement(hold):
        change = Change.between(AccountState(), fleet(5))
        committing = pool.submit(store.commit, "main", change, version=0)
        begun.wait()
        closing = pool.submit(store.close)
        with pytest.raises(StoreLockedError):
            Store.open(url)
        assert not closing.done()
        go_on.set()
        closing.result()
    assert 1 == committing.result()
    with pytest.raises(StoreError, match=r"store\.db is closed"):
        store.check()
    with Store.open(url) as again:
        assert fleet(5) == again.load("main").state
