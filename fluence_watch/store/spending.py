"""What was spent, summed up by the database.

What is prepaid has entries with times. What is metered has none: the cost of its day accrues evenly.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from heapq import nlargest
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    case,
    func,
    select,
    type_coerce,
)

from fluence_watch.model.budget import Spender
from fluence_watch.model.ledger import EntryKind
from fluence_watch.model.money import MicroUsdc
from fluence_watch.model.spending import DAYS, Hour, Spending, ThingSpending, compared
from fluence_watch.store.schema import accounts, day_costs, entries, things

_TICK = timedelta(microseconds=1)
_DAY, _FIRST_DAY = timedelta(days=1), date(1970, 1, 1)
_HOURS_A_DAY = 24
_NAMED = 3
_COUNTED = (EntryKind.CHARGE, EntryKind.ADJUSTMENT)
_day_of_cost = type_coerce(day_costs.c.day, BigInteger)
_time = type_coerce(entries.c.at, BigInteger)
_day_of_entry = _time // (_DAY // _TICK)

_Column = ColumnElement[Any]
_Sums = Counter[tuple[int, bool]]
"""By day or thing, and whether it is of today."""


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


def load_spending(connection: Connection, account: str, hour: Hour) -> Spending:
    """What the account spent by that hour, and on the days before, from the first whole one on."""
    whole, by_hour = _sums(connection, account, hour, _day_of_cost, _day_of_entry)
    return compared(hour, _by_day(whole), _by_day(by_hour))


def _by_day(sums: _Sums) -> Mapping[date, int]:
    return {_FIRST_DAY + number * _DAY: amount for (number, _), amount in sums.items()}


def load_things(
    connection: Connection, account: str, hour: Hour, days: int
) -> tuple[ThingSpending, ...]:
    """The things that cost most more by that hour than on the average of so many days before."""
    columns = day_costs.c.thing_id, entries.c.thing_id
    _, by_hour = _sums(connection, account, hour, *columns)
    spent = {thing: amount for (thing, is_today), amount in by_hour.items() if is_today}
    usual = {thing: by_hour[thing, False] // days for thing in spent}
    most = nlargest(_NAMED, spent, key=lambda thing: spent[thing] - usual[thing])
    week = hour.day - timedelta(days=6)
    return tuple(
        ThingSpending(
            row.key,
            row.kind,
            row.name,
            MicroUsdc(spent[row.id]),
            MicroUsdc(usual[row.id]),
            row.first if row.first >= week else None,
        )
        for row in sorted(_described(connection, most), key=lambda row: most.index(row.id))
        if spent[row.id] > usual[row.id]
    )


def _described(connection: Connection, wanted: Collection[int]) -> Sequence[Any]:
    """These things, and the first day on which each cost anything."""
    first = func.min(day_costs.c.day).label("first")
    query = (
        select(things.c.id, things.c.key, things.c.kind, things.c.name, first)
        .select_from(things.join(day_costs))
        .where(things.c.id.in_(wanted))
        .group_by(things.c.id, things.c.key, things.c.kind, things.c.name)
    )
    return connection.execute(query).all()


def _sums(
    connection: Connection, account: str, hour: Hour, of_cost: _Column, of_entry: _Column
) -> tuple[_Sums, _Sums]:
    """What was spent on whole days, and by that hour of them, summed up by these columns."""
    first = hour.day - timedelta(days=DAYS + 2)
    whole, by_hour, at_a_time = _Sums(), _Sums(), _Sums()
    is_today = _day_of_cost == _number(hour.day)
    query = (
        select(of_cost, is_today, func.sum(day_costs.c.amount))
        .select_from(day_costs.join(things).join(accounts))
        .where(accounts.c.name == account, day_costs.c.day >= first, day_costs.c.day <= hour.day)
        .group_by(of_cost, is_today)
    )
    for key, this, amount in connection.execute(query):
        whole[key, bool(this)] = int(amount)
    for key, this, early, amount in connection.execute(_timed(account, hour, of_entry)):
        by_hour[key, bool(this)], at_a_time[key, bool(this)] = int(early), int(amount)
    for (key, this), amount in whole.items():
        metered = max(0, amount - at_a_time[key, this])
        by_hour[key, this] += metered if this else metered * hour.hours // _HOURS_A_DAY
    return whole, by_hour


def _timed(account: str, hour: Hour, of_entry: _Column) -> Select[Any, bool, Any, Any]:
    """What was charged by that hour, and on the whole of the days.

    On the days before, an hour more counts: see `Hour.until`.
    """
    day, midnight = hour.day, datetime.combine(hour.day, time(), UTC)
    is_today = _day_of_entry == _number(day)
    is_early = (entries.c.at < midnight + hour.until(day)) & (
        _time % (_DAY // _TICK) < hour.until(day - _DAY) // _TICK
    )
    early = case((is_early, entries.c.amount), else_=0)
    return (
        select(of_entry, is_today, func.sum(early), func.sum(entries.c.amount))
        .select_from(entries.join(things).join(accounts))
        .where(
            accounts.c.name == account,
            entries.c.kind.in_(_COUNTED),
            entries.c.at >= midnight - (DAYS + 2) * _DAY,
            entries.c.at < midnight + _DAY,
        )
        .group_by(of_entry, is_today)
    )


def _number(day: date) -> int:
    """The day as the store has it."""
    return (day - _FIRST_DAY).days
