"""The accounts as rows. Those that are not watched for now are kept, in case they come back."""

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, case, delete, insert, or_, select, update

from fluence_watch.store import notes
from fluence_watch.store.schema import accounts


def account_id_of(connection: Connection, name: str) -> int:
    """The id of the account, which has a row from now on."""
    query = select(accounts.c.id).where(accounts.c.name == name)
    found: int | None = connection.scalar(query)
    if found is None:
        connection.execute(insert(accounts).values(name=name))
        return account_id_of(connection, name)
    return found


def rename(connection: Connection, names: Mapping[str, str]) -> None:
    """Give the accounts their new names, all at once: they may trade them.

    Another account that has one of the new names is removed.
    """
    replaced = set(names.values()) - names.keys()
    connection.execute(delete(accounts).where(accounts.c.name.in_(replaced)))
    # no two rows may have the same name, not even between two statements
    aside = {name: f"\n{name}" for name in names}
    _set_names(connection, aside)
    _set_names(connection, {aside[name]: new for name, new in names.items()})


def _set_names(connection: Connection, names: Mapping[str, str]) -> None:
    new = case(dict(names), value=accounts.c.name)
    connection.execute(update(accounts).where(accounts.c.name.in_(names)).values(name=new))


def load_absent(connection: Connection) -> dict[str, datetime]:
    """The absent accounts, and since when each of them is."""
    query = select(accounts.c.name, accounts.c.absent_since).where(
        accounts.c.absent_since.is_not(None)
    )
    return {row.name: row.absent_since for row in connection.execute(query)}


def mark_absent(connection: Connection, watched: Collection[str], now: datetime) -> None:
    """These accounts are watched and no others: those are absent from now on, if not already.

    The account without a name is the watcher itself, which is never absent.
    """
    for row in connection.execute(select(accounts.c.name, accounts.c.absent_since)).all():
        since = None if not row.name or row.name in watched else row.absent_since or now
        if since != row.absent_since:
            this = update(accounts).where(accounts.c.name == row.name)
            connection.execute(this.values(absent_since=since))


def forget_absent(connection: Connection, before: datetime) -> list[str]:
    """Remove what is known of accounts that are absent since before then; returns their names.

    Nor may one have been polled since: the clock that noted its absence may have been wrong.
    """
    polled_at = accounts.c.last_poll_at
    query = select(accounts.c.name).where(
        accounts.c.absent_since < before, or_(polled_at.is_(None), polled_at < before)
    )
    names = list(connection.scalars(query.order_by(accounts.c.name)))
    for name in names:
        connection.execute(delete(accounts).where(accounts.c.name == name))
        notes.forget(connection, name)
    return names
