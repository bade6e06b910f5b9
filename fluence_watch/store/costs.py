"""What things cost: each day, summed up, and in all.

The total of a thing is the sum of its days. What is settled lower than it was estimated makes it fall,
but never the highest total, which a counter shows.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, func, literal, null, select, update

from fluence_watch.model.ledger import By, Certainty, Cost
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.batches import AT_ONCE
from fluence_watch.store.codec import load_id
from fluence_watch.store.schema import accounts, day_costs, resources, things, vms

_NOTHING: Mapping[Any, Any] = {
    things.c.key: literal(""),
    things.c.kind: literal(""),
    things.c.name: null(),
    things.c.place: null(),
}
_APART: Mapping[By, Collection[Any]] = {
    By.VM: tuple(_NOTHING),
    By.KIND: (things.c.kind,),
    By.DATACENTER: (things.c.place,),
    By.ACCOUNT: (),
    By.DAY: (),
    By.MONTH: (),
    By.STATUS: tuple(_NOTHING),
}
_TOTAL = things.c.total + bindparam("by")
_MOVE = (
    update(things)
    .where(things.c.id == bindparam("of_thing"))
    .values(
        total=_TOTAL,
        charged=case((things.c.charged < _TOTAL, _TOTAL), else_=things.c.charged),
    )
)


def move_totals(connection: Connection, moved: Mapping[int, int]) -> None:
    """Change the totals by as much as the days of these things changed."""
    rows = [{"of_thing": thing, "by": amount} for thing, amount in moved.items() if amount]
    if rows:
        connection.execute(_MOVE, rows)


def load_charged(
    connection: Connection, account: str, keys: Collection[str] | None
) -> dict[str, MicroUsdc]:
    """The highest total of each thing of an account, or of these at least, by its key."""
    query = (
        select(things.c.key, things.c.charged)
        .select_from(things.join(accounts))
        .where(accounts.c.name == account)
    )
    if keys is not None and len(keys) <= AT_ONCE:
        query = query.where(things.c.key.in_(keys))
    return {key: MicroUsdc(charged) for key, charged in connection.execute(query)}


def load_costs(
    connection: Connection,
    first: date,
    last: date,
    account: str | None,
    by: By,
    *,
    key: str | None = None,
) -> Iterator[Cost]:
    """What everything of an account, or of all, or one thing, cost on each of the days, both included.

    What need not be told apart to sum up by that is added, and has none of its columns.
    """
    ids = load_ids(connection, account) if by is By.VM and key is None else {}
    for row in connection.execute(_costs(first, last, account, by, key)):
        amount, certainty = MicroUsdc(int(row[6])), Certainty(row[7])
        yield Cost._make([*row[:6], amount, certainty, ids.get((row[0], row[1]))])


def _costs(
    first: date, last: date, account: str | None, by: By, key: str | None
) -> Select[*tuple[Any, ...]]:
    apart = _APART[by]
    is_summed = len(apart) < len(_NOTHING)
    shown = [column if column in apart else nothing for column, nothing in _NOTHING.items()]
    amount = func.sum(day_costs.c.amount) if is_summed else day_costs.c.amount
    query = (
        select(accounts.c.name, *shown, day_costs.c.day, amount, day_costs.c.certainty)
        .select_from(day_costs.join(things).join(accounts))
        .where(day_costs.c.day.between(first, last))
        .order_by(accounts.c.name, *apart, day_costs.c.day)
    )
    if is_summed:
        query = query.group_by(accounts.c.name, *apart, day_costs.c.day, day_costs.c.certainty)
    if account is not None:
        query = query.where(accounts.c.name == account)
    return query if key is None else query.where(things.c.key == key)


def load_ids(connection: Connection, account: str | None) -> dict[tuple[str, str], str]:
    """The ids, as the API has them, of all that is known of an account or of all, by account and key."""
    ids = {}
    for table, stored in ((vms, vms.c.vm), (resources, resources.c.resource)):
        query = select(accounts.c.name, table.c.key, stored).select_from(table.join(accounts))
        if account is not None:
            query = query.where(accounts.c.name == account)
        for name, key, text in connection.execute(query):
            with suppress(ValueError):  # unreadable: its key has the id
                ids[name, key] = load_id(text).id
    return ids


def sum_costs(connection: Connection, account: str, first: date) -> MicroUsdc:
    """What everything of an account cost from that day on."""
    query = (
        select(func.coalesce(func.sum(day_costs.c.amount), 0))
        .select_from(day_costs.join(things).join(accounts))
        .where(accounts.c.name == account, day_costs.c.day >= first)
    )
    return MicroUsdc(int(connection.execute(query).scalar_one()))


def load_begins(connection: Connection, account: str | None) -> dict[str, date]:
    """The first day of the ledger of each account, or of one."""
    query = select(accounts.c.name, accounts.c.begun_at).where(accounts.c.begun_at.is_not(None))
    if account is not None:
        query = query.where(accounts.c.name == account)
    rows = connection.execute(query.order_by(accounts.c.name))
    return {name: begun_at.astimezone(UTC).date() for name, begun_at in rows}
