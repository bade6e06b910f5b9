"""Opening a store: what is refused, and in which words."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Table, inspect, text

from fluence_watch.alerting.state import AccountState
from fluence_watch.errors import StoreError, StoreLockedError
from fluence_watch.store import Store
from fluence_watch.store.migrate import _config, revisions
from fluence_watch.store.schema import alerts, journal, metadata
from tests.stored import OnCheckout, keep, tables


def set_revision(url: str, revision: str) -> None:
    """Make the store look as if another version had made it."""
    Store.open(url).close()
    with tables(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})


def test_the_migrated_schema_is_the_one_of_the_code(migrated: Store, url: str) -> None:
    """Nobody can change `schema.py` and forget the migration."""
    with tables(url) as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), metadata)


@pytest.mark.parametrize("table", [alerts, journal])
def test_the_conditions_of_indexes(migrated: Store, url: str, table: Table) -> None:
    """The comparison does not look at them, and they are in the migrations."""
    with tables(url) as connection:
        found = {
            str(each["name"]): str(each.get("dialect_options", {}).get("sqlite_where"))
            for each in inspect(connection).get_indexes(table.name)
        }
    declared = {
        str(each.name): str(each.dialect_options["sqlite"]["where"]).replace("journal.", "")
        for each in table.indexes
    }
    assert declared == found


def test_every_commit_is_on_the_disk(store: Store, on_checkout: OnCheckout) -> None:
    """WAL with synchronous=FULL (2), foreign keys held, and patience with other programs."""
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    found: list[object] = []
    on_checkout(
        lambda sqlite: found.extend(sqlite.execute(f"PRAGMA {p}").fetchone()[0] for p in pragmas)
    )
    store.check()
    assert ["wal", 2, 1, 5000] == found


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://u:hunter2@db/x", r"'postgresql\+psycopg' is not supported yet"),
        ("mysql://u:hunter2@db/x", "'mysql' is not supported yet"),
        ("hunter2", "not a database URL"),
        ("", "not a database URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite://folder/hunter2.db", "more than a path"),
        ("sqlite:///x.db?mode=hunter2", "more than a path"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, words: str) -> None:
    """The text tells what to write instead, and repeats no password."""
    with pytest.raises(StoreError, match=words) as refused:
        Store.open(url)
    assert 'write store.url = "sqlite:///' in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_relative_path_is_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the default `sqlite:///fluence-watch.db` is; odd characters are part of the name."""
    monkeypatch.chdir(tmp_path)
    Store.open("sqlite:///a b#é.db").close()
    assert (tmp_path / "a b#é.db").exists()


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_missing_folder_is_named(tmp_path: Path, exclusive: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """It is not created: it may be a mount that is missing."""
    with pytest.raises(StoreError, match=rf"no folder {tmp_path}/missing"):
        Store.open(f"sqlite:///{tmp_path}/missing/store.db", exclusive=exclusive)
    assert not (tmp_path / "missing").exists()


def test_a_folder_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    """Here the lock file cannot be made, whoever runs the test."""
    (tmp_path / "store.db.lock").mkdir()
    with pytest.raises(StoreError, match=rf"{tmp_path}/store\.db: check the permissions"):
        Store.open(f"sqlite:///{tmp_path}/store.db")


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """The path must be a file's."""
    (tmp_path / "store.db").mkdir()
    with pytest.raises(StoreError, match="it cannot be opened: check that it is a file"):
        Store.open(f"sqlite:///{tmp_path}/store.db")


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, exclusive: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """The words say that store.url may be wrong."""
    path = tmp_path / "store.db"
    path.write_text("dear diary, " * 1000)
    with pytest.raises(StoreError, match=r"it is not a SQLite database: correct store\.url"):
        Store.open(f"sqlite:///{path}", exclusive=exclusive)
    assert path.read_text().startswith("dear diary")


def test_a_damaged_database_is_reported(url: str, tmp_path: Path) -> None:
    """Reading garbage is a StoreError that says what to do."""
    with Store.open(url) as store:
        keep(store, "main", AccountState())
    path = tmp_path / "store.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreError, match="it is damaged: restore a copy"):
        Store.open(url)


def test_a_second_daemon_is_refused(url: str, store: Store) -> None:
    """The words name the store and the process that has it."""
    with pytest.raises(StoreLockedError, match=rf"store\.db \(pid {os.getpid()}\): stop it"):
        Store.open(url)


def test_a_link_to_the_store_is_the_same_store(store: Store, tmp_path: Path) -> None:
    """Two names of one file do not make two owners."""
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
    with pytest.raises(StoreLockedError):
        Store.open(f"sqlite:///{tmp_path}/link.db")


def test_a_closed_store_can_be_opened_again(url: str) -> None:
    """Closing twice does no harm; a failed opening keeps no lock."""
    store = Store.open(url)
    store.close()
    store.close()
    set_revision(url, "9999")
    for _ in range(2):
        with pytest.raises(StoreError, match="newer"):
            Store.open(url)


@pytest.mark.parametrize("exclusive", [True, False])
def test_a_store_of_a_newer_version_is_refused(url: str, exclusive: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """An old program does not touch what it does not understand."""
    set_revision(url, "9999")
    with pytest.raises(StoreError, match=r"created by a newer fluence-watch \(schema 9999\)"):
        Store.open(url, exclusive=exclusive)


def test_a_reader_works_beside_the_daemon(url: str, store: Store) -> None:
    """It sees what was committed, at once, and cannot write."""
    with Store.open(url, exclusive=False) as reader:
        assert [] == reader.accounts()
        keep(store, "main", AccountState())
        assert ["main"] == reader.accounts()
        with pytest.raises(StoreError, match="it is not writable"):
            reader.watch_only([], datetime.now(UTC))


def test_a_reader_works_without_the_daemon(url: str) -> None:
    """The state of a daemon that is stopped can be looked at."""
    with Store.open(url) as store:
        keep(store, "main", AccountState())
    with Store.open(url, exclusive=False) as reader:
        assert ["main"] == reader.accounts()


def test_a_reader_creates_nothing(url: str, tmp_path: Path) -> None:
    """Without a store there is nothing to read, and it says how to get one."""
    with pytest.raises(StoreError, match=r"no store at .* yet: start `fluence-watch run` first"):
        Store.open(url, exclusive=False)
    assert [] == list(tmp_path.iterdir())


def test_a_reader_migrates_nothing(url: str, tmp_path: Path) -> None:
    """An empty file stays one."""
    (tmp_path / "store.db").touch()
    with pytest.raises(StoreError, match="is empty: start `fluence-watch run` first"):
        Store.open(url, exclusive=False)
    assert 0 == (tmp_path / "store.db").stat().st_size


def test_file_names_give_the_revisions() -> None:
    """So that no start needs Alembic to know whether there is something to migrate."""
    scripts = ScriptDirectory.from_config(_config())

    assert revisions() == [script.revision for script in scripts.walk_revisions()][::-1]
    assert revisions()[-1] == scripts.get_current_head()
