"""How a resource is paid. There are three ways, whatever the generation of the API.

Source: Fluence guide, "Managing your Virtual Machines" (epochs); the documentation of the generation
`cloud` (metered) and of the GPU cloud (hours).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

HOUR = timedelta(hours=1)
EPOCH = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class EpochBilling:
    """Prepaid by whole epochs. Each is charged at its start, from a reserve.

    `period` is the length of an epoch, and each one costs the price: with epochs of 3 minutes a day costs
    480 prices. Only the simulator has epochs of other lengths than a day. It shortens them without lowering
    prices; what the market asks is for a day (`price_is_for`), whatever the epoch.
    """

    period: timedelta = EPOCH

    price_is_for: ClassVar[timedelta] = EPOCH
    prepaid: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class HourlyBilling:
    """Prepaid by whole hours of the clock (UTC). Each is charged at its start, from a reserve."""

    period: ClassVar[timedelta] = HOUR
    price_is_for: ClassVar[timedelta] = HOUR
    prepaid: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class MeteredBilling:
    """Charged per second from the balance of the account while it exists. Nothing is prepaid."""

    period: ClassVar[timedelta] = HOUR
    price_is_for: ClassVar[timedelta] = HOUR
    prepaid: ClassVar[bool] = False


Billing = EpochBilling | HourlyBilling | MeteredBilling

EPOCHS = EpochBilling()
"""Epochs of a day, as on the marketplace."""

HOURS = HourlyBilling()
METERED = MeteredBilling()
