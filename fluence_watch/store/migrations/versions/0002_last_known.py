"""Last known values of VMs and accounts, next to the current ones."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("vms", sa.Column("remembered", sa.Text))
    op.add_column("vms", sa.Column("cause", sa.Text))
    op.add_column("accounts", sa.Column("balance", sa.Text))
