"""The database of a store: its transactions, from its opening to its closing."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Condition, Lock
from typing import Self

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fluence_watch.errors import StoreError
from fluence_watch.store.backends import Backend, backend_of
from fluence_watch.store.migrate import migrate, verify

_PATIENCE_SECONDS = 1


class Database:
    """Its methods may be called from any thread. All its errors are a `StoreError` that says what to do."""

    def __init__(self, backend: Backend, engine: Engine, resources: ExitStack) -> None:
        self._backend = backend
        self._engine = engine
        self._resources = resources
        self._writing = Lock()
        self._idle = Condition()
        self._transactions = 0
        self._closed = False

    @classmethod
    def open(cls, url: str, *, own: bool, read_only: bool = False, durable: bool = True) -> Self:
        """Open the database at the URL. If it is to be owned, create or migrate it if needed.

        Raises:
            StoreLockedError: another process owns it.
            StoreError: it cannot be opened, or another version created it.
        """
        backend = backend_of(url)
        backend.check()
        if not own and not backend.exists:
            raise StoreError(
                f"there is no store at {backend.place} yet: start `fluence-watch run` first"
            )
        with ExitStack() as resources, _errors(backend):
            if own:
                resources.enter_context(backend.own())
            engine = backend.open(read_only=read_only, durable=durable)
            resources.callback(engine.dispose)
            database = cls(backend, engine, resources.pop_all())
        try:
            database._prepare(own=own)
        except BaseException:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Wait for the running transactions, close all connections, release the database.

        Later transactions fail. A second call does nothing.
        If another program holds a transaction up, the database is ours until the process ends.
        """
        with self._idle:
            self._closed = True
            if not self._idle.wait_for(lambda: not self._transactions, _PATIENCE_SECONDS):
                return
        with _errors(self._backend):
            self._resources.close()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One transaction that reads."""
        with _errors(self._backend), self._running(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that writes."""
        # The lock queues our own writers. SQLite would poll for its lock with a time limit.
        engine = self._engine.execution_options(writes=True)
        with _errors(self._backend), self._running(), self._writing, engine.begin() as connection:
            yield connection

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Counts a transaction, so that the database is not given up under it."""
        with self._idle:
            if self._closed:
                raise StoreError(f"the store {self._backend.place} is closed")
            self._transactions += 1
        try:
            yield
        finally:
            with self._idle:
                self._transactions -= 1
                self._idle.notify_all()

    def _prepare(self, *, own: bool) -> None:
        if own:
            with self.write() as connection:
                migrate(connection, self._backend.place)
        else:
            with self.read() as connection:
                verify(connection, self._backend.place)


@contextmanager
def _errors(backend: Backend) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        # The cause has a text of its own. SQLAlchemy's includes the statement with its values.
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise StoreError(f"the store {backend.place}: {backend.explain(cause)}") from error
