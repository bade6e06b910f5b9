"""The tables. A change here needs a migration in `migrations/versions/`; a test compares both.

Keys are integers. Times are microseconds UTC. Money is whole micro-USDC in JSON.
Only the conditions of two indexes are specific to SQLite.
Their PostgreSQL twins are only in the migrations, because naming them here imports a dialect of 2 MB.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    false,
    literal_column,
    text,
)

from fluence_watch.store.columns import AnyText, Day, Moment

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
    Column("name", AnyText, nullable=False, unique=True),
    Column("last_poll_at", Moment),
    Column("last_good_at", Moment),
    Column("ssh_keys", AnyText),  # JSON, NULL before the first list of keys
    Column("balance", AnyText),  # JSON
    Column("costs", AnyText),  # JSON, of the latest days
    Column("whole_at", Moment),
    Column("counted_at", Moment),
    Column("settled_day", Day),
    Column("begun_at", Moment),
    Column("absent_since", Moment),  # NULL while the account is watched
    Column("version", Integer, nullable=False, server_default=text("0")),  # of the state
)

vms = Table(
    "vms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("key", AnyText, nullable=False),  # Vm.key
    Column("vm", AnyText, nullable=False),  # JSON
    Column("baseline", AnyText),  # JSON
    Column("first_seen_at", Moment, nullable=False),
    Column("missing_polls", Integer, nullable=False),
    Column("missing_since", Moment),
    Column("missing_among", Integer, nullable=False),
    Column("last_seen_at", Moment),
    Column("removal_asked_at", Moment),
    Column("remembered", AnyText),  # JSON
    Column("cause", AnyText),
    Column("boundaries", AnyText),  # JSON
    UniqueConstraint("account_id", "key"),
)

resources = Table(
    "resources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("key", AnyText, nullable=False),  # Resource.key
    Column("resource", AnyText, nullable=False),  # JSON
    Column("first_seen_at", Moment, nullable=False),
    Column("missing_polls", Integer, nullable=False),
    Column("missing_since", Moment),
    Column("missing_among", Integer, nullable=False),
    Column("last_seen_at", Moment),
    Column("cause", AnyText),
    UniqueConstraint("account_id", "key"),
)

things = Table(
    "things",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("key", AnyText, nullable=False),  # Vm.key, or Resource.key
    Column("kind", AnyText, nullable=False),
    Column("name", AnyText),  # as last known
    Column("place", AnyText),
    Column("total", BigInteger, nullable=False, server_default=text("0")),  # of its days
    Column("charged", BigInteger, nullable=False, server_default=text("0")),  # the highest total
    UniqueConstraint("account_id", "key"),
)

entries = Table(
    "entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("thing_id", ForeignKey("things.id", ondelete="CASCADE"), nullable=False),
    Column("kind", AnyText, nullable=False),
    Column("amount", BigInteger, nullable=False),  # micro-USDC
    Column("at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
    Column("certainty", AnyText, nullable=False),
)
Index("ix_entries_thing_id_at", entries.c.thing_id, entries.c.at)
Index("ix_entries_at", entries.c.at)

day_costs = Table(
    "day_costs",
    metadata,
    Column("thing_id", ForeignKey("things.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Day, primary_key=True),
    Column("amount", BigInteger, nullable=False),  # micro-USDC
    Column("certainty", AnyText, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_day_costs_day", day_costs.c.day)

balances = Table(
    "balances",
    metadata,
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Day, primary_key=True),
    Column("balance", BigInteger, nullable=False),  # micro-USDC, the last one of the day
    sqlite_with_rowid=False,
)

reserves = Table(
    "reserves",
    metadata,
    Column("thing_id", ForeignKey("things.id", ondelete="CASCADE"), primary_key=True),
    Column("day", Day, primary_key=True),
    Column("reserved", BigInteger, nullable=False),  # micro-USDC, the last one of the day
    sqlite_with_rowid=False,
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id", ondelete="CASCADE"), nullable=False),
    Column("rule", AnyText, nullable=False),
    Column("subject", AnyText, nullable=False),
    Column("key", AnyText, nullable=False),
    Column("severity", AnyText, nullable=False),
    Column("state", AnyText, nullable=False),
    Column("facts_type", AnyText, nullable=False),
    Column("facts", AnyText, nullable=False),  # JSON
    Column("active_at", Moment, nullable=False),
    Column("starts_at", Moment),
    Column("clear_since", Moment),
    Column("ends_at", Moment),  # NULL while the alert is open, set in the history
    Column("quiet", Boolean, nullable=False),
    Column("relevant_until", Moment),
    Column("step", Integer, nullable=False, server_default=text("0")),
    Column(
        "settled", Boolean, nullable=False, server_default=false()
    ),  # whether no receiver is due its end any more
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
Index(
    "ix_alerts_unsettled",
    alerts.c.account_id,
    alerts.c.rule,
    alerts.c.subject,
    alerts.c.key,
    alerts.c.active_at,
    sqlite_where=text("settled = 0"),
)
Index("ix_alerts_ends_at", alerts.c.ends_at)
Index(
    "ix_alerts_of_subject",
    alerts.c.account_id,
    alerts.c.subject,
    alerts.c.rule,
    alerts.c.key,
    alerts.c.active_at,
)

notified = Table(
    "notified",
    metadata,
    Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column("receiver", AnyText, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("severity", AnyText, nullable=False),
    Column("step", Integer),  # NULL if a version without steps sent it
    Column("heard", AnyText, nullable=False),
    sqlite_with_rowid=False,
)

journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE")),  # then what follows is NULL
    Column(
        "account_id", ForeignKey("accounts.id", ondelete="CASCADE")
    ),  # NULL: of a receiver alone
    Column("rule", AnyText),
    Column("subject", AnyText),
    Column("key", AnyText),
    Column("receiver", AnyText),
    Column("at", Moment, nullable=False),
    Column("what", AnyText, nullable=False),
    Column("details", AnyText),  # JSON
)
Index("ix_journal_alert_id_at", journal.c.alert_id, journal.c.at)
Index("ix_journal_account_id_subject", journal.c.account_id, journal.c.subject)

of_account = journal.c.rule == literal_column("''")
of_receiver = journal.c.alert_id.is_(None) & journal.c.account_id.is_(None)

Index(
    "ix_journal_of_account",
    journal.c.account_id,
    journal.c.at,
    sqlite_where=of_account,
)
Index(
    "ix_journal_of_receiver",
    journal.c.at,
    sqlite_where=of_receiver,
)

receivers = Table(
    "receivers",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("since", Moment),  # NULL if a version that did not store it knew the receiver
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Moment),
    Column("error", AnyText),
    Column("begun", AnyText),  # JSON: what the attempt whose outcome is unknown is about
    sqlite_with_rowid=False,
)

silences = Table(
    "silences",
    metadata,
    Column("id", AnyText, primary_key=True),
    Column("matchers", AnyText, nullable=False),  # as they are written
    Column("starts_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("comment", AnyText, nullable=False),
    Column("author", AnyText, nullable=False),
    sqlite_with_rowid=False,
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE"), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("until", Moment, nullable=False),
    Column("severity", AnyText, nullable=False),  # as bad as the alert was then
    Column("step", Integer, nullable=False),
    Column("comment", AnyText, nullable=False),
    Column("author", AnyText, nullable=False),
)

digests = Table(
    "digests",
    metadata,
    Column("key", AnyText, primary_key=True),  # receiver, schedule, timezone
    Column("slot", Moment, nullable=False),  # the last one that is dealt with, or begun
    Column("is_sent", Boolean, nullable=False),  # or skipped
    sqlite_with_rowid=False,
)

notes = Table(
    "notes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "account", AnyText, nullable=False
    ),  # by name, because the account may not have a row yet
    Column("at", Moment, nullable=False),
    Column("action", AnyText, nullable=False),
    Column("subject", AnyText, nullable=False),
    Column("ports", AnyText, nullable=False),  # JSON
    sqlite_autoincrement=True,  # the id of an applied note must never be reused
)
Index("ix_notes_account_id", notes.c.account, notes.c.id)
