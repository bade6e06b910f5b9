"""What was spent, summed up by the database."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, func, select

from fluence_watch.model.budget import Spender
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.schema import accounts, day_costs, things


def load_spenders(connection: Connection, first: date) -> Iterator[Spender]:
    """What everything of all accounts cost from that day on, one thing at a time."""
    sums = (
        select(day_costs.c.thing_id, func.sum(day_costs.c.amount).label("amount"))
        .where(day_costs.c.day >= first)
        .group_by(day_costs.c.thing_id)
        .subquery()
    )
    query = select(
        accounts.c.name.label("account"), things.c.key, things.c.kind, things.c.name, sums.c.amount
    ).select_from(sums.join(things).join(accounts))
    for row in connection.execute(query):
        yield Spender(*row[:4], MicroUsdc(int(row.amount)))
