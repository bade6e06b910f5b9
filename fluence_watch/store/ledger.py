"""The ledger as rows: entries for a while, the cost of each thing and day for ever.

Metered things have no entries of their own: what one costs is a part of its day.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from fluence_watch.alerting.state import Change
from fluence_watch.model.accounting import Booking
from fluence_watch.model.charge import VM
from fluence_watch.model.corrections import DIP_LASTS, OF_A_DAY, OF_THE_TOTAL, Dip, risen, unbooked
from fluence_watch.model.ledger import Certainty, Entry, EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.balances import save_balances
from fluence_watch.store.batches import batches
from fluence_watch.store.costs import move_totals
from fluence_watch.store.day_costs import add_to_days, settle_day
from fluence_watch.store.schema import accounts, entries, things

_SET_THING = (
    update(things)
    .where(things.c.id == bindparam("of_thing"))
    .values(name=bindparam("to_name"), place=bindparam("to_place"))
)


def save_ledger(connection: Connection, account_id: int, change: Change) -> None:
    """Add the entries of a poll, replace estimates by charges, keep the balance of the day."""
    booking = change.booking
    keys = {each.thing for each in booking.entries}.union(*(s.amounts for s in booking.settled))
    if keys:
        ids = _thing_ids(connection, account_id, keys, change)
        moved = _add(connection, ids, list(_corrected(connection, ids, booking)))
        for settled in booking.settled:
            moved.update(settle_day(connection, account_id, ids, settled))
        move_totals(connection, moved)
    save_balances(
        connection,
        account_id,
        change,
        lambda keys: _thing_ids(connection, account_id, keys, change),
    )


def _corrected(connection: Connection, ids: Mapping[str, int], booking: Booking) -> Iterator[Entry]:
    """The entries of a poll, without what is booked already: a charge comes before its top-up."""
    totals: dict[str, list[Entry]] = {}
    others: list[Entry] = []
    for each in booking.entries:
        if each.certainty is Certainty.ESTIMATED or each.kind not in OF_THE_TOTAL:
            others.append(each)
        else:
            totals.setdefault(each.thing, []).append(each)
    booked = _booked(connection, [ids[key] for key in totals.keys() & booking.first])
    later = {ids[key]: some[0].seen_at for key, some in totals.items() if key not in booking.first}
    dips = _dips(connection, later.keys(), min(later.values())) if later else {}
    for key, some in totals.items():
        if key in booking.first:
            yield from unbooked(some, booked.get(ids[key], MicroUsdc(0)))
        elif dip := dips.get(ids[key]):
            yield from risen(some, dip)
        else:
            yield from some
    yield from others


def _booked(connection: Connection, wanted: Collection[int]) -> Mapping[int, MicroUsdc]:
    """What the ledger has of the totals of these things: the sum of their days, and what was before."""
    found: Counter[int] = Counter()
    for some in batches(wanted):
        days = select(things.c.id, things.c.total).where(things.c.id.in_(some))
        before = (
            select(entries.c.thing_id, func.sum(entries.c.amount))
            .where(entries.c.thing_id.in_(some), entries.c.kind == EntryKind.OPENING)
            .group_by(entries.c.thing_id)
        )
        for thing, amount in (*connection.execute(days), *connection.execute(before)):
            found[thing] += int(amount)
    return {thing: MicroUsdc(amount) for thing, amount in found.items()}


def _dips(connection: Connection, wanted: Collection[int], now: datetime) -> Mapping[int, Dip]:
    """The things whose totals fell of late, and are not back yet."""
    query = (
        select(entries.c.thing_id, func.sum(entries.c.amount), func.min(entries.c.at))
        .where(
            entries.c.at >= now - DIP_LASTS,
            entries.c.at <= now,
            entries.c.kind == EntryKind.ADJUSTMENT,
        )
        .group_by(entries.c.thing_id)
    )
    return {
        thing: Dip(MicroUsdc(-int(moved)), at)
        for thing, moved, at in connection.execute(query)
        if thing in wanted and moved < 0
    }


def _add(connection: Connection, ids: Mapping[str, int], added: Sequence[Entry]) -> Counter[int]:
    kept = [each for each in added if each.certainty is not Certainty.ESTIMATED]
    if kept:
        connection.execute(insert(entries), [_entry_row(ids[each.thing], each) for each in kept])
    days = [(ids[each.thing], each) for each in added if each.kind in OF_A_DAY]
    return add_to_days(connection, days)


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
    """Remove the entries from before that time. The costs of their days stay.

    So does what a thing had spent before: if it is forgotten and seen again, that is not new.
    """
    old = delete(entries).where(entries.c.at < before, entries.c.kind != EntryKind.OPENING)
    return connection.execute(old).rowcount
