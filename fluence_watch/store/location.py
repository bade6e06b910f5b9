"""Where the store is, and that one daemon alone owns it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from fluence_watch.errors import StoreError, StoreLockedError

_HOW = 'write store.url = "sqlite:///path/to/fluence-watch.db"'


def database_path(url: str) -> Path:
    """The absolute path of the database file that the URL means; links are followed.

    Raises:
        StoreError: it is no URL, of another database, or of one in memory. The text does not
            repeat the URL, which may hold a password.
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
        raise StoreError(f"store.url names no file, and a restart would lose everything: {_HOW}")
    return Path(parsed.database).resolve()


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Own the database for as long as the context lasts, at most for as long as the process.

    The lock is on a file beside it, for locks on the database itself are SQLite's. The kernel
    releases it when the process dies; the file stays, because removing it would race.

    Raises:
        StoreLockedError: another process owns it.
        OSError: the folder is missing or cannot be written.
    """
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor, path)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, 20, 0)
        who = f" (pid {pid.decode()})" if pid.isdigit() else ""
        raise StoreLockedError(
            f"another fluence-watch runs on {path}{who}: stop it, or give this one another store.url"
        ) from None
