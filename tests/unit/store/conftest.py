"""One suite over every backend; a new one is one more parameter of `url`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest
from alembic import command
from sqlalchemy import create_engine, event
from sqlalchemy.pool import Pool

from fluence_watch.store import Store
from fluence_watch.store.migrate import _config
from tests.stored import OnCheckout


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new, empty store of the backend can be made."""
    return f"{request.param}:///{tmp_path}/store.db"


@pytest.fixture
def on_checkout() -> Iterator[OnCheckout]:
    listeners: list[Callable[..., object]] = []

    def add(prepare: Callable[[Connection], object]) -> None:
        def listener(connection: Connection, *_: object) -> None:
            prepare(connection)

        event.listen(Pool, "checkout", listener)
        listeners.append(listener)

    yield add
    for listener in listeners:
        event.remove(Pool, "checkout", listener)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open, empty store."""
    with Store.open(url) as opened:
        yield opened


@pytest.fixture
def migrated(url: str) -> Iterator[Store]:
    """An open, empty store, to which all migrations were applied one after the other."""
    engine, config = create_engine(url), _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
    with Store.open(url) as opened:
        yield opened
