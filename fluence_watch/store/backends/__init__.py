"""What differs between databases: where a store is, who owns it, how it opens and why it fails."""

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Engine


class Backend(Protocol):
    """A database that can hold a store, which need not exist yet."""

    @property
    def place(self) -> str:
        """Its name in messages, without a password."""

    @property
    def exists(self) -> bool:
        """Whether the database is there."""

    def check(self) -> None:
        """Check that a database can be there.

        Raises:
            StoreError: it cannot.
        """

    def own(self) -> AbstractContextManager[None]:
        """Own the database until the context ends or the process dies.

        Raises:
            StoreLockedError: another process owns it.
        """

    def open(self, *, read_only: bool, durable: bool = True) -> Engine:
        """An engine, which connects at its first use. If not `durable`, a power cut may lose all.

        Its transactions lock the database at their begin if they have the execution option `writes`.
        """

    def explain(self, cause: BaseException) -> str:
        """What is wrong with the database and what to do about it."""


def backend_of(url: str) -> Backend:
    """The database that the URL names.

    Raises:
        StoreError: the URL is invalid, or names a database that cannot hold a store.
            The text does not repeat the URL, which may contain a password.
    """
    from fluence_watch.store.backends.sqlite import Sqlite  # noqa: PLC0415 - one backend is loaded

    return Sqlite.at(url)
