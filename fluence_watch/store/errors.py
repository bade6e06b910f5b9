"""Turns database errors into errors that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fluence_watch.errors import StoreError

_ADVICE = {
    "SQLITE_FULL": "the disk is full: free some space",
    "SQLITE_READONLY": "it is not writable: check the permissions of the file and of its "
    "folder, and whether the disk is mounted read-only",
    "SQLITE_CANTOPEN": "it cannot be opened: check that it is a file, and the permissions of the "
    "file and of its folder",
    "SQLITE_BUSY": "another program holds it locked: close that",
    "SQLITE_LOCKED": "another program holds it locked: close that",
    "SQLITE_NOTADB": "it is not a SQLite database: correct store.url, or move the file away to "
    "start with an empty store",
    "SQLITE_CORRUPT": "it is damaged: restore a copy, or move the file away to start with an "
    "empty store",
    "SQLITE_IOERR": "the disk failed: check that it is healthy, mounted, and has space",
}
_FILE_ADVICE = (
    "check the permissions of its folder, and that the disk is neither full nor read-only"
)


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Convert all database errors to a `StoreError` that names the file and says what to do."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StoreError(f"the store {path}: {_advice(cause)}") from error


def _advice(cause: BaseException | None) -> str:
    # Use the cause's own text, because SQLAlchemy's text includes the statement with its values.
    name = getattr(cause, "sqlite_errorname", "")
    primary = "_".join(name.split("_")[:2])  # SQLITE_IOERR_WRITE is an SQLITE_IOERR
    advice = _FILE_ADVICE if isinstance(cause, OSError) else _ADVICE.get(primary)
    return f"{advice} ({cause})" if advice else str(cause)
