from datetime import UTC, date, datetime, timedelta

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.store import Store

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def begin(store: Store, account: str, at: datetime | None) -> None:
    before = AccountState()
    change = Change.between(before, AccountState(begun_at=at))
    store.commit(account, change, version=0)


def test_where_the_ledger_begins(store: Store) -> None:
    """The day of the first list of each account; one that never had a list has no ledger."""
    begin(store, "main", NOW - 3 * DAY)
    begin(store, "other", NOW)
    begin(store, "empty", None)
    assert {"main": date(2026, 4, 13), "other": NOW.date()} == store.ledger_begins()
    assert {"other": NOW.date()} == store.ledger_begins("other")
    assert {} == store.ledger_begins("empty") == store.ledger_begins("none")
