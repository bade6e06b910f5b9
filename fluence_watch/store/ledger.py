"""The ledger as rows: entries for a while, the cost of each thing and day for ever.

Metered things have no entries of their own: an hour of one is a part of its day.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from fluence_watch.alerting.state import Change
from fluence_watch.model.accounting import Settlement
from fluence_watch.model.charge import VM
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.balances import save_balances
from fluence_watch.store.batches import batches
from fluence_watch.store.costs import move_totals
from fluence_watch.store.schema import accounts, day_costs, entries, things

_OF_A_DAY = frozenset({EntryKind.CHARGE, EntryKind.ADJUSTMENT})
_OF_THE_TOTAL = _OF_A_DAY | {EntryKind.OPENING}
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
        moved = _add(connection, ids, list(_opened(connection, ids, added)))
        if settled:
            moved.update(_settle(connection, account_id, ids, settled))
        move_totals(connection, moved)
    save_balances(
        connection,
        account_id,
        change,
        lambda keys: _thing_ids(connection, account_id, keys, change),
    )


def _opened(
    connection: Connection, ids: Mapping[str, int], added: Sequence[Entry]
) -> Iterator[Entry]:
    """The entries; of the opening of a thing that had been forgotten, what they do not have yet."""
    openings = {ids[each.thing] for each in added if each.kind is EntryKind.OPENING}
    booked: dict[int, int] = {}
    for some in batches(openings):
        query = (
            select(entries.c.thing_id, func.sum(entries.c.amount))
            .where(entries.c.thing_id.in_(some), entries.c.kind.in_(_OF_THE_TOTAL))
            .group_by(entries.c.thing_id)
        )
        booked |= {thing: int(amount) for thing, amount in connection.execute(query)}
    for each in added:
        before = booked.get(ids[each.thing], 0) if each.kind is EntryKind.OPENING else 0
        if each.amount != before:
            yield replace(each, amount=MicroUsdc(each.amount - before)) if before else each


def _add(connection: Connection, ids: Mapping[str, int], added: Sequence[Entry]) -> Counter[int]:
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
    return _write_days(connection, changed, known)


def _settle(
    connection: Connection, account_id: int, ids: Mapping[str, int], settled: Settlement
) -> Counter[int]:
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
    return _write_days(connection, wanted, _days(connection, wanted))


_Days = Mapping[tuple[int, date], tuple[int, Certainty]]


def _days(connection: Connection, keys: Iterable[tuple[int, date]]) -> _Days:
    """What is stored of these days."""
    wanted = set(keys)
    found: dict[tuple[int, date], tuple[int, Certainty]] = {}
    for some in batches({thing for thing, _ in wanted}):
        query = select(day_costs).where(
            day_costs.c.thing_id.in_(some), day_costs.c.day.in_({day for _, day in wanted})
        )
        for row in connection.execute(query):
            found[row.thing_id, row.day] = row.amount, Certainty(row.certainty)
    return found


def _write_days(connection: Connection, days: _Days, known: _Days) -> Counter[int]:
    """Set these days. Returns by how much the sum of each thing changed."""
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
    moved: Counter[int] = Counter()
    for (thing, day), (amount, _) in days.items():
        moved[thing] += amount - (known[thing, day][0] if (thing, day) in known else 0)
    return moved


def _thing_ids(
    connection: Connection, account_id: int, keys: Collection[str], change: Change
) -> Mapping[str, int]:
    """The ids of things; new ones are added, and renamed ones renamed."""
    found: dict[str, Row[Any]] = {}
    for some in batches(keys):
        query = select(things).where(things.c.account_id == account_id, things.c.key.in_(some))
        found |= {row.key: row for row in connection.execute(query)}
    new = [
        {"account_id": account_id, **_described(key, change)} for key in keys if key not in found
    ]
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


def prune_entries(connection: Connection, before: datetime) -> int:
    """Remove the entries from before that time. The costs of their days stay."""
    return connection.execute(delete(entries).where(entries.c.at < before)).rowcount
