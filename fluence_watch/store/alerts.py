"""Alerts as rows: the open alerts, those that a receiver may still be due, and the history."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import (
    Connection,
    Executable,
    Row,
    Select,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.lifecycle import Alert, Episode, State
from fluence_watch.alerting.state import Change
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.store.codec import dump, load_facts
from fluence_watch.store.schema import accounts, alerts, is_open

_log = structlog.get_logger(__name__)

_MOST = 10_000

_ALERTS = select(alerts, accounts.c.name.label("account")).join_from(alerts, accounts)
_THIS = (
    alerts.c.account_id == bindparam("of_account"),
    alerts.c.rule == bindparam("of_rule"),
    alerts.c.subject == bindparam("of_subject"),
    alerts.c.key == bindparam("of_key"),
)
_THIS_ONE = is_open, *_THIS
THIS_EPISODE = *_THIS, alerts.c.active_at == bindparam("of_active_at")
"""Its parameters are those of `which` and `of_active_at`."""
_DELETE = delete(alerts).where(*_THIS_ONE)
_CHANGING = (
    "severity",
    "state",
    "facts_type",
    "facts",
    "active_at",
    "starts_at",
    "clear_since",
    "ends_at",
    "quiet",
    "relevant_until",
    "step",
)
_UPDATE = (
    update(alerts).where(*_THIS_ONE).values({name: bindparam(f"to_{name}") for name in _CHANGING})
)


def load_open(connection: Connection, account_id: int) -> dict[Fingerprint, Alert]:
    """The open alerts of an account."""
    query = _ALERTS.where(alerts.c.account_id == account_id, is_open).order_by(alerts.c.id)
    return {alert.fingerprint: alert for alert in _readable(connection.execute(query))}


def load_unsettled(connection: Connection, account_id: int) -> list[Alert]:
    """The ended alerts of an account that a receiver may still be due."""
    query = _ALERTS.where(alerts.c.account_id == account_id, ~alerts.c.settled, ~is_open)
    return list(_readable(connection.execute(query.order_by(alerts.c.id))))


def load_history(connection: Connection, account: str | None, limit: int) -> list[Alert]:
    """The resolved alerts of one account or of all accounts, newest first."""
    query = _ALERTS.where(~is_open).order_by(alerts.c.ends_at.desc(), alerts.c.id.desc())
    if account is not None:
        query = query.where(accounts.c.name == account)
    return list(_readable(connection.execute(query.limit(limit))))


def load_alert(connection: Connection, alert_id: str) -> Alert | None:
    """The alert with this id (see `mark`), open or over. Only its own row is read in full."""
    names = (alerts.c.rule, alerts.c.subject, alerts.c.key, alerts.c.active_at)
    query = select(alerts.c.id, accounts.c.name, *names).join_from(alerts, accounts)
    for row_id, *about, active_at in connection.execute(query.order_by(alerts.c.id.desc())):
        if mark(Episode(Fingerprint(*about), active_at)) == alert_id:
            this = connection.execute(_ALERTS.where(alerts.c.id == row_id))
            return next(_readable(this), None)
    return None


def load_alert_row(connection: Connection, episode: Episode) -> Alert | None:
    """The alert of an episode, open or over."""
    return next(_readable(connection.execute(_of_episode(episode))), None)


def is_settled(connection: Connection, episode: Episode) -> bool:
    """Whether no receiver is due anything of the alert of an episode any more."""
    row = connection.execute(_of_episode(episode)).first()
    return row is not None and row.settled


def load_of_subject(connection: Connection, account: str, subject: str) -> list[Alert]:
    """The alerts about a subject, open or over, newest first."""
    return list(_readable(connection.execute(_of_subject(account, subject))))


def _of_episode(episode: Episode) -> Select[Any]:
    about = episode.fingerprint
    return _of_subject(about.account, about.subject).where(
        alerts.c.rule == about.rule,
        alerts.c.key == about.key,
        alerts.c.active_at == episode.active_at,
    )


def _of_subject(account: str, subject: str) -> Select[Any]:
    newest = alerts.c.active_at.desc(), alerts.c.id.desc()
    return _ALERTS.where(accounts.c.name == account, alerts.c.subject == subject).order_by(*newest)


def load_overlapping(
    connection: Connection, names: Collection[str], since: datetime, until: datetime
) -> list[Alert]:
    """The resolved alerts of these accounts that fired between the two times, newest first."""
    query = _ALERTS.where(
        alerts.c.ends_at >= since, alerts.c.starts_at < until, accounts.c.name.in_(names)
    )
    newest = alerts.c.ends_at.desc(), alerts.c.id.desc()
    return list(_readable(connection.execute(query.order_by(*newest).limit(_MOST))))


def save_alerts(connection: Connection, account_id: int, change: Change) -> None:
    """Write the changed alerts. The ended ones become history.

    A new alert replaces whatever is stored for it, such as an unreadable row.
    """
    stale = [*change.dropped, *(alert.fingerprint for alert in change.opened)]
    moved = [_update(account_id, alert) for alert in (*change.moved, *change.ended)]
    _many(connection, _UPDATE, moved)
    _many(connection, _DELETE, [which(account_id, fingerprint) for fingerprint in stale])
    _many(connection, insert(alerts), [_insert(account_id, alert) for alert in change.opened])


def _many(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:  # without rows, SQLAlchemy executes the statement once with nothing bound
        connection.execute(statement, rows)


def which(account_id: int, fingerprint: Fingerprint) -> dict[str, Any]:
    """The parameters that identify an alert of the account."""
    return {
        "of_account": account_id,
        "of_rule": fingerprint.rule,
        "of_subject": fingerprint.subject,
        "of_key": fingerprint.key,
    }


def _update(account_id: int, alert: Alert) -> dict[str, Any]:
    changing = {f"to_{name}": value for name, value in _changing(alert).items()}
    return which(account_id, alert.fingerprint) | changing


def _insert(account_id: int, alert: Alert) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "rule": alert.fingerprint.rule,
        "subject": alert.fingerprint.subject,
        "key": alert.fingerprint.key,
        "settled": False,
        **_changing(alert),
    }


def _changing(alert: Alert) -> dict[str, Any]:
    return {
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
        "step": alert.step,
    }


def _readable(rows: Iterable[Row[Any]]) -> Iterator[Alert]:
    """The alerts that this version can read. The next poll finds the others again."""
    for row in rows:
        try:
            yield _alert(row)
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
        step=row.step,
    )
