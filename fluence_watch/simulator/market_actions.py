"""Events of the market, of the bill and of odd charges, as data: see actions.py."""

from dataclasses import replace

from msgspec import Struct

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.errors import RefusedError
from fluence_watch.simulator.world import World

_MOST_PERCENT = 10_000


class Market(Struct, frozen=True, forbid_unknown_fields=True):
    """The market asks `percent` of the catalog's prices. What runs keeps its price."""

    percent: int

    def apply(self, world: World) -> None:
        """Change what it asks."""
        if not 0 < self.percent <= _MOST_PERCENT:
            raise RefusedError(f"the percentage is 1 to {_MOST_PERCENT}")
        world.market_percent = self.percent


class Bill(Struct, frozen=True, forbid_unknown_fields=True):
    """The bill names `percent` of what everything costs, from the beginning. The balance is right."""

    percent: int

    def apply(self, world: World) -> None:
        """Change the bill."""
        if not 0 <= self.percent <= _MOST_PERCENT:
            raise RefusedError(f"the percentage is 0 to {_MOST_PERCENT}")
        world.bill_percent = self.percent


class Overcharge(Struct, frozen=True, forbid_unknown_fields=True):
    """A VM is charged `amount` beside its boundaries, from the balance; below zero, it is given back.

    By its price right after a boundary, that is a double charge, and below zero a skipped one.
    """

    vm: str
    amount: int

    def apply(self, world: World) -> None:
        """Charge it."""
        machine = world.find(self.vm)
        spent, balance = machine.spent + self.amount, world.balance - self.amount
        if world.metered or min(spent, balance) < 0:
            raise RefusedError(
                "such a charge needs a prepaid account, and a total and a balance for it"
            )
        world.put(replace(machine, spent=MicroUsdc(spent)))
        world.balance = MicroUsdc(balance)
