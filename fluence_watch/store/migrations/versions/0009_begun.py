"""When the ledger of each account began."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_FIRST = (
    "SELECT MIN(entries.seen_at) FROM entries JOIN things ON things.id = entries.thing_id"
    " WHERE things.account_id = accounts.id"
)


def upgrade() -> None:
    op.add_column("accounts", sa.Column("begun_at", sa.BigInteger))
    op.execute(f"UPDATE accounts SET begun_at = COALESCE(({_FIRST}), last_good_at)")  # noqa: S608 - of constants
