"""Connections to the database file.

Durability: WAL with `synchronous=FULL`. `NORMAL` would survive a kill as well, but after a power
cut it may lose the last commits, such as the one that says which message is delivered. FULL costs
one fsync a commit, and there are a few commits a minute.

Transactions: Python's sqlite3 begins them by itself, and too late; `isolation_level=None` turns
that off. Here each begins with `BEGIN`, the writing ones with `BEGIN IMMEDIATE`, so that one that
reads before it writes can never find out half-way that another was faster.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

_BUSY_SECONDS = 5  # others that lock the file are short: a backup, somebody's sqlite3


def connect(path: Path, *, read_only: bool = False) -> Engine:
    """An engine on the file; nothing is opened before the first use.

    Connections may move between threads; the pool never gives one to two at a time.
    """

    def creator() -> sqlite3.Connection:
        return sqlite3.connect(
            f"{path.as_uri()}?mode={'ro' if read_only else 'rwc'}",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, creator=creator, poolclass=QueuePool)
    event.listen(engine, "begin", _begin)
    if not read_only:
        event.listen(engine, "connect", _prepare)
    return engine


def writer(engine: Engine) -> Engine:
    """The same engine, for transactions that write."""
    return engine.execution_options(writes=True)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
