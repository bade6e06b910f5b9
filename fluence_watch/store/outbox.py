"""The queued messages of each receiver, in order of creation."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from fluence_watch.alerting.delivery import Queued
from fluence_watch.alerting.grouping import Message
from fluence_watch.model.undelivered import Undelivered
from fluence_watch.store.codec import dump_message, load_message
from fluence_watch.store.schema import outbox

_log = structlog.get_logger(__name__)

_LONGEST_ERROR = 500


def append(connection: Connection, messages: Sequence[Message]) -> None:
    """Append the messages to their receivers' queues."""
    rows = [
        {
            "receiver": message.receiver,
            "created_at": message.created_at,
            "message": dump_message(message),
            "attempts": 0,
            "in_flight": False,
        }
        for message in messages
    ]
    if rows:
        connection.execute(insert(outbox), rows)


def load_queued(
    connection: Connection, receiver: str, limit: int
) -> tuple[list[Queued], list[int]]:
    """The first messages of the queue, and the ids of unreadable ones."""
    queued: list[Queued] = []
    unreadable: list[int] = []
    query = select(outbox).where(outbox.c.receiver == receiver).order_by(outbox.c.id).limit(limit)
    for row in connection.execute(query):
        try:
            queued.append(_queued(row))
        except ValueError as error:
            unreadable.append(row.id)
            _log.error(
                "queued message unreadable, dropped",
                receiver=receiver,
                created_at=row.created_at,
                error=str(error),
            )
    return queued, unreadable


def count_waiting(connection: Connection) -> dict[str, tuple[int, datetime]]:
    """The number of queued messages and the creation time of the oldest, by receiver."""
    query = select(outbox.c.receiver, func.count(), func.min(outbox.c.created_at)).group_by(
        outbox.c.receiver
    )
    return {receiver: (number, oldest) for receiver, number, oldest in connection.execute(query)}


def load_undelivered(connection: Connection) -> dict[str, Undelivered]:
    """The queue and the last error of each receiver that refused a queued message."""
    refused = outbox.c.error.is_not(None)
    last = (
        select(outbox.c.receiver, func.max(outbox.c.next_attempt_at).label("at"))
        .where(refused)
        .group_by(outbox.c.receiver)
        .subquery()
    )
    latest = (outbox.c.receiver == last.c.receiver) & (outbox.c.next_attempt_at == last.c.at)
    query = select(outbox.c.receiver, outbox.c.error).join(last, latest).where(refused)
    waiting = count_waiting(connection)
    return {
        receiver: Undelivered(error, *waiting[receiver])
        for receiver, error in connection.execute(query)
    }


def mark_begun(connection: Connection, ids: Sequence[int]) -> None:
    """Record the start of an attempt, whose outcome is still unknown."""
    connection.execute(
        update(outbox)
        .where(outbox.c.id.in_(ids))
        .values(attempts=outbox.c.attempts + 1, in_flight=True)
    )


def mark_failed(
    connection: Connection, ids: Sequence[int], next_attempt_at: datetime, error: str
) -> None:
    """Record a failed attempt. A long error text is cut."""
    connection.execute(
        update(outbox)
        .where(outbox.c.id.in_(ids))
        .values(in_flight=False, next_attempt_at=next_attempt_at, error=error[:_LONGEST_ERROR])
    )


def remove(connection: Connection, ids: Sequence[int]) -> None:
    """Remove the messages from the queue."""
    connection.execute(delete(outbox).where(outbox.c.id.in_(ids)))


def remove_all(connection: Connection, receiver: str) -> int:
    """Empty the queue of a receiver. Returns the number of removed messages."""
    return connection.execute(delete(outbox).where(outbox.c.receiver == receiver)).rowcount


def forget(connection: Connection, names: Collection[str]) -> Counter[str]:
    """Remove the messages about these accounts. Returns how many each of them had."""
    dropped: Counter[str] = Counter()
    ids = []
    for row in connection.execute(select(outbox.c.id, outbox.c.message)).all():
        account = _account_of(row.message)
        if account is not None and account in names:
            dropped[account] += 1
            ids.append(row.id)
    remove(connection, ids)
    return dropped


def _account_of(message: str) -> str | None:
    with suppress(ValueError):
        return load_message(message).account
    return None


def rename(connection: Connection, names: Mapping[str, str]) -> None:
    """Rename the accounts in queued messages.

    Unreadable messages stay unchanged.
    """
    for row in connection.execute(select(outbox.c.id, outbox.c.message)).all():
        try:
            message = load_message(row.message)
        except ValueError:
            continue
        if name := names.get(message.account):
            text = dump_message(_renamed(message, name))
            connection.execute(update(outbox).where(outbox.c.id == row.id).values(message=text))


def _renamed(message: Message, name: str) -> Message:
    items = (
        replace(item, fingerprint=item.fingerprint._replace(account=name)) for item in message.items
    )
    return replace(message, account=name, items=tuple(items))


def _queued(row: Row[Any]) -> Queued:
    return Queued(
        id=row.id,
        message=load_message(row.message),
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        in_flight=row.in_flight,
    )
