"""Events of the market and of the bill, as data: see actions.py."""

from msgspec import Struct

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
