"""When the ledger of each account began: with its first entry or day, or else with the last list.

Entries are kept for a while, days for ever; what is paid by the second has no entries.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_FIRST = """
    SELECT MIN(since) FROM (
        SELECT MIN(entries.seen_at) AS since
        FROM entries JOIN things ON things.id = entries.thing_id
        WHERE things.account_id = accounts.id
        UNION ALL
        SELECT MIN(day_costs.day) * 86400000000
        FROM day_costs JOIN things ON things.id = day_costs.thing_id
        WHERE things.account_id = accounts.id
    ) AS firsts
"""


def upgrade() -> None:
    op.add_column("accounts", sa.Column("begun_at", sa.BigInteger))
    op.execute(f"UPDATE accounts SET begun_at = COALESCE(({_FIRST}), last_good_at)")  # noqa: S608 - of constants
