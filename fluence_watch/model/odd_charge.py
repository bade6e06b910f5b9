"""A charge that does not fit. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from fluence_watch.model.money import MicroUsdc


@dataclass(frozen=True, slots=True)
class OddCharge:
    """What was charged, and what the price and the boundaries allow, as long as these differ.

    `since` is the poll that saw it first. `boundaries` passed meanwhile; what they cost is between
    `low` and `high`, for example if the price changed.
    """

    since: datetime
    boundaries: int
    low: MicroUsdc
    high: MicroUsdc
    charged: MicroUsdc

    @property
    def fits(self) -> bool:
        """Whether nothing is odd about it."""
        return self.low <= self.charged <= self.high

    @property
    def is_missing(self) -> bool:
        """Whether less was charged than is due."""
        return self.charged < self.low

    def __add__(self, later: "OddCharge") -> "OddCharge":
        """Both together, since the first."""
        return OddCharge(
            self.since,
            self.boundaries + later.boundaries,
            MicroUsdc(self.low + later.low),
            MicroUsdc(self.high + later.high),
            MicroUsdc(self.charged + later.charged),
        )

    def perhaps_at(self, price: MicroUsdc) -> "OddCharge":
        """The same, if that may have been the price already."""
        cost = MicroUsdc(self.boundaries * price)
        return replace(self, low=min(self.low, cost), high=max(self.high, cost))
