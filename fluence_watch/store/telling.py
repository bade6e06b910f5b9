"""What each receiver was notified of, and how the attempts to reach it went."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import (
    Connection,
    Integer,
    Row,
    bindparam,
    delete,
    exists,
    insert,
    literal,
    select,
    update,
)

from fluence_watch.alerting.attempts import Attempts
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.telling import Heard, Notified
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.store.alerts import THIS_EPISODE, which
from fluence_watch.store.codec import dump, load_begun
from fluence_watch.store.columns import AnyText, Moment
from fluence_watch.store.schema import accounts, alerts, notified, receivers

_log = structlog.get_logger(__name__)

_LONGEST_ERROR = 500

_OF_EPISODE = ~alerts.c.settled, *THIS_EPISODE
_ALERT_ID = select(alerts.c.id).where(*_OF_EPISODE).scalar_subquery()
_FORGET = delete(notified).where(
    notified.c.alert_id == _ALERT_ID, notified.c.receiver == bindparam("to_receiver")
)
_REMEMBER = insert(notified).from_select(
    ["alert_id", "receiver", "at", "severity", "step", "heard"],
    select(
        alerts.c.id,
        bindparam("to_receiver", type_=AnyText),
        bindparam("to_at", type_=Moment),
        bindparam("to_severity", type_=AnyText),
        bindparam("to_step", type_=Integer),
        bindparam("to_heard", type_=AnyText),
    ).where(*_OF_EPISODE),
)
_SETTLE = update(alerts).where(*_OF_EPISODE, alerts.c.ends_at.is_not(None)).values(settled=True)
_FORGET_ALL = delete(notified).where(notified.c.alert_id == _ALERT_ID)


def load_notified(connection: Connection, account_id: int) -> dict[str, dict[Episode, Notified]]:
    """What each receiver was notified of, of the account's alerts that are not settled."""
    found: defaultdict[str, dict[Episode, Notified]] = defaultdict(dict)
    columns = accounts.c.name, alerts.c.rule, alerts.c.subject, alerts.c.key, alerts.c.active_at
    query = (
        select(*columns, notified)
        .join_from(notified, alerts)
        .join(accounts)
        .where(alerts.c.account_id == account_id, ~alerts.c.settled)
    )
    for row in connection.execute(query):
        if known := _notified(row):
            found[row.receiver][Episode(Fingerprint(*row[:4]), row.active_at)] = known
    return dict(found)


def load_told(connection: Connection, episode: Episode) -> dict[str, Notified]:
    """What each receiver was notified of an alert that is not settled."""
    about = episode.fingerprint
    query = (
        select(notified)
        .join_from(notified, alerts)
        .join(accounts)
        .where(
            accounts.c.name == about.account,
            alerts.c.rule == about.rule,
            alerts.c.subject == about.subject,
            alerts.c.key == about.key,
            alerts.c.active_at == episode.active_at,
        )
    )
    return {row.receiver: told for row in connection.execute(query) if (told := _notified(row))}


def _notified(row: Row[Any]) -> Notified | None:
    try:
        return Notified(row.at, Severity(row.severity), row.step, Heard(row.heard))
    except ValueError as error:  # written by a later version
        _log.warning("stored notification unreadable, skipped", error=str(error))
        return None


def save_notified(connection: Connection, receiver: str, told: Mapping[Episode, Notified]) -> None:
    """Write what the receiver was notified of. Episodes that are not stored are skipped."""
    rows = [
        {
            **parameters,
            "to_receiver": receiver,
            "to_at": told[episode].at,
            "to_severity": told[episode].severity,
            "to_step": told[episode].step,
            "to_heard": told[episode].heard,
        }
        for episode, parameters in _parameters(connection, told)
    ]
    if rows:
        connection.execute(_FORGET, rows)
        connection.execute(_REMEMBER, rows)


def settle(connection: Connection, episodes: Collection[Episode]) -> None:
    """Record that no receiver is due anything of these ended alerts any more."""
    rows = [parameters for _, parameters in _parameters(connection, episodes)]
    if rows:
        connection.execute(_FORGET_ALL, rows)
        connection.execute(_SETTLE, rows)


def _parameters(
    connection: Connection, episodes: Iterable[Episode]
) -> list[tuple[Episode, dict[str, Any]]]:
    """The parameters that identify each episode of a stored account."""
    listed = list(episodes)
    names = {episode.fingerprint.account for episode in listed}
    query = select(accounts.c.name, accounts.c.id).where(accounts.c.name.in_(names))
    ids = {row.name: row.id for row in connection.execute(query)}
    return [
        (
            each,
            which(ids[each.fingerprint.account], each.fingerprint)
            | {"of_active_at": each.active_at},
        )
        for each in listed
        if each.fingerprint.account in ids
    ]


def load_receivers(connection: Connection) -> dict[str, Attempts]:
    """Every receiver that is or was in the settings, with its attempts."""
    return {
        row.name: Attempts(
            since=row.since,
            failures=row.attempts,
            next_at=row.next_attempt_at,
            error=row.error or "",
            begun=load_begun(row.begun) if row.begun else frozenset(),
        )
        for row in connection.execute(select(receivers))
    }


def add_receiver(connection: Connection, name: str, since: datetime) -> None:
    """Add a receiver, unless it is there."""
    there = exists().where(receivers.c.name == name)
    row = select(literal(name), literal(since, Moment), literal(0)).where(~there)
    connection.execute(insert(receivers).from_select(["name", "since", "attempts"], row))


def remove_receiver(connection: Connection, name: str) -> None:
    """Forget a receiver and what it was notified of."""
    connection.execute(delete(notified).where(notified.c.receiver == name))
    connection.execute(delete(receivers).where(receivers.c.name == name))


def save_attempts(connection: Connection, name: str, attempts: Attempts) -> None:
    """Write how the attempts to reach the receiver went. A long error text is cut."""
    values = {
        "attempts": attempts.failures,
        "next_attempt_at": attempts.next_at,
        "error": attempts.error[:_LONGEST_ERROR] or None,
        "begun": dump(sorted(attempts.begun)) if attempts.begun else None,
    }
    this = update(receivers).where(receivers.c.name == name)
    if not connection.execute(this.values(values)).rowcount:
        connection.execute(insert(receivers).values(name=name, since=attempts.since, **values))
