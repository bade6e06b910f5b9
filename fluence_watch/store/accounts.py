"""The accounts as rows. Accounts that are no longer watched are kept for a while."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, case, delete, insert, or_, select, update

from fluence_watch.alerting.state import AccountState
from fluence_watch.errors import StoreConflictError
from fluence_watch.store import notes
from fluence_watch.store.codec import dump
from fluence_watch.store.schema import accounts


def advance_account(connection: Connection, name: str, after: AccountState, version: int) -> int:
    """Write the fields of the account itself, as the version that follows. Returns its id.

    Raises:
        StoreConflictError: the stored version is another one.
    """
    this = select(accounts.c.id).where(accounts.c.name == name)
    account_id: int | None = connection.scalar(this)
    if account_id is None:
        connection.execute(insert(accounts).values(name=name))
        account_id = connection.execute(this).scalar_one()
    values = {
        "last_poll_at": after.last_poll_at,
        "last_good_at": after.last_good_at,
        "ssh_keys": None if after.ssh_keys is None else dump(after.ssh_keys),
        "balance": None if after.balance is None else dump(after.balance),
        "costs": dump(after.costs) if after.costs else None,
        "whole_at": after.whole_at,
        "counted_at": after.counted_at,
        "settled_day": after.settled_day,
        "begun_at": after.begun_at,
        "version": version + 1,
    }
    as_expected = accounts.c.id == account_id, accounts.c.version == version
    if not connection.execute(update(accounts).where(*as_expected).values(values)).rowcount:
        raise StoreConflictError(f"account {name}: another commit came after version {version}")
    return account_id


def rename(connection: Connection, names: Mapping[str, str]) -> None:
    """Rename the accounts, all at once, so that they can swap names.

    Another account with one of the new names is removed.
    """
    replaced = set(names.values()) - names.keys()
    connection.execute(delete(accounts).where(accounts.c.name.in_(replaced)))
    # names are unique, even between two statements
    aside = {name: f"\n{name}" for name in names}
    _set_names(connection, aside)
    _set_names(connection, {aside[name]: new for name, new in names.items()})


def _set_names(connection: Connection, names: Mapping[str, str]) -> None:
    new = case(dict(names), value=accounts.c.name)
    connection.execute(update(accounts).where(accounts.c.name.in_(names)).values(name=new))


def load_absent(connection: Connection) -> dict[str, datetime]:
    """The absent accounts and when each of them became absent."""
    query = select(accounts.c.name, accounts.c.absent_since).where(
        accounts.c.absent_since.is_not(None)
    )
    return {row.name: row.absent_since for row in connection.execute(query)}


def mark_absent(connection: Connection, watched: Collection[str], now: datetime) -> None:
    """Mark all accounts as absent except the watched ones.

    An account that is already absent keeps its time.
    The account without a name is the watcher itself. It is never absent.
    """
    for row in connection.execute(select(accounts.c.name, accounts.c.absent_since)).all():
        since = None if not row.name or row.name in watched else row.absent_since or now
        if since != row.absent_since:
            this = update(accounts).where(accounts.c.name == row.name)
            connection.execute(this.values(absent_since=since))


def forget_absent(connection: Connection, before: datetime) -> list[str]:
    """Remove all that is stored of accounts that became absent before that time.

    An account that was polled later is kept, because the time of its absence may be wrong.
    Notes from before that time for accounts that have no state go too.
    Returns the names.
    """
    polled_at = accounts.c.last_poll_at
    query = select(accounts.c.name).where(
        accounts.c.absent_since < before, or_(polled_at.is_(None), polled_at < before)
    )
    names = list(connection.scalars(query.order_by(accounts.c.name)))
    for name in names:
        connection.execute(delete(accounts).where(accounts.c.name == name))
        notes.forget(connection, name)
    notes.forget_strays(connection, before)
    return names
