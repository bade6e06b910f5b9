"""Connections to the database file.

Durability: WAL with `synchronous=FULL`.
`NORMAL` also survives a kill, but a power cut may lose the last commits.
One of them may record which message was delivered.
`FULL` costs one fsync per commit, at a few commits per minute.

Transactions: Python's sqlite3 begins them implicitly and too late.
`isolation_level=None` turns that off.
Here, each transaction begins with `BEGIN`, and a writing one with `BEGIN IMMEDIATE`.
A transaction that reads before it writes therefore never conflicts with another writer halfway.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

_BUSY_SECONDS = 5  # other programs lock the file briefly: a backup, the sqlite3 shell


def connect(path: Path, *, read_only: bool = False) -> Engine:
    """An engine for the file. It opens nothing before its first use.

    Connections may move between threads. The pool never gives one to two threads at once.
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
