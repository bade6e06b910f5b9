"""The journal as rows: what happened to alerts, accounts and receivers, and what did not, and why.

An entry about an alert that is stored goes with it; every other one by its age.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

import msgspec
import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    func,
    insert,
    select,
)

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.conditions import END_OF, Conditions, conditions_in
from fluence_watch.alerting.journal import NOTHING, Details, Entry, What
from fluence_watch.alerting.lifecycle import Alert, Episode
from fluence_watch.alerting.telling import Notified
from fluence_watch.model.finding import Fingerprint, Severity
from fluence_watch.store.alerts import (
    THIS_EPISODE,
    is_settled,
    load_alert_row,
    load_of_subject,
    which,
)
from fluence_watch.store.codec import Loader, dump, load_facts
from fluence_watch.store.columns import AnyText, Moment
from fluence_watch.store.database import Database
from fluence_watch.store.journal_bounds import merge_dropped
from fluence_watch.store.schema import accounts, alerts, journal, of_account, of_receiver
from fluence_watch.store.telling import load_told

_log = structlog.get_logger(__name__)

_ADD = insert(journal).from_select(
    ["alert_id", "receiver", "at", "what", "details"],
    select(
        alerts.c.id,
        bindparam("to_receiver", type_=AnyText),
        bindparam("to_at", type_=Moment),
        bindparam("to_what", type_=AnyText),
        bindparam("to_details", type_=AnyText),
    ).where(*THIS_EPISODE),
)
_OF_ALERTS = (
    select(
        journal,
        accounts.c.name,
        alerts.c.rule.label("of_rule"),
        alerts.c.subject.label("of_subject"),
        alerts.c.key.label("of_key"),
        alerts.c.active_at,
    )
    .join_from(journal, alerts)
    .join(accounts, alerts.c.account_id == accounts.c.id)
)
_OF_ACCOUNTS = select(journal, accounts.c.name).join_from(
    journal, accounts, journal.c.account_id == accounts.c.id
)
_OF_MANY = [What.GUARDED, What.UNGUARDED]
"""What is about several VMs, with a subject of its own."""
_FIELDS = tuple(each.name for each in fields(Details))


class _Stored(msgspec.Struct, omit_defaults=True):
    """Details as JSON. The names of their fields are as long as they are read."""

    reason: str = ""
    by: str = ""
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    first_at: datetime | None = None
    number: int | None = None
    among: int | None = None
    severity: Severity | None = None
    step: int = 0
    facts: Any = None
    settings: dict[str, Any] = {}
    facts_type: str = ""


_load_stored = Loader(_Stored)


class JournalStore:
    """The part of the store with the journal. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_alert(self, episode: Episode) -> list[Entry]:
        """The entries about an alert that is stored, oldest first."""
        about = episode.fingerprint
        query = _OF_ALERTS.where(
            accounts.c.name == about.account,
            alerts.c.subject == about.subject,
            alerts.c.rule == about.rule,
            alerts.c.key == about.key,
            alerts.c.active_at == episode.active_at,
        )
        return self._entries(query)

    def of_subject(self, account: str, subject: str) -> list[Entry]:
        """The entries about a VM that are about no alert that is stored, oldest first."""
        query = _OF_ACCOUNTS.where(accounts.c.name == account, journal.c.subject == subject)
        return self._entries(query)

    def of_account(
        self,
        account: str,
        subject: str,
        first: datetime,
        last: datetime | None,
        *,
        most: int | None = None,
    ) -> list[Entry]:
        """The latest entries about an account in that time, oldest first.

        They are about its polls, its lists, its guard, and about whether this VM can be read.
        """
        query = _OF_ACCOUNTS.where(
            accounts.c.name == account,
            of_account,
            _within(first, last),
            journal.c.subject.in_(["", subject]) | journal.c.what.in_(_OF_MANY),
        )
        return self._latest(query, most)

    def of_receivers(
        self, first: datetime, last: datetime | None, *, most: int | None = None
    ) -> list[Entry]:
        """The latest entries about receivers alone in that time, oldest first."""
        query = select(journal).where(of_receiver, _within(first, last))
        return self._latest(query, most)

    def last_of(self, receiver: str) -> list[Entry]:
        """The last entry of a receiver about each alert that is not settled."""
        last = select(func.max(journal.c.id)).join_from(journal, alerts)
        last = last.where(journal.c.receiver == receiver, ~alerts.c.settled)
        return self._entries(_OF_ALERTS.where(journal.c.id.in_(last.group_by(journal.c.alert_id))))

    def receivers(self) -> list[str]:
        """The receivers that anything is written of, also those that are removed from the settings."""
        names = select(journal.c.receiver).where(journal.c.receiver.is_not(None)).distinct()
        with self._database.read() as connection:
            return list(connection.scalars(names))

    def ids(self) -> dict[str, Episode]:
        """Every alert that is stored, open or over, by its id (see `mark`)."""
        columns = alerts.c.rule, alerts.c.subject, alerts.c.key, alerts.c.active_at
        query = select(accounts.c.name, *columns).join_from(alerts, accounts)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(alerts.c.id)).all()
        found = [Episode(Fingerprint(*row[:4]), row.active_at) for row in rows]
        return {mark(episode): episode for episode in found}

    def alert(self, episode: Episode) -> Alert | None:
        """The alert of an episode, if it is stored."""
        with self._database.read() as connection:
            return load_alert_row(connection, episode)

    def is_settled(self, episode: Episode) -> bool:
        """Whether no receiver is due anything of the alert any more: all of it is written."""
        with self._database.read() as connection:
            return is_settled(connection, episode)

    def alerts(self, account: str, subject: str) -> list[Alert]:
        """The alerts about a VM, open or over, newest first."""
        with self._database.read() as connection:
            return load_of_subject(connection, account, subject)

    def told(self, episode: Episode) -> dict[str, Notified]:
        """What deliveries know of an alert that is not settled, by receiver."""
        with self._database.read() as connection:
            return load_told(connection, episode)

    def _latest(self, query: Select[Any], most: int | None) -> list[Entry]:
        with self._database.read() as connection:
            newest = query.order_by(journal.c.at.desc(), journal.c.id.desc()).limit(most)
            rows = connection.execute(newest).all()
        return list(_readable(rows[::-1]))

    def _entries(self, query: Select[Any]) -> list[Entry]:
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(journal.c.id)).all()
        return list(_readable(rows))


def _within(first: datetime, last: datetime | None) -> ColumnElement[bool]:
    return journal.c.at >= first if last is None else journal.c.at.between(first, last)


def save(connection: Connection, entries: Collection[Entry]) -> None:
    """Write these entries. Those about alerts or accounts that are not stored are left out."""
    if not entries:
        return
    names = {entry.about.account for entry in entries if entry.about}
    query = select(accounts.c.name, accounts.c.id).where(accounts.c.name.in_(names))
    ids: Mapping[str, int] = {row.name: row.id for row in connection.execute(query)}
    known = [each for each in entries if each.about is None or each.about.account in ids]
    of_alerts = [_of_alert(each, ids) for each in known if each.episode]
    others = merge_dropped(connection, [each for each in known if not each.episode], ids)
    if of_alerts:
        connection.execute(_ADD, of_alerts)
    if others:
        connection.execute(insert(journal), [_other(each, ids) for each in others])


def load_conditions(connection: Connection, account_id: int) -> Conditions:
    """What lasted after the last commit of the account."""
    kind = case(*((journal.c.what.in_(each), each[0]) for each in END_OF.items()))
    mine = journal.c.account_id == account_id, kind.is_not(None)
    last = select(func.max(journal.c.id)).where(*mine)
    last = last.group_by(journal.c.rule, journal.c.subject, kind)
    query = _OF_ACCOUNTS.where(journal.c.id.in_(last))
    rows = connection.execute(query.order_by(journal.c.id))
    return conditions_in(_readable(rows))


def _of_alert(entry: Entry, ids: Mapping[str, int]) -> dict[str, Any]:
    assert entry.about
    return {
        **which(ids[entry.about.account], entry.about),
        "of_active_at": entry.active_at,
        "to_receiver": entry.receiver,
        "to_at": entry.at,
        "to_what": entry.what,
        "to_details": _dumped(entry.details),
    }


def _other(entry: Entry, ids: Mapping[str, int]) -> dict[str, Any]:
    about = entry.about
    return {
        "account_id": ids[about.account] if about else None,
        "rule": about.rule if about else None,
        "subject": about.subject if about else None,
        "key": about.key if about else None,
        "receiver": entry.receiver,
        "at": entry.at,
        "what": entry.what,
        "details": _dumped(entry.details),
    }


def _dumped(details: Details) -> str | None:
    """As JSON, without what is absent."""
    if details == NOTHING:
        return None
    values = {name: getattr(details, name) for name in _FIELDS}
    present = {name: value for name, value in values.items() if value not in (None, "", 0, {})}
    if details.facts is not None:
        present["facts_type"] = type(details.facts).__name__
    return dump(present)


def _loaded(text: str | None) -> Details:
    if text is None:
        return NOTHING
    stored = _load_stored(text)
    values = {name: getattr(stored, name) for name in _FIELDS}
    if stored.facts is not None:
        values["facts"] = load_facts(stored.facts_type, dump(stored.facts))
    return Details(**values)


def _readable(rows: Iterable[Row[Any]]) -> Iterator[Entry]:
    """The entries that this version can read."""
    for row in rows:
        try:
            yield _entry(row)
        except ValueError as error:
            _log.warning("entry of the journal unreadable, skipped", id=row.id, error=str(error))


def _entry(row: Row[Any]) -> Entry:
    about, active_at = None, None
    if row.alert_id is not None:
        about = Fingerprint(row.name, row.of_rule, row.of_subject, row.of_key)
        active_at = row.active_at
    elif row.account_id is not None:
        about = Fingerprint(row.name, row.rule, row.subject, row.key)
    details = _loaded(row.details)
    return Entry(row.at, What(row.what), about, active_at, row.receiver, details)
