"""What each thing cost in all, kept beside its days; and the most that it ever was."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.accounting import Booking, Settlement
from fluence_watch.model.ledger import By, Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store import Store
from fluence_watch.views.costs import cost_views
from tests.stored import tables

NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, LAST = NOON.date(), (NOON + 2 * DAY).date()
THINGS = ("0xa", "0xb", "disk:c")

_moments = st.integers(0, 2).map(lambda days: NOON + days * DAY)
_amounts = st.integers(-50, 100).map(MicroUsdc)
_entries = st.builds(
    lambda thing, kind, amount, at, certainty: Entry(thing, kind, amount, at, at, certainty),
    st.sampled_from(THINGS),
    st.sampled_from(EntryKind),
    _amounts,
    _moments,
    st.sampled_from(Certainty),
)
_settlements = st.builds(
    Settlement,
    _moments.map(datetime.date),
    st.dictionaries(st.sampled_from(THINGS), st.integers(0, 100).map(MicroUsdc), min_size=1),
    st.booleans(),
)
_bookings = st.builds(
    Booking,
    st.lists(_entries, max_size=5),
    st.frozensets(st.sampled_from(THINGS)),
    st.lists(_settlements, max_size=2),
)
_numbers = count()


def commit(store: Store, account: str, booking: Booking) -> None:
    state = AccountState()
    change = Change.between(state, state, booking=booking)
    store.commit(account, change, version=store.load(account).version)


def sums(store: Store, account: str) -> Mapping[str, int]:
    """The sum of the days of each thing."""
    found: Counter[str] = Counter()
    for cost in store.costs(FIRST, LAST, account):
        found[cost.key] += cost.amount
    return found


def totals(url: str, account: str) -> Mapping[str, int]:
    """What is stored as the sum of the days of each thing."""
    query = (
        "SELECT key, total FROM things JOIN accounts ON accounts.id = account_id "
        f"WHERE accounts.name = '{account}'"
    )
    with tables(url) as connection:
        return {row.key: row.total for row in connection.exec_driver_sql(query)}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_bookings, max_size=6))
def test_totals(store: Store, url: str, bookings: Sequence[Booking]) -> None:
    """A total is the sum of its days, and what is charged the highest that it was after any poll.

    Sums by anything are the same, whether the database has added up or not.
    """
    account = f"main-{next(_numbers)}"
    highest: Counter[str] = Counter()
    for booking in bookings:
        commit(store, account, booking)
        highest |= Counter(sums(store, account))
        charged = store.charged(account)
        assert {key: highest[key] for key in charged} == charged
    days = sums(store, account)
    assert {key: days[key] for key in store.charged(account)} == totals(url, account)
    assert highest.keys() <= store.charged(account).keys()
    found = store.costs(FIRST, LAST, account)
    for by in By:
        assert cost_views(found, by) == cost_views(store.costs(FIRST, LAST, account, by), by)


def estimated(amount: int, at: datetime) -> Entry:
    return Entry("disk:c", EntryKind.CHARGE, MicroUsdc(amount), at, at, Certainty.ESTIMATED)


def test_what_is_settled_lower(store: Store) -> None:
    """Nothing goes back; it stands still until the total is above it. Other accounts have their own."""
    commit(store, "main", Booking([estimated(100, NOON)]))
    lower = Settlement(date(2026, 4, 16), {"disk:c": MicroUsdc(60)}, final=False)
    commit(store, "main", Booking([estimated(5, NOON + DAY)], settled=[lower]))
    assert {"disk:c": 100} == store.charged("main")
    commit(store, "main", Booking([estimated(50, NOON + DAY)]))
    assert {"disk:c": 115} == store.charged("main")
    assert {} == store.charged("other")


def test_what_is_renamed(store: Store) -> None:
    """It is what it was, under the new name of the account."""
    commit(store, "main", Booking([estimated(100, NOON)]))
    store.rename({"main": "prod"})
    assert ({}, {"disk:c": 100}) == (store.charged("main"), store.charged("prod"))
