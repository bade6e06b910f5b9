"""The path of the store, and its exclusive ownership by one daemon."""

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
    """The absolute path of the database file in the URL. Symbolic links are resolved.

    Raises:
        StoreError: the URL is invalid, not SQLite, or in memory.
            The text does not repeat the URL, which may contain a password.
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
    """Own the database until the context ends or the process dies.

    The lock is on a separate file, because SQLite uses locks on the database itself.
    The kernel releases the lock when the process dies.
    The file stays, because removing it would be a race.

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
