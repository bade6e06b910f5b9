"""The schema of a store, brought to what this version expects."""

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from fluence_watch.errors import StoreError

_log = structlog.get_logger(__name__)


def migrate(connection: Connection, path: Path) -> None:
    """Run the migrations that are missing, in the transaction of the connection.

    Raises:
        StoreError: a newer version made the store.
    """
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    before, head = _revision(connection), scripts.get_current_head()
    if before == head:
        return
    if before and before not in {script.revision for script in scripts.walk_revisions()}:
        raise _made_by_newer(path, before)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    _log.info("store migrated", path=str(path), before=before, after=head)


def verify(connection: Connection, path: Path) -> None:
    """Look whether the schema is the one of this version, without changing it.

    Raises:
        StoreError: it is older, newer, or not there.
    """
    scripts = ScriptDirectory.from_config(_config())
    found = _revision(connection)
    if found == scripts.get_current_head():
        return
    if found is None:
        raise StoreError(f"the store {path} is empty: start `fluence-watch run` first")
    if found not in {script.revision for script in scripts.walk_revisions()}:
        raise _made_by_newer(path, found)
    raise StoreError(
        f"the store {path} was made by an older fluence-watch (schema {found}): "
        "start `fluence-watch run` of this version once, it brings the store up to date"
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("path_separator", "os")
    # A percent sign is the start of an interpolation there.
    folder = str(Path(__file__).with_name("migrations")).replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _made_by_newer(path: Path, revision: str) -> StoreError:
    return StoreError(
        f"the store {path} was made by a newer fluence-watch (schema {revision}): "
        "upgrade this one, or give it another store.url"
    )
