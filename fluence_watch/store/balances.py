"""The last balance of each day (UTC): of an account, and what each VM had in reserve.

An account has a row for every day on which it was polled, a VM for every day on which it changed.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from fluence_watch.alerting.state import Change
from fluence_watch.model.ledger import Balance
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.schema import accounts, balances, reserves, things

Ids = Callable[[Collection[str]], Mapping[str, int]]
"""The ids of things, by their keys."""

_FORGET = delete(reserves).where(
    reserves.c.thing_id == bindparam("of_thing"), reserves.c.day == bindparam("of_day")
)


def save_balances(connection: Connection, account_id: int, change: Change, ids_of: Ids) -> None:
    """Keep the balances that a poll saw."""
    polled_at = change.after.last_good_at
    if polled_at is None:
        return
    day = polled_at.astimezone(UTC).date()
    if change.after.balance is not None:
        _keep_account(connection, account_id, day, change.after.balance)
    if seen := _reserves(change):
        ids = ids_of(seen.keys())
        _keep_things(connection, day, {ids[key]: amount for key, amount in seen.items()})


def _reserves(change: Change) -> dict[str, MicroUsdc]:
    """What the VMs and GPU instances that changed have in reserve."""
    vms = {key: entry.vm.reserved for key, entry in change.seen.items()}
    rented = {key: entry.resource.reserved for key, entry in change.rented.items()}
    return {key: amount for key, amount in (vms | rented).items() if amount is not None}


def _keep_account(connection: Connection, account_id: int, day: date, balance: MicroUsdc) -> None:
    this = (balances.c.account_id == account_id) & (balances.c.day == day)
    if not connection.execute(update(balances).where(this).values(balance=balance)).rowcount:
        row = {"account_id": account_id, "day": day, "balance": balance}
        connection.execute(insert(balances).values(row))


def _keep_things(connection: Connection, day: date, amounts: Mapping[int, MicroUsdc]) -> None:
    rows = [
        {"thing_id": thing_id, "day": day, "reserved": amounts[thing_id]} for thing_id in amounts
    ]
    connection.execute(_FORGET, [{"of_thing": thing_id, "of_day": day} for thing_id in amounts])
    connection.execute(insert(reserves), rows)


def load_balances(connection: Connection, account: str, first: date, last: date) -> list[Balance]:
    """The balances of an account on each of the days, both included."""
    query = (
        select(balances.c.day, balances.c.balance)
        .select_from(balances.join(accounts))
        .where(accounts.c.name == account, balances.c.day.between(first, last))
        .order_by(balances.c.day)
    )
    return [Balance(None, row.day, row.balance) for row in connection.execute(query)]


def load_reserves(connection: Connection, account: str, first: date, last: date) -> list[Balance]:
    """What each thing of an account had in reserve on each of the days, both included."""
    query = (
        select(reserves.c.day, reserves.c.reserved, things.c.key)
        .select_from(reserves.join(things).join(accounts))
        .where(accounts.c.name == account, reserves.c.day.between(first, last))
        .order_by(things.c.key, reserves.c.day)
    )
    return [Balance(row.key, row.day, row.reserved) for row in connection.execute(query)]
