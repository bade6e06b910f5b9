"""The known disks, addresses and GPU instances as rows."""

from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from fluence_watch.alerting.state import Change
from fluence_watch.model.known import Cause
from fluence_watch.model.known_resource import KnownResource
from fluence_watch.store.codec import dump, load_resource
from fluence_watch.store.schema import resources

_log = structlog.get_logger(__name__)

_DELETE = delete(resources).where(
    resources.c.account_id == bindparam("of_account"), resources.c.key == bindparam("of_key")
)


def load_resources(connection: Connection, account_id: int) -> dict[str, KnownResource]:
    """The known resources of an account by key. Unreadable rows are skipped."""
    known: dict[str, KnownResource] = {}
    for row in connection.execute(select(resources).where(resources.c.account_id == account_id)):
        try:
            known[row.key] = _known(row)
        except ValueError as error:
            _log.warning("stored resource unreadable, skipped", key=row.key, error=str(error))
    return known


def save_resources(connection: Connection, account_id: int, change: Change) -> None:
    """Write the changed entries. They are deleted and inserted again, whatever is stored."""
    keys = [*change.returned, *change.rented]
    if keys:
        connection.execute(_DELETE, [{"of_account": account_id, "of_key": key} for key in keys])
    if change.rented:
        rows = [_values(account_id, key, entry) for key, entry in change.rented.items()]
        connection.execute(insert(resources), rows)


def _values(account_id: int, key: str, entry: KnownResource) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "key": key,
        "resource": dump(entry.resource),
        "first_seen_at": entry.first_seen_at,
        "missing_polls": entry.missing_polls,
        "missing_since": entry.missing_since,
        "missing_among": entry.missing_among,
        "last_seen_at": entry.last_seen_at,
        "cause": entry.cause,
    }


def _known(row: Row[Any]) -> KnownResource:
    return KnownResource(
        load_resource(row.resource),
        row.first_seen_at,
        row.missing_polls,
        row.missing_since,
        row.missing_among,
        row.last_seen_at,
        None if row.cause is None else Cause(row.cause),
    )
