"""What tests do with a store beside its operations: commit a state, and look at the tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import Connection, create_engine

from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.alerting.state import AccountState, Change
from fluence_watch.model.note import Note
from fluence_watch.store import Store
from fluence_watch.views.why import Answer, answers

OnCheckout = Callable[[Callable[[SqliteConnection], object]], None]
"""Has a function called with every connection to SQLite before each of its transactions."""


def keep(
    store: Any,  # noqa: ANN401 - it may be wrapped by a fake
    account: str,
    after: AccountState,
    ended: Sequence[Alert] = (),
    *,
    applied: Sequence[Note] = (),
) -> None:
    """Commit this state of the account, whatever was stored."""
    stored = store.load(account)
    change = Change.between(stored.state, after, ended, applied)
    store.commit(account, change, version=stored.version)


def reasons(store: Store, episode: Episode) -> Mapping[str, Answer]:
    """The last word of each receiver about an alert in the journal, by the receiver's name."""
    return answers(store.journal.of_alert(episode))


@contextmanager
def tables(url: str) -> Iterator[Connection]:
    """The tables of a store, as another program sees and changes them. It commits at the end."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
