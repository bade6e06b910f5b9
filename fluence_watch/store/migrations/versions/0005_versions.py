"""A version of each account, so that no commit overwrites what it does not know of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column(
        "accounts",
        sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("0")),
    )
