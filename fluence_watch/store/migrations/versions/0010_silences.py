"""Silences, and the alerts that somebody takes care of."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("matchers", sa.Text, nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "acknowledgements",
        sa.Column("alert_id", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_acknowledgements"),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alerts.id"], name="fk_acknowledgements_alert_id", ondelete="CASCADE"
        ),
    )
