"""What boundaries did to VMs, their reserve of each day, the highest cost of each thing, and the digests that were sent."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_SUM = "(SELECT COALESCE(SUM(amount), 0) FROM day_costs WHERE thing_id = things.id)"


def upgrade() -> None:
    op.add_column("vms", sa.Column("boundaries", sa.Text))
    zero = sa.text("0")
    for name in ("total", "charged"):
        op.add_column(
            "things", sa.Column(name, sa.BigInteger, nullable=False, server_default=zero)
        )
    op.execute(f"UPDATE things SET total = {_SUM}, charged = {_SUM}")  # noqa: S608 - of constants
    op.create_table(
        "reserves",
        sa.Column("thing_id", sa.Integer, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("thing_id", "day", name="pk_reserves"),
        sa.ForeignKeyConstraint(
            ["thing_id"], ["things.id"], name="fk_reserves_thing_id", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "digests",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("slot", sa.BigInteger, nullable=False),
        sa.Column("is_sent", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_digests"),
        sqlite_with_rowid=False,
    )
