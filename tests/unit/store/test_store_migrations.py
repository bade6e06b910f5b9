"""A store that an older version made is brought up to date without loss."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Column, MetaData, Table, create_engine, insert, inspect

from fluence_watch.alerting.attempts import marks
from fluence_watch.alerting.due import due
from fluence_watch.alerting.matching import Route
from fluence_watch.alerting.telling import Recipient
from fluence_watch.app.book import Page
from fluence_watch.model.known import KnownVm
from fluence_watch.model.ports import SSH
from fluence_watch.store import Store
from fluence_watch.store import migrate as migrations
from tests.stored import tables

FIRST = "0001"
VM = (
    '{"id":"0xA1","name":"web","status":"active","status_word":"ACTIVE","price":298160,'
    '"reserved":300000,"spent":null,"created_at":null,"next_billing_at":null,"datacenter":null,'
    '"public_ip":"203.0.113.7","ports":[[22,22,"tcp"]],"os_image":null,"vcpus":null,'
    '"memory_bytes":null,"storage_bytes":null}'
)
FLEET = '{"missing":3,"among":3,"last_seen_at":null,"some":[]}'
ROWS: dict[str, dict[str, object]] = {
    "accounts": {"id": 1, "name": "main", "last_poll_at": 7, "last_good_at": 6},
    "vms": {
        "account_id": 1,
        "key": "0xa1",
        "vm": VM,
        "baseline": '[[22,22,"tcp"]]',
        "first_seen_at": 1,
        "missing_polls": 2,
        "missing_since": 5,
        "missing_among": 3,
        "last_seen_at": 4,
    },
    "alerts": {
        "account_id": 1,
        "rule": "vm_vanished",
        "subject": "fleet@x",
        "key": "",
        "severity": "critical",
        "state": "firing",
        "facts_type": "FleetVanished",
        "facts": FLEET,
        "active_at": 5,
        "starts_at": 5,
        "quiet": 0,
        "told": '{"ops":"2025-01-01T00:00:00Z"}',
    },
}


Rows = Mapping[str, dict[str, object] | Sequence[dict[str, object]]]
"""Of each table: a row, or several with the same columns."""


def old_store(url: str, revision: str = FIRST, rows: Rows = ROWS) -> None:
    """A store of that revision; by default as version 0.1 left it: a missing VM, and a firing alert."""
    config = Config()
    config.set_main_option("path_separator", "os")
    folder = Path(migrations.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for name, some in rows.items():
            several = [some] if isinstance(some, dict) else some
            columns = [Column(column) for column in several[0]]
            connection.execute(insert(Table(name, MetaData(), *columns)), several)
    engine.dispose()


def test_a_store_of_the_first_schema(url: str) -> None:
    """Known VMs, firing alerts and their notifications stay. New values are unknown."""
    old_store(url)
    with Store.open(url) as store:
        state = store.load("main").state
        assert ["main"] == store.accounts()
        store_told = store.load("main").told

    (entry,) = state.known.values()
    assert isinstance(entry, KnownVm)
    assert (2, 3, (SSH,)) == (entry.missing_polls, entry.missing_among, entry.baseline)
    assert (None, None, None) == (entry.remembered, entry.cause, state.balance)
    assert entry.vm == entry.last_known
    (alert,) = state.alerts.values()
    assert ("vm_vanished", "fleet@x") == (alert.fingerprint.rule, alert.fingerprint.subject)
    assert alert.facts.suspect_until is None  # type: ignore[attr-defined] # FleetVanished
    told = store_told["ops"][alert.episode]
    assert (datetime(2025, 1, 1, tzinfo=UTC), "critical", None, "firing") == astuple(told)


def test_totals_of_a_ledger_that_had_none(url: str) -> None:
    """They are the sums of the days; what was never charged has cost nothing."""
    things = [
        {"id": number, "account_id": 1, "key": key, "kind": "vm"}
        for number, key in enumerate(("0xa1", "0xb2", "0xc3"), 1)
    ]
    days = [
        {"thing_id": thing, "day": day, "amount": amount, "certainty": "exact"}
        for thing, day, amount in ((1, 20_000, 298_160), (1, 20_001, 298_160), (2, 20_000, 5))
    ]
    old_store(url, "0007", {"accounts": ROWS["accounts"], "things": things, "day_costs": days})
    with Store.open(url) as store:
        assert {"0xa1": 596_320, "0xb2": 5, "0xc3": 0} == store.charged("main")
    with tables(url) as connection:
        query = "SELECT total FROM things ORDER BY id"
        assert [596_320, 5, 0] == list(connection.exec_driver_sql(query).scalars())


def test_where_a_ledger_began(url: str) -> None:
    """With its first entry or its first day, whichever is earlier; if it has neither, with the last list."""
    late = 10 * _DAY
    accounts = [
        {"id": number, "name": name, "last_poll_at": late, "last_good_at": good_at}
        for number, (name, good_at) in enumerate(
            (("main", late), ("other", 7_000_000), ("new", None), ("cloud", late), ("old", late)), 1
        )
    ]
    entry = {"thing_id": 1, "kind": "charge", "amount": 1, "certainty": "exact"}
    entries = [{**entry, "at": at, "seen_at": at + 1_000_000} for at in (5_000_000, 4_000_000)]
    entries.append({**entry, "thing_id": 3, "at": 9 * _DAY, "seen_at": 9 * _DAY})
    things = [
        {"id": number, "account_id": account, "key": "0xa1", "kind": "vm"}
        for number, account in ((1, 1), (2, 4), (3, 5))
    ]
    days = [
        {"thing_id": thing, "day": day, "amount": 1, "certainty": "exact"}
        for thing, day in ((1, 5), (2, 4), (2, 3), (3, 2))
    ]
    rows = {"accounts": accounts, "things": things, "entries": entries, "day_costs": days}
    old_store(url, "0008", rows)
    with Store.open(url) as store:
        begun = [store.load(account["name"]).state.begun_at for account in accounts]
    of_days = _second(3 * 86_400), _second(2 * 86_400)
    assert [_second(5), _second(7), None, *of_days] == begun


_DAY = 86_400_000_000  # in microseconds


def _second(number: int) -> datetime:
    return datetime.fromtimestamp(number, UTC)


def test_messages_that_version_0_1_had_queued(tmp_path: Path) -> None:
    """What they would have said is due, and nothing that was delivered is.

    `ops` was down for the last two polls, and may have the first message of them. `pager` was down
    from the first problem on. Since then a port opened and closed, a price changed, 22/tcp closed.
    """
    copy = tmp_path / "old.db"
    copy.write_bytes((Path(__file__).parent / "data" / "store-0.1.0.sqlite").read_bytes())
    with Store.open(f"sqlite:///{copy}") as store:
        stored, receivers = store.load("main"), store.receivers()
    now = datetime(2026, 4, 16, 12, 10, tzinfo=UTC)
    page = Page.of(stored)

    def is_due(name: str) -> list[tuple[str, str, str]]:
        """The lines that the receiver is due, by VM."""
        recipient = Recipient(Route(name), receivers[name].since)
        knows = page.told.get(name, {})
        found = due(page.alerts.values(), knows, recipient, now, events={"price_changed"})
        lines = [(line.episode.fingerprint, line.reason) for line in found.lines]
        return sorted((of.subject, of.rule, reason) for of, reason in lines)

    assert [("0xapi", "port_drift", "first"), ("0xweb", "port_drift", "resolved")] == is_due("ops")
    assert [
        ("0xapi", "port_drift", "first"),
        ("0xdb", "price_changed", "first"),
        ("0xweb", "port_drift", "missed"),
    ] == is_due("pager")
    (lockout,) = stored.state.alerts.values()
    assert receivers["ops"].repeats(marks([lockout.episode]))
    assert not receivers["pager"].begun
    assert (1, "") == (receivers["ops"].failures, receivers["ops"].error)
    assert (2, "error=503") == (receivers["pager"].failures, receivers["pager"].error)


def shape(url: str) -> dict[str, object]:
    """Everything that a database says of its tables, and the revision that it says it has."""
    engine = create_engine(url)
    look = inspect(engine)
    found: dict[str, object] = {
        table: (
            sorted(
                ({**column, "type": str(column["type"])} for column in look.get_columns(table)),
                key=lambda column: str(column["name"]),
            ),
            look.get_pk_constraint(table),
            look.get_foreign_keys(table),
            look.get_unique_constraints(table),
            sorted(str(index["name"]) for index in look.get_indexes(table)),
            look.get_table_options(table),
        )
        for table in look.get_table_names()
    }
    with engine.connect() as connection:
        versions = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        found["revision"] = versions.scalars().all()
        if engine.dialect.name == "sqlite":
            indexes = "SELECT sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
            found["indexes"] = connection.exec_driver_sql(indexes).scalars().all()
            counted = "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY 1"
            found["counted"] = connection.exec_driver_sql(counted).scalars().all()
    engine.dispose()
    return found


def test_a_new_store_is_like_one_that_was_migrated(url: str, tmp_path: Path) -> None:
    """A new one is made without Alembic; later migrations find what they expect."""
    Store.open(url).close()
    migrated = f"sqlite:///{tmp_path}/migrated.db"
    old_store(migrated)
    Store.open(migrated).close()
    assert shape(migrated) == shape(url)
