"""The tables. A change here needs a migration in `migrations/versions/`; a test compares both.

Keys are integers. Times are microseconds UTC, money is in JSON as whole micro-USDC. Nothing here
is special to SQLite, but the condition of an index: that of PostgreSQL is in the migration alone,
because naming it here loads its dialect, 2 MB.
"""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    text,
)

from fluence_watch.store.columns import Hostile, Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Hostile, nullable=False, unique=True),
    Column("last_poll_at", Moment),
    Column("last_good_at", Moment),
    Column("ssh_keys", Hostile),  # JSON, NULL before the first list of keys
    Column("balance", Hostile),  # JSON
    Column("absent_since", Moment),  # NULL while the account is watched
)

vms = Table(
    "vms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("key", Hostile, nullable=False),  # Vm.key
    Column("vm", Hostile, nullable=False),  # JSON
    Column("baseline", Hostile),  # JSON
    Column("first_seen_at", Moment, nullable=False),
    Column("missing_polls", Integer, nullable=False),
    Column("missing_since", Moment),
    Column("missing_among", Integer, nullable=False),
    Column("last_seen_at", Moment),
    Column("removal_asked_at", Moment),
    Column("remembered", Hostile),  # JSON
    Column("cause", Hostile),
    UniqueConstraint("account_id", "key"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("rule", Hostile, nullable=False),
    Column("subject", Hostile, nullable=False),
    Column("key", Hostile, nullable=False),
    Column("severity", Hostile, nullable=False),
    Column("state", Hostile, nullable=False),
    Column("facts_type", Hostile, nullable=False),
    Column("facts", Hostile, nullable=False),  # JSON
    Column("active_at", Moment, nullable=False),
    Column("starts_at", Moment),
    Column("clear_since", Moment),
    Column("ends_at", Moment),  # NULL while the alert is open, a time when it is history
    Column("quiet", Boolean, nullable=False),
    Column("relevant_until", Moment),
    Column("told", Hostile),  # JSON: receiver -> when it was last notified
)

is_open = alerts.c.ends_at.is_(None)

Index(
    "uq_alerts_open",
    alerts.c.account_id,
    alerts.c.rule,
    alerts.c.subject,
    alerts.c.key,
    unique=True,
    sqlite_where=text("ends_at IS NULL"),
)
Index("ix_alerts_ends_at", alerts.c.ends_at)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("receiver", Hostile, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("message", Hostile, nullable=False),  # JSON
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Moment),
    Column("in_flight", Boolean, nullable=False),
    Column("error", Hostile),
    sqlite_autoincrement=True,  # an id that was delivered must never mean another message
)
Index("ix_outbox_receiver_id", outbox.c.receiver, outbox.c.id)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", Hostile, nullable=False),  # by name: it may not have been polled yet
    Column("at", Moment, nullable=False),
    Column("action", Hostile, nullable=False),
    Column("subject", Hostile, nullable=False),
    Column("ports", Hostile, nullable=False),  # JSON
    sqlite_autoincrement=True,  # an id that was applied must never mean another note
)
Index("ix_notes_account_id", notes.c.account, notes.c.id)
