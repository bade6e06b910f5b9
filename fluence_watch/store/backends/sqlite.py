"""SQLite: a file, owned through a lock on another file beside it.

Durability: WAL with `synchronous=FULL`.
`NORMAL` also survives a kill, but a power cut may lose the last commits.
One of them may record which message was delivered.
`FULL` costs one fsync per commit, at a few commits per minute.

Transactions: Python's sqlite3 begins them implicitly and too late.
`isolation_level=None` turns that off.
Here, each transaction begins with `BEGIN`, and a writing one with `BEGIN IMMEDIATE`.
A transaction that reads before it writes therefore never conflicts with another writer halfway.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from fluence_watch.errors import StoreError, StoreLockedError

_HOW = 'write store.url = "sqlite:///path/to/fluence-watch.db"'
_BUSY_SECONDS = 5  # other programs lock the file briefly: a backup, the sqlite3 shell
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


@dataclass(frozen=True, slots=True)
class Sqlite:
    """A database file. `path` is absolute."""

    path: Path

    @classmethod
    def at(cls, url: str) -> Self:
        """The file that the URL names. Symbolic links are resolved.

        Raises:
            StoreError: the URL is invalid, not SQLite, or in memory.
        """
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreError(f"store.url is not a database URL: {_HOW}") from None
        if parsed.drivername != "sqlite":
            raise StoreError(f"store.url: {parsed.drivername!r:.40} is not supported yet: {_HOW}")
        if parsed.host or parsed.query:
            raise StoreError(f"store.url has more than a path in it: {_HOW}")
        if not parsed.database or parsed.database == ":memory:":
            raise StoreError(
                f"store.url names no file, and a restart would lose everything: {_HOW}"
            )
        return cls(Path(parsed.database).resolve())

    @property
    def place(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Whether the file is there."""
        return self.path.exists()

    def check(self) -> None:
        """Raise `StoreError` if its folder is missing. It may be a mount, so it is not created."""
        if not (folder := self.path.parent).is_dir():
            raise StoreError(f"the store {self.path}: there is no folder {folder}: create it first")

    @contextmanager
    def own(self) -> Iterator[None]:
        """Own the database until the context ends or the process dies.

        The lock is on a separate file, because SQLite uses locks on the database itself.
        The kernel releases the lock when the process dies.
        The file stays, because removing it would be a race.

        Raises:
            StoreLockedError: another process owns it.
            OSError: the lock file cannot be written.
        """
        descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(descriptor, self.path)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def open(self, *, read_only: bool, durable: bool = True) -> Engine:
        """An engine for the file, which opens nothing before its first use.

        Connections may move between threads. The pool never gives one to two threads at once.
        """

        def creator() -> sqlite3.Connection:
            return sqlite3.connect(
                f"{self.path.as_uri()}?mode={'ro' if read_only else 'rwc'}",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )

        url = URL.create("sqlite", database=str(self.path))
        engine = create_engine(url, creator=creator, poolclass=QueuePool)
        event.listen(engine, "begin", _begin)
        if not read_only:
            event.listen(engine, "connect", _prepare if durable else _prepare_briefly)
        return engine

    def explain(self, cause: BaseException) -> str:
        """Advice by the name of SQLite's error, and the error."""
        # SQLITE_IOERR_WRITE is an SQLITE_IOERR
        primary = "_".join(getattr(cause, "sqlite_errorname", "").split("_")[:2])
        advice = _FILE_ADVICE if isinstance(cause, OSError) else _ADVICE.get(primary)
        return f"{advice} ({cause})" if advice else str(cause)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 20, 0)
        who = f" (pid {pid.decode()})" if pid.isdigit() else ""
        raise StoreLockedError(
            f"another fluence-watch runs on {path}{who}: stop it, or give this one another store.url"
        ) from None


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")


def _prepare_briefly(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    """The same for a file that is removed at the end of the process."""
    _prepare(connection, entry)
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
