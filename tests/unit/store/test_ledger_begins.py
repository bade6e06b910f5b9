from datetime import UTC, date, datetime, timedelta

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.accounting import Booking
from fluence_watch.model.ledger import Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store import Store

NOW = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(kind: EntryKind, at: datetime) -> Entry:
    return Entry("0xa", kind, MicroUsdc(1), at, at)


def book(store: Store, account: str, *entries: Entry) -> None:
    state = AccountState()
    change = Change.between(state, state, booking=Booking(entries))
    store.commit(account, change, version=0)


def test_where_the_ledger_begins(store: Store) -> None:
    """The first day with an entry of any kind, or a cost after entries are pruned; of each account.

    What was spent before is kept for ever.
    """
    opening = entry(EntryKind.OPENING, NOW - 3 * DAY)
    book(store, "main", opening, entry(EntryKind.CHARGE, NOW - 2 * DAY))
    book(store, "other", entry(EntryKind.TOP_UP, NOW))
    book(
        store,
        "third",
        entry(EntryKind.TOP_UP, NOW - 3 * DAY),
        entry(EntryKind.CHARGE, NOW - 2 * DAY),
    )
    book(store, "empty")

    begin = date(2026, 4, 13)
    assert {"main": begin, "other": NOW.date(), "third": begin} == store.ledger_begins()
    assert {"other": NOW.date()} == store.ledger_begins("other")
    store.prune_ledger(NOW - DAY)
    assert {"main": begin} == store.ledger_begins("main")
    assert {"third": date(2026, 4, 14)} == store.ledger_begins("third")
