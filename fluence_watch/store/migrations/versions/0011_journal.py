"""The journal: why each receiver was notified of an alert, or was not."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "journal",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("alert_id", sa.Integer),
        sa.Column("account_id", sa.Integer),
        sa.Column("rule", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("key", sa.Text),
        sa.Column("receiver", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("what", sa.Text, nullable=False),
        sa.Column("details", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name="fk_journal_alert_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_journal_account_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_journal_alert_id_at", "journal", ["alert_id", "at"])
    op.create_index("ix_journal_account_id_subject", "journal", ["account_id", "subject"])
    for name, columns, condition in (
        ("ix_journal_of_account", ["account_id", "at"], "rule = ''"),
        ("ix_journal_of_receiver", ["at"], "alert_id IS NULL AND account_id IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "journal", columns, sqlite_where=where, postgresql_where=where)
    op.create_index(
        "ix_alerts_of_subject", "alerts", ["account_id", "subject", "rule", "key", "active_at"]
    )
