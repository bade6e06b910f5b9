"""Alerts as rows: the open alerts with their last notifications, and the history."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Executable, Row, bindparam, delete, insert, select, update

from fluence_watch.alerting.lifecycle import Alert, State
from fluence_watch.alerting.routing import LastNotified
from fluence_watch.alerting.state import AccountState
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.store.codec import dump, load_facts, load_last_notified
from fluence_watch.store.schema import accounts, alerts, is_open

_log = structlog.get_logger(__name__)

_ALERTS = select(alerts, accounts.c.name.label("account")).join_from(alerts, accounts)
_THIS_ONE = (
    is_open,
    alerts.c.account_id == bindparam("of_account"),
    alerts.c.rule == bindparam("of_rule"),
    alerts.c.subject == bindparam("of_subject"),
    alerts.c.key == bindparam("of_key"),
)
_DELETE = delete(alerts).where(*_THIS_ONE)
_END = (
    update(alerts)
    .where(*_THIS_ONE)
    .values(
        state=bindparam("to_state"),
        ends_at=bindparam("to_ends_at"),
        quiet=bindparam("to_quiet"),
        clear_since=None,
        told=None,
    )
)


def load_open(
    connection: Connection, account_id: int
) -> tuple[dict[Fingerprint, Alert], dict[tuple[Fingerprint, str], datetime]]:
    """The open alerts of an account, and when each receiver was last notified of each."""
    still_open: dict[Fingerprint, Alert] = {}
    last_notified: dict[tuple[Fingerprint, str], datetime] = {}
    query = _ALERTS.where(alerts.c.account_id == account_id, is_open).order_by(alerts.c.id)
    for alert, receivers in _readable(connection.execute(query)):
        still_open[alert.fingerprint] = alert
        last_notified.update({(alert.fingerprint, name): at for name, at in receivers.items()})
    return still_open, last_notified


def load_history(connection: Connection, account: str | None, limit: int) -> list[Alert]:
    """The resolved alerts of one account or of all accounts, newest first."""
    query = _ALERTS.where(~is_open).order_by(alerts.c.ends_at.desc(), alerts.c.id.desc())
    if account is not None:
        query = query.where(accounts.c.name == account)
    return [alert for alert, _ in _readable(connection.execute(query.limit(limit)))]


def load_firing(connection: Connection, account: str | None) -> dict[Fingerprint, datetime]:
    """The firing alerts of one account or of all accounts with their `active_at`, without facts."""
    columns = accounts.c.name, alerts.c.rule, alerts.c.subject, alerts.c.key, alerts.c.active_at
    query = (
        select(*columns).join_from(alerts, accounts).where(is_open, alerts.c.state == State.FIRING)
    )
    if account is not None:
        query = query.where(accounts.c.name == account)
    rows = connection.execute(query)
    return {Fingerprint(*of): active_at for *of, active_at in rows}


def save_alerts(
    connection: Connection,
    account_id: int,
    before: AccountState,
    after: AccountState,
    ended: Sequence[Alert],
) -> None:
    """Write the changed alerts. The ended ones become history.

    A changed alert is deleted and inserted again, whatever is stored for it.
    The last notifications are stored for open alerts only.
    """
    resolved = {alert.fingerprint for alert in ended}
    renotified = {
        fingerprint
        for (fingerprint, _), _ in after.last_notified.items() ^ before.last_notified.items()
    }
    changed = [
        alert
        for fingerprint, alert in after.alerts.items()
        if fingerprint in renotified
        or (before.alerts.get(fingerprint) is not alert and before.alerts.get(fingerprint) != alert)
    ]
    dropped = before.alerts.keys() - after.alerts.keys() - resolved
    _many(connection, _END, [_ending(account_id, alert) for alert in ended])
    stale = [*dropped, *(alert.fingerprint for alert in changed)]
    _many(connection, _DELETE, [_which(account_id, fingerprint) for fingerprint in stale])
    receivers = _by_fingerprint(after.last_notified)
    rows = [_values(account_id, alert, receivers.get(alert.fingerprint)) for alert in changed]
    _many(connection, insert(alerts), rows)


def _many(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:  # without rows, SQLAlchemy executes the statement once with nothing bound
        connection.execute(statement, rows)


def _by_fingerprint(last_notified: LastNotified) -> dict[Fingerprint, dict[str, datetime]]:
    by_fingerprint: dict[Fingerprint, dict[str, datetime]] = defaultdict(dict)
    for (fingerprint, receiver), at in last_notified.items():
        by_fingerprint[fingerprint][receiver] = at
    return by_fingerprint


def _which(account_id: int, fingerprint: Fingerprint) -> dict[str, Any]:
    return {
        "of_account": account_id,
        "of_rule": fingerprint.rule,
        "of_subject": fingerprint.subject,
        "of_key": fingerprint.key,
    }


def _ending(account_id: int, alert: Alert) -> dict[str, Any]:
    return _which(account_id, alert.fingerprint) | {
        "to_state": alert.state,
        "to_ends_at": alert.ends_at,
        "to_quiet": alert.quiet,
    }


def _values(
    account_id: int, alert: Alert, receivers: Mapping[str, datetime] | None
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "rule": alert.fingerprint.rule,
        "subject": alert.fingerprint.subject,
        "key": alert.fingerprint.key,
        "severity": alert.severity,
        "state": alert.state,
        "facts_type": type(alert.facts).__name__,
        "facts": dump(alert.facts),
        "active_at": alert.active_at,
        "starts_at": alert.starts_at,
        "clear_since": alert.clear_since,
        "ends_at": alert.ends_at,
        "quiet": alert.quiet,
        "relevant_until": alert.relevant_until,
        "told": dump(receivers) if receivers else None,
    }


def _readable(rows: Iterable[Row[Any]]) -> Iterator[tuple[Alert, dict[str, datetime]]]:
    """The alerts that this version can read. The next poll finds the others again."""
    for row in rows:
        try:
            yield _alert(row), load_last_notified(row.told) if row.told else {}
        except ValueError as error:
            _log.warning(
                "stored alert unreadable, skipped",
                rule=row.rule,
                subject=row.subject,
                error=str(error),
            )


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        fingerprint=Fingerprint(row.account, row.rule, row.subject, row.key),
        severity=Severity(row.severity),
        state=State(row.state),
        facts=load_facts(row.facts_type, row.facts),
        active_at=row.active_at,
        starts_at=row.starts_at,
        clear_since=row.clear_since,
        ends_at=row.ends_at,
        quiet=row.quiet,
        relevant_until=row.relevant_until,
    )
