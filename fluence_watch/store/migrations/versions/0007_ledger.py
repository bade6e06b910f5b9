"""The ledger: what was charged, for what, on which day; and the balance of each day."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("counted_at", sa.BigInteger))
    op.add_column("accounts", sa.Column("settled_day", sa.Integer))
    op.create_table(
        "things",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("place", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_things"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_things_account_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("account_id", "key", name="uq_things_account_id_key"),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("thing_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("certainty", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["things.id"], name="fk_entries_thing_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_entries_thing_id_at", "entries", ["thing_id", "at"])
    op.create_index("ix_entries_at", "entries", ["at"])
    op.create_table(
        "day_costs",
        sa.Column("thing_id", sa.Integer, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("certainty", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("thing_id", "day", name="pk_day_costs"),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["things.id"], name="fk_day_costs_thing_id", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_day_costs_day", "day_costs", ["day"])
    op.create_table(
        "balances",
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "day", name="pk_balances"),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name="fk_balances_account_id", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
