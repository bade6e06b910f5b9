"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("last_poll_at", sa.BigInteger),
        sa.Column("last_good_at", sa.BigInteger),
        sa.Column("ssh_keys", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.create_table(
        "vms",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("vm", sa.Text, nullable=False),
        sa.Column("baseline", sa.Text),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("missing_polls", sa.Integer, nullable=False),
        sa.Column("missing_since", sa.BigInteger),
        sa.Column("missing_among", sa.Integer, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger),
        sa.Column("removal_asked_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name="pk_vms"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_vms_account_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("account_id", "key", name="uq_vms_account_id_key"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("facts_type", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        sa.Column("active_at", sa.BigInteger, nullable=False),
        sa.Column("starts_at", sa.BigInteger),
        sa.Column("clear_since", sa.BigInteger),
        sa.Column("ends_at", sa.BigInteger),
        sa.Column("quiet", sa.Boolean, nullable=False),
        sa.Column("relevant_until", sa.BigInteger),
        sa.Column("told", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_alerts_account_id", ondelete="CASCADE"
        ),
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["account_id", "rule", "subject", "key"],
        unique=True,
        sqlite_where=sa.text("ends_at IS NULL"),
        postgresql_where=sa.text("ends_at IS NULL"),
    )
    op.create_index("ix_alerts_ends_at", "alerts", ["ends_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger),
        sa.Column("in_flight", sa.Boolean, nullable=False),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_receiver_id", "outbox", ["receiver", "id"])
    op.create_table(
        "notes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("ports", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notes_account_id", "notes", ["account", "id"])
