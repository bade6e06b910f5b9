"""The ledger as rows: entries for a while, the cost of each thing and day for ever.

Metered things have no entries of their own: an hour of one is a part of its day.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from fluence_watch.alerting.state import Change
from fluence_watch.model.accounting import Settlement
from fluence_watch.model.charge import VM
from fluence_watch.model.ledger import Certainty, Cost, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.schema import accounts, balances, day_costs, entries, things

_AT_ONCE = 500
_OF_A_DAY = frozenset({EntryKind.CHARGE, EntryKind.ADJUSTMENT})
_RANKS = {certainty: rank for rank, certainty in enumerate(Certainty)}

_THIS_DAY = (day_costs.c.thing_id == bindparam("of_thing")) & (
    day_costs.c.day == bindparam("of_day")
)
_SET_DAY = (
    update(day_costs).where(_THIS_DAY).values(amount=bindparam("to"), certainty=bindparam("sure"))
)
_SET_THING = (
    update(things)
    .where(things.c.id == bindparam("of_thing"))
    .values(name=bindparam("to_name"), place=bindparam("to_place"))
)


def save_ledger(connection: Connection, account_id: int, change: Change) -> None:
    """Add the entries of a poll, replace estimates by charges, keep the balance of the day."""
    added, settled = change.booking.entries, change.booking.settled
    keys = {each.thing for each in added} | (settled.amounts.keys() if settled else set())
    if keys:
        ids = _thing_ids(connection, account_id, keys, change)
        _add(connection, ids, added)
        if settled:
            _settle(connection, account_id, ids, settled)
    _keep_balance(connection, account_id, change)


def _add(connection: Connection, ids: Mapping[str, int], added: Sequence[Entry]) -> None:
    kept = [each for each in added if each.certainty is not Certainty.ESTIMATED]
    if kept:
        connection.execute(insert(entries), [_entry_row(ids[each.thing], each) for each in kept])
    sums: dict[tuple[int, date], tuple[int, Certainty]] = {}
    for each in added:
        if each.kind in _OF_A_DAY:
            key = ids[each.thing], each.day
            amount, sure = sums.get(key, (0, each.certainty))
            sums[key] = amount + each.amount, max(sure, each.certainty, key=_RANKS.__getitem__)
    known = _days(connection, sums)
    changed = {}
    for key, (amount, sure) in sums.items():
        before, was = known.get(key, (0, sure))
        changed[key] = before + amount, max(sure, was, key=_RANKS.__getitem__)
    _write_days(connection, changed, known)


def _settle(
    connection: Connection, account_id: int, ids: Mapping[str, int], settled: Settlement
) -> None:
    """Set the costs of a day to what the API charged; what was estimated and not charged is free."""
    query = (
        select(day_costs.c.thing_id, day_costs.c.day)
        .join(things)
        .where(
            things.c.account_id == account_id,
            day_costs.c.day == settled.day,
            day_costs.c.certainty == Certainty.ESTIMATED,
        )
    )
    estimated = {(row.thing_id, row.day): (0, Certainty.EXACT) for row in connection.execute(query)}
    charged = {
        (ids[key], settled.day): (cost, Certainty.EXACT) for key, cost in settled.amounts.items()
    }
    wanted = {**estimated, **charged}
    _write_days(connection, wanted, _days(connection, wanted))


_Days = Mapping[tuple[int, date], tuple[int, Certainty]]


def _days(connection: Connection, keys: Iterable[tuple[int, date]]) -> _Days:
    """What is stored of these days."""
    wanted = set(keys)
    found: dict[tuple[int, date], tuple[int, Certainty]] = {}
    for some in _batches({thing for thing, _ in wanted}):
        query = select(day_costs).where(
            day_costs.c.thing_id.in_(some), day_costs.c.day.in_({day for _, day in wanted})
        )
        for row in connection.execute(query):
            found[row.thing_id, row.day] = row.amount, Certainty(row.certainty)
    return found


def _write_days(connection: Connection, days: _Days, known: _Days) -> None:
    old = [
        {"of_thing": thing, "of_day": day, "to": amount, "sure": sure}
        for (thing, day), (amount, sure) in days.items()
        if (thing, day) in known
    ]
    new = [
        {"thing_id": thing, "day": day, "amount": amount, "certainty": sure}
        for (thing, day), (amount, sure) in days.items()
        if (thing, day) not in known
    ]
    if old:
        connection.execute(_SET_DAY, old)
    if new:
        connection.execute(insert(day_costs), new)


def _thing_ids(
    connection: Connection, account_id: int, keys: Collection[str], change: Change
) -> Mapping[str, int]:
    """The ids of things; new ones are added, and renamed ones renamed."""
    found: dict[str, Row[Any]] = {}
    for some in _batches(keys):
        query = select(things).where(things.c.account_id == account_id, things.c.key.in_(some))
        found |= {row.key: row for row in connection.execute(query)}
    new = [{"account_id": account_id, **_described(key, change)} for key in keys - found.keys()]
    if new:
        connection.execute(insert(things), new)
        return _thing_ids(connection, account_id, keys, change)
    moved = [
        {"of_thing": row.id, "to_name": now["name"], "to_place": now["place"]}
        for key, row in found.items()
        if (now := _described(key, change))["name"] is not None
        and (row.name, row.place) != (now["name"], now["place"])
    ]
    if moved:
        connection.execute(_SET_THING, moved)
    return {key: row.id for key, row in found.items()}


def _described(key: str, change: Change) -> dict[str, str | None]:
    vm, resource = change.after.known.get(key), change.after.resources.get(key)
    if vm is not None:
        place = vm.last_known.datacenter
        return _row(key, VM, vm.last_known.name, place.name if place else None)
    if resource is not None:
        each = resource.resource
        return _row(key, each.kind, each.name, each.location)
    kind, separator, _ = key.partition(":")
    return _row(key, kind if separator else VM, None, None)


def _row(key: str, kind: str, name: str | None, place: str | None) -> dict[str, str | None]:
    return {"key": key, "kind": kind, "name": name, "place": place}


def _entry_row(thing_id: int, entry: Entry) -> dict[str, Any]:
    return {
        "thing_id": thing_id,
        "kind": entry.kind,
        "amount": entry.amount,
        "at": entry.at,
        "seen_at": entry.seen_at,
        "certainty": entry.certainty,
    }


def _keep_balance(connection: Connection, account_id: int, change: Change) -> None:
    """The last balance of a day."""
    balance, polled_at = change.after.balance, change.after.last_good_at
    if balance is None or polled_at is None:
        return
    day = polled_at.astimezone(UTC).date()
    this = (balances.c.account_id == account_id) & (balances.c.day == day)
    if not connection.execute(update(balances).where(this).values(balance=balance)).rowcount:
        row = {"account_id": account_id, "day": day, "balance": balance}
        connection.execute(insert(balances).values(row))


def load_entries(connection: Connection, account: str, key: str) -> list[Entry]:
    """The entries of a thing, in their order."""
    query = (
        select(entries)
        .select_from(entries.join(things).join(accounts))
        .where(accounts.c.name == account, things.c.key == key)
        .order_by(entries.c.at, entries.c.id)
    )
    return [
        Entry(
            key,
            EntryKind(row.kind),
            MicroUsdc(row.amount),
            row.at,
            row.seen_at,
            Certainty(row.certainty),
        )
        for row in connection.execute(query)
    ]


def load_costs(
    connection: Connection, first: date, last: date, account: str | None
) -> Iterator[Cost]:
    """What everything of an account, or of all, cost on each of the days, both included."""
    query = (
        select(
            accounts.c.name.label("account"),
            things.c.key,
            things.c.kind,
            things.c.name,
            things.c.place,
            day_costs.c.day,
            day_costs.c.amount,
            day_costs.c.certainty,
        )
        .select_from(day_costs.join(things).join(accounts))
        .where(day_costs.c.day >= first, day_costs.c.day <= last)
        .order_by(accounts.c.name, things.c.key, day_costs.c.day)
    )
    if account is not None:
        query = query.where(accounts.c.name == account)
    for row in connection.execute(query):
        yield Cost(*row[:6], MicroUsdc(row.amount), Certainty(row.certainty))


def sum_costs(connection: Connection, account: str, first: date) -> MicroUsdc:
    """What everything of an account cost from that day on."""
    query = (
        select(func.coalesce(func.sum(day_costs.c.amount), 0))
        .select_from(day_costs.join(things).join(accounts))
        .where(accounts.c.name == account, day_costs.c.day >= first)
    )
    return MicroUsdc(int(connection.execute(query).scalar_one()))


def load_begins(connection: Connection, account: str | None) -> dict[str, date]:
    """The first day that the ledger has of each account, or of one."""
    costs = select(things.c.account_id, func.min(day_costs.c.day).label("day"))
    seen = select(things.c.account_id, func.min(entries.c.at).label("at"))
    costs = costs.select_from(day_costs.join(things)).group_by(things.c.account_id)
    seen = seen.select_from(entries.join(things)).group_by(things.c.account_id)
    days = {row.account_id: [row.day] for row in connection.execute(costs)}
    for row in connection.execute(seen):
        days.setdefault(row.account_id, []).append(row.at.astimezone(UTC).date())
    names = connection.execute(select(accounts.c.id, accounts.c.name).order_by(accounts.c.name))
    return {
        row.name: min(days[row.id])
        for row in names
        if row.id in days and account in (None, row.name)
    }


def prune_entries(connection: Connection, before: datetime) -> int:
    """Remove the entries from before that time. The costs of their days stay."""
    return connection.execute(delete(entries).where(entries.c.at < before)).rowcount


def _batches(values: Collection[Any]) -> Iterator[Sequence[Any]]:
    left = iter(values)
    while some := list(islice(left, _AT_ONCE)):
        yield some
