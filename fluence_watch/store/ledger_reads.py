"""What the ledger has: a part of the store."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from fluence_watch.model.ledger import Balance, By, Cost, Entry
from fluence_watch.model.money import MicroUsdc
from fluence_watch.store.balances import load_balances, load_reserves
from fluence_watch.store.costs import load_begins, load_charged, load_costs, sum_costs
from fluence_watch.store.database import Database
from fluence_watch.store.ledger import load_entries
from fluence_watch.store.schema import accounts

if TYPE_CHECKING:
    from fluence_watch.model.budget import Budget, Tally
    from fluence_watch.model.spending import Hour, Spending


class LedgerReads:
    """The operations of a store that read the ledger. Each is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def costs(
        self,
        first: date,
        last: date,
        account: str | None = None,
        by: By = By.VM,
        *,
        key: str | None = None,
    ) -> list[Cost]:
        """What everything cost on each of these days (UTC), both included; of all accounts by default.

        What need not be told apart to sum up by `by` is one. With a `key`, it is of that thing alone.
        """
        with self._database.read() as connection:
            return list(load_costs(connection, first, last, account, by, key=key))

    def ledger_begins(self, account: str | None = None) -> dict[str, date]:
        """The first day (UTC) that the ledger has of each account, or of one; before it is nothing."""
        with self._database.read() as connection:
            return load_begins(connection, account)

    def ledger_ends(self, account: str) -> datetime | None:
        """The last successful poll of the account: what was charged after it is unknown."""
        query = select(accounts.c.last_good_at).where(accounts.c.name == account)
        with self._database.read() as connection:
            return connection.scalars(query).one_or_none()

    def counted_until(self, account: str | None = None) -> dict[str, datetime]:
        """Until when metered things are in the ledger, of each account that has any, or of one."""
        query = select(accounts.c.name, accounts.c.counted_at)
        query = query.where(accounts.c.counted_at.is_not(None))
        if account is not None:
            query = query.where(accounts.c.name == account)
        with self._database.read() as connection:
            return {row.name: row.counted_at for row in connection.execute(query)}

    def charged_since(self, account: str, day: date) -> MicroUsdc:
        """What everything of the account cost from that day (UTC) on, in micro-USDC."""
        with self._database.read() as connection:
            return sum_costs(connection, account, day)

    def charged(self, account: str, keys: Collection[str] | None = None) -> Mapping[str, MicroUsdc]:
        """The most that each thing of the account, or each of these, ever cost in all, by its key.

        It never falls.
        """
        with self._database.read() as connection:
            return load_charged(connection, account, keys)

    def tallies(self, budgets: "Sequence[Budget]", first: date) -> "Mapping[str, Tally]":
        """What each budget has spent from that day (UTC) on, by its name."""
        from fluence_watch.model.budget import tallies  # noqa: PLC0415 - only with budgets
        from fluence_watch.store.spending import load_spenders  # noqa: PLC0415 - only with budgets

        with self._database.read() as connection:
            return tallies(budgets, load_spenders(connection, first))

    def spending(
        self, account: str, hour: "Hour", is_odd: "Callable[[Spending], bool]"
    ) -> "Spending":
        """What the account spent by that hour, and before; with the things, if it is odd."""
        from fluence_watch.store.spending import load_spending, load_things  # noqa: PLC0415 - only for its rule

        with self._database.read() as connection:
            found = load_spending(connection, account, hour)
            if not is_odd(found):
                return found
            days = len(found.days)
            return replace(found, things=load_things(connection, account, hour, days))

    def entries(self, account: str, key: str) -> list[Entry]:
        """What moved of a VM or a resource, in its order, as long as it is kept."""
        with self._database.read() as connection:
            return load_entries(connection, account, key)

    def balances(
        self, account: str, first: date, last: date, *, reserves: bool = True
    ) -> list[Balance]:
        """The balances of an account, and the reserves of its VMs, on these days (UTC), both included."""
        with self._database.read() as connection:
            found = load_balances(connection, account, first, last)
            return found + load_reserves(connection, account, first, last) if reserves else found
