"""What the market asks now for a new VM, disk or address, by place. Pure functions of the catalog.

A price is the catalog's, times the percentage of the market, times that of the place.
What runs keeps the price that it has. Amounts are micro-USDC for an epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.catalog import Configuration, Datacenter
from fluence_watch.simulator.rental import ADDRESS_PRICE, disk_price

STORAGE: Final[Mapping[str, int]] = {"NVME": 100, "SSD": 75, "HDD": 30}
"""The kinds of storage, each with its price in percent of the kind that VMs have."""

_REPLICATED: Final = {False: 100, True: 250}


def asked(price: MicroUsdc, *percents: int) -> MicroUsdc:
    """The price times all percentages, rounded once, to the nearest micro-USDC."""
    divisor = 100 ** len(percents)
    return MicroUsdc((price * prod(percents) + divisor // 2) // divisor)


@dataclass(frozen=True, slots=True)
class PriceList:
    """The prices while the market asks `percent` of the catalog's."""

    percent: int

    def vm(self, size: Configuration, place: Datacenter) -> MicroUsdc:
        """The price of a VM of this size."""
        return asked(size.price, self.percent, place.percent)

    def storage(
        self, place: Datacenter, kind: str = "NVME", *, replicated: bool = False
    ) -> MicroUsdc:
        """The price of a GB of a disk.

        Raises:
            KeyError: there is no such kind.
        """
        of_kind = STORAGE[kind], _REPLICATED[replicated]
        return asked(disk_price(1), self.percent, place.percent, *of_kind)

    def address(self, place: Datacenter) -> MicroUsdc:
        """The price of a public IPv4 address."""
        return asked(ADDRESS_PRICE, self.percent, place.percent)
