"""What each receiver was notified of, in place of queued messages.

A notification of an open alert stays one, so that nothing is sent twice.
What only a queued message would have said is due again: its notification is not carried over.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

from fluence_watch.alerting.attempts import mark
from fluence_watch.alerting.lifecycle import Episode
from fluence_watch.model.finding import Fingerprint

revision = "0004"
down_revision = "0003"

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def upgrade() -> None:
    op.add_column("alerts", sa.Column("step", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column(
        "alerts", sa.Column("settled", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.execute("UPDATE alerts SET settled = TRUE WHERE ends_at IS NOT NULL")
    op.create_index(
        "ix_alerts_unsettled",
        "alerts",
        ["account_id", "rule", "subject", "key", "active_at"],
        sqlite_where=sa.text("settled = 0"),
        postgresql_where=sa.text("NOT settled"),
    )
    op.create_table(
        "notified",
        sa.Column("alert_id", sa.Integer, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("step", sa.Integer),
        sa.Column("heard", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "receiver", name="pk_notified"),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name="fk_notified_alert_id", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "receivers",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger),
        sa.Column("error", sa.Text),
        sa.Column("begun", sa.Text),
        sa.PrimaryKeyConstraint("name", name="pk_receivers"),
        sqlite_with_rowid=False,
    )
    _carry_over(op.get_bind())
    op.drop_index("ix_outbox_receiver_id", "outbox")
    op.drop_table("outbox")
    op.drop_column("alerts", "told")


def _carry_over(connection: sa.Connection) -> None:
    queued = _Queued(connection)
    heard = list(_heard(connection))
    for receiver in {*queued.receivers, *(name for _, name, _ in heard)}:
        connection.execute(sa.insert(_RECEIVERS), queued.attempts(receiver))
    for alert, receiver, at in heard:
        waits = at in queued.created_at[receiver, alert.account]
        if not waits or queued.heard_before(alert, receiver):
            _notify(connection, alert, receiver, at)
    for alert in connection.execute(_WITH_ACCOUNT.where(_ALERTS.c.ends_at.is_not(None))).all():
        _reopen(connection, alert, queued)


def _reopen(connection: sa.Connection, alert: sa.Row[Any], queued: "_Queued") -> None:
    """Whoever waits for a message about an ended alert is still due it."""
    waiting = queued.waiting_for(alert)
    if waiting:
        unsettled = sa.update(_ALERTS).where(_ALERTS.c.id == alert.id).values(settled=False)
        connection.execute(unsettled)
    for receiver in waiting:
        if queued.heard_before(alert, receiver):
            _notify(connection, alert, receiver, alert.starts_at or alert.active_at)


class _Queued:
    """The messages that no receiver has accepted. Unreadable ones are left out."""

    def __init__(self, connection: sa.Connection) -> None:
        self.receivers: dict[str, dict[str, Any]] = {}
        self.created_at: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._items: defaultdict[tuple[Fingerprint, int], dict[str, list[dict[str, Any]]]]
        self._items = defaultdict(lambda: defaultdict(list))
        for row in connection.execute(sa.select(_OUTBOX).order_by(_OUTBOX.c.id)):
            try:
                self._add(row)
            except (ValueError, KeyError, TypeError):
                continue

    def _add(self, row: sa.Row[Any]) -> None:
        message = json.loads(row.message)
        first = {"name": row.receiver, "attempts": 0, "begun": set()}
        receiver = self.receivers.setdefault(row.receiver, first)
        receiver["attempts"] = max(receiver["attempts"], row.attempts)
        receiver["error"] = row.error or receiver.get("error")
        self.created_at[row.receiver, message["account"]].add(_micros(message["created_at"]))
        for item in message["items"]:
            fingerprint = Fingerprint(*item["fingerprint"])
            self._items[fingerprint, _micros(item["active_at"])][row.receiver].append(item)
            if row.in_flight:
                episode = Episode(fingerprint, datetime.fromisoformat(item["active_at"]))
                receiver["begun"].add(mark(episode))

    def attempts(self, receiver: str) -> dict[str, Any]:
        """The row of the receiver. It is tried at once."""
        known = self.receivers.get(receiver, {"name": receiver, "attempts": 0, "begun": ()})
        begun = sorted(known["begun"])
        return {"error": None, **known, "begun": json.dumps(begun) if begun else None}

    def waiting_for(self, alert: sa.Row[Any]) -> list[str]:
        """The receivers with a queued message that lists an ended alert, or counts it."""
        listed = self._of(alert)
        return [
            name
            for name in self.receivers
            if name in listed or alert.ends_at in self.created_at[name, alert.account]
        ]

    def heard_before(self, alert: sa.Row[Any], receiver: str) -> bool:
        """Whether the receiver heard that the alert fires, before what waits.

        A message that only counts the alert tells by its time whether it was the first.
        """
        items = self._of(alert).get(receiver, [])
        if any(item["firing"] and not item.get("repeated") for item in items):
            return False
        return bool(items) or alert.starts_at not in self.created_at[receiver, alert.account]

    def _of(self, alert: sa.Row[Any]) -> dict[str, list[dict[str, Any]]]:
        fingerprint = Fingerprint(alert.account, alert.rule, alert.subject, alert.key)
        return self._items.get((fingerprint, alert.active_at), {})


def _heard(connection: sa.Connection) -> Iterator[tuple[sa.Row[Any], str, int]]:
    """The open alerts with the receivers that were notified, or have a message that waits."""
    for alert in connection.execute(_WITH_ACCOUNT.where(_ALERTS.c.ends_at.is_(None))).all():
        try:
            told = json.loads(alert.told) if alert.told else {}
            yield from ((alert, name, _micros(at)) for name, at in told.items())
        except (ValueError, AttributeError, TypeError):
            continue


def _notify(connection: sa.Connection, alert: sa.Row[Any], receiver: str, at: int) -> None:
    connection.execute(
        sa.insert(_NOTIFIED).values(
            alert_id=alert.id, receiver=receiver, at=at, severity=alert.severity, heard="firing"
        )
    )


def _micros(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _START) // _MICROSECOND


_ALERTS = sa.table(
    "alerts",
    *map(
        sa.column,
        "id account_id rule subject key severity active_at starts_at ends_at told settled".split(),
    ),
)
_ACCOUNTS = sa.table("accounts", sa.column("id"), sa.column("name"))
_OUTBOX = sa.table(
    "outbox", *map(sa.column, "id receiver message attempts in_flight error".split())
)
_NOTIFIED = sa.table(
    "notified", *map(sa.column, "alert_id receiver at severity step heard".split())
)
_RECEIVERS = sa.table("receivers", *map(sa.column, "name attempts error begun".split()))
_WITH_ACCOUNT = sa.select(_ALERTS, _ACCOUNTS.c.name.label("account")).join_from(
    _ALERTS, _ACCOUNTS, _ALERTS.c.account_id == _ACCOUNTS.c.id
)
