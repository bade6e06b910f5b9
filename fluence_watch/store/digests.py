"""What digests need of the store: how far each one is, and sums of the ledger."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, case, delete, func, insert, select, update

from fluence_watch.alerting.lifecycle import Alert
from fluence_watch.alerting.slots import Progress
from fluence_watch.model.digest import ThingCost
from fluence_watch.model.ledger import Certainty
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.alerts import load_overlapping
from fluence_watch.store.costs import load_begins
from fluence_watch.store.database import Database
from fluence_watch.store.schema import accounts, day_costs, digests, things

_SUM = func.sum(day_costs.c.amount)
_GUESSED = func.sum(
    case((day_costs.c.certainty == Certainty.ESTIMATED, day_costs.c.amount), else_=0)
)


class DigestStore:
    """The part of the store that digests use. Each method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def progress(self) -> dict[str, Progress]:
        """The last slot of each digest, by its key."""
        with self._database.read() as connection:
            rows = connection.execute(select(digests)).all()
        return {row.key: Progress(row.slot, row.is_sent) for row in rows}

    def save(self, key: str, progress: Progress) -> None:
        """Record the begin or the end of a slot. If this raises before it is sent, do not send it."""
        values = {"slot": progress.slot, "is_sent": progress.is_sent}
        with self._database.write() as connection:
            this = update(digests).where(digests.c.key == key).values(values)
            if not connection.execute(this).rowcount:
                connection.execute(insert(digests).values(key=key, **values))

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget the digests that are not in the settings any more."""
        with self._database.write() as connection:
            connection.execute(delete(digests).where(digests.c.key.not_in(keys)))

    def by_thing(self, names: Collection[str], first: date, last: date) -> list[ThingCost]:
        """What each thing of these accounts cost on these days (UTC), both included."""
        query = _of(
            names, accounts.c.name, things.c.key, things.c.kind, things.c.name, _SUM, _GUESSED
        )
        with self._database.read() as connection:
            rows = connection.execute(
                _within(query, first, last).group_by(things.c.id, accounts.c.name)
            ).all()
        return [ThingCost(row[0], row[1], row[2], row[3], *map(_micro, row[4:])) for row in rows]

    def by_day(self, names: Collection[str], first: date, last: date) -> dict[date, MicroUsdc]:
        """What the accounts cost on each of these days (UTC) on which they cost anything."""
        query = _of(names, day_costs.c.day, _SUM)
        with self._database.read() as connection:
            rows = connection.execute(_within(query, first, last).group_by(day_costs.c.day)).all()
        return {row[0]: _micro(row[1]) for row in rows}

    def first_days(self, names: Collection[str]) -> dict[str, date]:
        """The first day in the ledger of each account that has one."""
        with self._database.read() as connection:
            begins = load_begins(connection, None)
        return {name: begins[name] for name in names if name in begins}

    def alerts(self, names: Collection[str], since: datetime, until: datetime) -> list[Alert]:
        """The resolved alerts of these accounts that fired in that time, the last to end first."""
        with self._database.read() as connection:
            return load_overlapping(connection, names, since, until)


def _micro(total: int) -> MicroUsdc:
    return MicroUsdc(int(total))  # PostgreSQL sums integers to decimals


def _of(names: Collection[str], *columns: ColumnElement[Any]) -> Select[Any]:
    joined = day_costs.join(things).join(accounts)
    return select(*columns).select_from(joined).where(accounts.c.name.in_(names))


def _within(query: Select[Any], first: date, last: date) -> Select[Any]:
    return query.where(day_costs.c.day >= first, day_costs.c.day <= last)
