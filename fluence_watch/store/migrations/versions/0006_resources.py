"""What is billed beside VMs, as last listed, and what the latest days of an account should cost."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("costs", sa.Text))
    op.add_column("accounts", sa.Column("whole_at", sa.BigInteger))
    op.create_table(
        "resources",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("missing_polls", sa.Integer, nullable=False),
        sa.Column("missing_since", sa.BigInteger),
        sa.Column("missing_among", sa.Integer, nullable=False),
        sa.Column("last_seen_at", sa.BigInteger),
        sa.Column("cause", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_resources"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_resources_account_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("account_id", "key", name="uq_resources_account_id_key"),
    )
