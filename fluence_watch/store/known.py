"""The known VMs as rows."""

from collections.abc import Iterable
from typing import Any

import structlog
from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from fluence_watch.alerting.state import Change
from fluence_watch.model.known import Cause, KnownVm
from fluence_watch.store.codec import dump, load_boundaries, load_ports, load_vm
from fluence_watch.store.schema import vms

_log = structlog.get_logger(__name__)

_DELETE = delete(vms).where(
    vms.c.account_id == bindparam("of_account"), vms.c.key == bindparam("of_key")
)


def load_known(connection: Connection, account_id: int) -> dict[str, KnownVm]:
    """The known VMs of an account by key. Unreadable rows are skipped."""
    known: dict[str, KnownVm] = {}
    for row in connection.execute(select(vms).where(vms.c.account_id == account_id)):
        try:
            known[row.key] = _known(row)
        except ValueError as error:
            _log.warning("stored vm unreadable, skipped", vm=row.key, error=str(error))
    return known


def save_known(connection: Connection, account_id: int, change: Change) -> None:
    """Write the changed entries. They are deleted and inserted again, whatever is stored."""
    _delete(connection, account_id, [*change.forgotten, *change.seen])
    if change.seen:
        rows = [_values(account_id, key, entry) for key, entry in change.seen.items()]
        connection.execute(insert(vms), rows)


def _delete(connection: Connection, account_id: int, keys: Iterable[str]) -> None:
    if rows := [{"of_account": account_id, "of_key": key} for key in keys]:
        connection.execute(_DELETE, rows)


def _values(account_id: int, key: str, entry: KnownVm) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "key": key,
        "vm": dump(entry.vm),
        "baseline": None if entry.baseline is None else dump(entry.baseline),
        "first_seen_at": entry.first_seen_at,
        "missing_polls": entry.missing_polls,
        "missing_since": entry.missing_since,
        "missing_among": entry.missing_among,
        "last_seen_at": entry.last_seen_at,
        "removal_asked_at": entry.removal_asked_at,
        "remembered": None if entry.remembered is None else dump(entry.remembered),
        "cause": entry.cause,
        "boundaries": None if entry.boundaries is None else dump(entry.boundaries),
    }


def _known(row: Row[Any]) -> KnownVm:
    return KnownVm(
        vm=load_vm(row.vm),
        first_seen_at=row.first_seen_at,
        baseline=None if row.baseline is None else load_ports(row.baseline),
        missing_polls=row.missing_polls,
        missing_since=row.missing_since,
        missing_among=row.missing_among,
        last_seen_at=row.last_seen_at,
        removal_asked_at=row.removal_asked_at,
        remembered=None if row.remembered is None else load_vm(row.remembered),
        cause=None if row.cause is None else Cause(row.cause),
        boundaries=None if row.boundaries is None else load_boundaries(row.boundaries),
    )
