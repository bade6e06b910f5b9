"""Changes that users made with fluence-watch, stored for the next poll of the account."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import structlog
from sqlalchemy import Connection, case, delete, insert, select, update

from fluence_watch.model.note import Note, NoteAction
from fluence_watch.model.ports import Port
from fluence_watch.store.codec import dump, load_ports
from fluence_watch.store.schema import accounts, notes

_log = structlog.get_logger(__name__)


def append(
    connection: Connection,
    account: str,
    action: NoteAction,
    subject: str,
    *,
    at: datetime,
    ports: tuple[Port, ...],
) -> None:
    """Add a note for the account."""
    connection.execute(
        insert(notes).values(
            account=account, at=at, action=action.value, subject=subject, ports=dump(ports)
        )
    )


def load(connection: Connection, account: str) -> list[Note]:
    """The notes for the account, oldest first. Unreadable notes are skipped."""
    found = []
    query = select(notes).where(notes.c.account == account).order_by(notes.c.id)
    for row in connection.execute(query):
        try:
            action, ports = NoteAction(row.action), load_ports(row.ports)
        except ValueError as error:
            _log.warning("note unreadable, skipped", account=account, error=str(error))
        else:
            found.append(Note(row.id, row.at, action, row.subject, ports))
    return found


def remove(connection: Connection, applied: Iterable[Note]) -> None:
    """Remove the notes that were applied."""
    if ids := [note.id for note in applied]:
        connection.execute(delete(notes).where(notes.c.id.in_(ids)))


def rename(connection: Connection, names: Mapping[str, str]) -> None:
    """Move the accounts' notes to their new names, all at once."""
    new = case(dict(names), value=notes.c.account)
    connection.execute(update(notes).where(notes.c.account.in_(names)).values(account=new))


def forget(connection: Connection, account: str) -> None:
    """Remove all notes of the account."""
    connection.execute(delete(notes).where(notes.c.account == account))


def forget_strays(connection: Connection, before: datetime) -> None:
    """Remove notes from before that time for accounts that have no state."""
    known = select(accounts.c.name)
    stray = notes.c.account.not_in(known) & (notes.c.at < before)
    connection.execute(delete(notes).where(stray))
