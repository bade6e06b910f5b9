"""Silences and acknowledgements: commands write them, and the daemon reads them before each message."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Column, Connection, Row, delete, insert, select, update

from fluence_watch.alerting.journal import NOTHING, Details, Entry, What
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.alerting.matchers import parse_matchers
from fluence_watch.alerting.muting import Acknowledgement, Silence
from fluence_watch.alerting.state import Change
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.store import journal
from fluence_watch.store.database import Database
from fluence_watch.store.schema import accounts, acknowledgements, alerts, is_open, silences

_log = structlog.get_logger(__name__)

_STANDING: tuple[Column[Any], ...] = alerts.c.id, alerts.c.severity, alerts.c.step


class SilenceStore:
    """The part of the store with silences and acknowledgements. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, since: datetime | None = None) -> list[Silence]:
        """The silences that end later than that, the first to end first. Unreadable ones are logged."""
        query = select(silences).order_by(silences.c.ends_at, silences.c.id)
        if since is not None:
            query = query.where(silences.c.ends_at > since)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [silence for row in rows if (silence := _silence(row)) is not None]

    def add(self, silence: Silence) -> None:
        """Store a new silence."""
        row = {
            "id": silence.id,
            "matchers": ",".join(map(str, silence.matchers)),
            "starts_at": silence.starts_at,
            "ends_at": silence.ends_at,
            "comment": silence.comment,
            "author": silence.author,
        }
        with self._database.write() as connection:
            connection.execute(insert(silences).values(row))

    def expire(self, silence_id: str, now: datetime) -> None:
        """End a silence now. One that has not begun never does."""
        this = silences.c.id == silence_id
        with self._database.write() as connection:
            connection.execute(delete(silences).where(this, silences.c.starts_at >= now))
            connection.execute(
                update(silences).where(this, silences.c.ends_at > now).values(ends_at=now)
            )

    def prune(self, before: datetime) -> int:
        """Remove the silences that ended before that time. Returns their number."""
        with self._database.write() as connection:
            return connection.execute(delete(silences).where(silences.c.ends_at < before)).rowcount

    def acknowledged(self) -> Mapping[Episode, Acknowledgement]:
        """The open alerts that somebody takes care of, or did, and those that ended and are not settled."""
        with self._database.read() as connection:
            return _acknowledged(connection)

    def acknowledge(self, episode: Episode, wanted: Acknowledgement) -> bool:
        """Take care of an open alert from now on. Returns false if it is over, or worse than `wanted`."""
        row = {
            "at": wanted.at,
            "until": wanted.until,
            "severity": wanted.severity.value,
            "step": wanted.step,
            "comment": wanted.comment,
            "author": wanted.author,
        }
        with self._database.write() as connection:
            alert = _open_alert(connection, episode)
            if alert is None or wanted.is_outgrown(Severity(alert.severity), alert.step):
                return False  # it got worse since it was read
            this = acknowledgements.c.alert_id == alert.id
            if not connection.execute(update(acknowledgements).where(this).values(row)).rowcount:
                connection.execute(insert(acknowledgements).values(alert_id=alert.id, **row))
            details = Details(by=wanted.author, text=wanted.comment, until=wanted.until)
            _write(connection, episode, wanted.at, What.ACKNOWLEDGED, details)
            return True

    def withdraw(self, episode: Episode, now: datetime) -> bool:
        """Nobody takes care of the alert any more. That somebody did is kept: a link acts once.

        Returns false if nobody did.
        """
        with self._database.write() as connection:
            return _withdraw(connection, episode, now)


def end_outgrown(connection: Connection, change: Change) -> None:
    """End the acknowledgements of alerts that got worse, for good: also if these get milder again."""
    moved, now = {each.episode: each for each in change.moved}, change.after.last_poll_at
    for episode, acknowledgement in _acknowledged(connection).items() if moved else ():
        if now and (alert := moved.get(episode)) and acknowledgement.is_outgrown_by(alert):
            _withdraw(connection, episode, now)


def _acknowledged(connection: Connection) -> dict[Episode, Acknowledgement]:
    # also those of alerts that just ended: who looks at these may not know it yet
    query = (
        select(acknowledgements, alerts, accounts.c.name)
        .select_from(acknowledgements.join(alerts).join(accounts))
        .where(~alerts.c.settled)
    )
    return {_episode(row): _acknowledgement(row) for row in connection.execute(query)}


def _withdraw(connection: Connection, episode: Episode, now: datetime) -> bool:
    alert = _open_alert(connection, episode)
    this = acknowledgements.c.alert_id == (alert.id if alert else None)
    lasting = acknowledgements.c.until > now
    ended = update(acknowledgements).where(this, lasting).values(until=now)
    if not connection.execute(ended).rowcount:
        return False
    _write(connection, episode, now, What.UNACKNOWLEDGED, NOTHING)
    return True


def _write(
    connection: Connection, episode: Episode, at: datetime, what: What, details: Details
) -> None:
    about, active_at = episode
    journal.save(connection, [Entry(at, what, about, active_at, details=details)])


def _silence(row: Row[Any]) -> Silence | None:
    try:
        matchers = parse_matchers(row.matchers)
    except ValueError as error:
        _log.warning("silence unreadable, skipped", id=row.id, error=str(error))
        return None
    return Silence(row.id, matchers, row.starts_at, row.ends_at, row.comment, row.author)


def _episode(row: Row[Any]) -> Episode:
    return Episode(Fingerprint(row.name, row.rule, row.subject, row.key), row.active_at)


def _acknowledgement(row: Row[Any]) -> Acknowledgement:
    return Acknowledgement(
        row.at, row.until, Severity(row.severity), row.step, row.author, row.comment
    )


def _open_alert(connection: Connection, episode: Episode) -> Row[Any] | None:
    about = episode.fingerprint
    query = (
        select(*_STANDING)
        .select_from(alerts.join(accounts))
        .where(
            is_open,
            accounts.c.name == about.account,
            alerts.c.rule == about.rule,
            alerts.c.subject == about.subject,
            alerts.c.key == about.key,
            alerts.c.active_at == episode.active_at,
        )
    )
    return connection.execute(query).one_or_none()
