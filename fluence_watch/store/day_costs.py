"""The cost of each thing and day as rows."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date

from sqlalchemy import Connection, bindparam, insert, select, update

from fluence_watch.model.accounting import Settlement
from fluence_watch.model.ledger import Certainty, Entry
from fluence_watch.store.batches import batches
from fluence_watch.store.schema import day_costs, things

_RANKS = {certainty: rank for rank, certainty in enumerate(Certainty)}
_THIS_DAY = (day_costs.c.thing_id == bindparam("of_thing")) & (
    day_costs.c.day == bindparam("of_day")
)
_SET_DAY = (
    update(day_costs).where(_THIS_DAY).values(amount=bindparam("to"), certainty=bindparam("sure"))
)

_Days = Mapping[tuple[int, date], tuple[int, Certainty]]


def add_to_days(connection: Connection, added: Iterable[tuple[int, Entry]]) -> Counter[int]:
    """Add entries of things to their days. Returns by how much the sum of each thing changed."""
    sums: dict[tuple[int, date], tuple[int, Certainty]] = {}
    for thing, each in added:
        amount, sure = sums.get((thing, each.day), (0, each.certainty))
        sums[thing, each.day] = amount + each.amount, _surely(sure, each.certainty)
    known = _days(connection, sums)
    changed = {}
    for key, (amount, sure) in sums.items():
        before, was = known.get(key, (0, sure))
        changed[key] = before + amount, _surely(sure, was)
    return _write(connection, changed, known)


def settle_day(
    connection: Connection, account_id: int, ids: Mapping[str, int], settled: Settlement
) -> Counter[int]:
    """Set the costs of a day to what the API charged; if that is final, what it did not charge is free.

    Returns by how much the sum of each thing changed.
    """
    charged = {
        (ids[key], settled.day): (cost, Certainty.EXACT) for key, cost in settled.amounts.items()
    }
    free = _estimated(connection, account_id, settled.day) if settled.final else {}
    wanted = {**free, **charged}
    known = _days(connection, wanted)
    return _write(
        connection, {key: to for key, to in wanted.items() if known.get(key) != to}, known
    )


def _estimated(connection: Connection, account_id: int, day: date) -> _Days:
    """What is estimated of that day, as if it cost nothing."""
    query = (
        select(day_costs.c.thing_id)
        .join(things)
        .where(
            things.c.account_id == account_id,
            day_costs.c.day == day,
            day_costs.c.certainty == Certainty.ESTIMATED,
        )
    )
    return {(thing, day): (0, Certainty.EXACT) for thing in connection.scalars(query)}


def _surely(one: Certainty, other: Certainty) -> Certainty:
    """How sure both are together."""
    return max(one, other, key=_RANKS.__getitem__)


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


def _write(connection: Connection, days: _Days, known: _Days) -> Counter[int]:
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
