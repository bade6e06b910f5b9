"""Migrates the schema of a store to the version that this release expects.

Alembic costs 0.1 s and 8 MB, so it is imported only if there is something to migrate.
In a new store, the current tables are created directly. A test compares them with the migrations.
The revision of a migration is the number at the start of its file name.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    insert,
    inspect,
    text,
)
from sqlalchemy.schema import CreateTable

from fluence_watch.errors import StoreError
from fluence_watch.store.schema import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_log = structlog.get_logger(__name__)
_FOLDER = Path(__file__).with_name("migrations")
_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def migrate(connection: Connection, place: str) -> None:
    """Create the tables or run the missing migrations, in the connection's transaction.

    Raises:
        StoreError: a newer version created the store.
    """
    known, before = revisions(), _revision(connection)
    head = known[-1]
    if before == head:
        return
    if before and before not in known:
        raise _made_by_newer(place, before)
    if before is None:
        _create(connection, head)
    else:
        _upgrade(connection)
    _log.info("store migrated", place=place, before=before, after=head)


def _create(connection: Connection, head: str) -> None:
    """Create the current tables, and Alembic's table with the revision."""
    metadata.create_all(connection, checkfirst=False)
    connection.execute(CreateTable(_VERSION))
    connection.execute(insert(_VERSION).values(version_num=head))


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see above

    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def verify(connection: Connection, place: str) -> None:
    """Check that the schema is current, without changing it.

    Raises:
        StoreError: the schema is older, newer or missing.
    """
    known, found = revisions(), _revision(connection)
    if found == known[-1]:
        return
    if found is None:
        raise StoreError(f"the store {place} is empty: start `fluence-watch run` first")
    if found not in known:
        raise _made_by_newer(place, found)
    raise StoreError(
        f"the store {place} was created by an older fluence-watch (schema {found}): "
        "start `fluence-watch run` of this version once to upgrade it"
    )


def revisions() -> list[str]:
    """The revisions that this version knows, oldest first."""
    files = (_FOLDER / "versions").glob("[0-9]*_*.py")
    return sorted(file.name.partition("_")[0] for file in files)


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("path_separator", "os")
    # Alembic interpolates percent signs in this option.
    folder = str(_FOLDER).replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _made_by_newer(place: str, revision: str) -> StoreError:
    return StoreError(
        f"the store {place} was created by a newer fluence-watch (schema {revision}): "
        "upgrade this one, or give it another store.url"
    )
