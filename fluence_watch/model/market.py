"""What the market asks now for what an account runs.

Prices are compared for a day, whatever the billing. A *plan* is what things of the same price have in
common: the cores and memory of a VM, the type of a disk, the model of a GPU.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from fluence_watch.model.billing import EPOCHS, Billing, EpochBilling
from fluence_watch.model.charge import VM, words_of
from fluence_watch.model.funding import DAYS_A_MONTH, burn_per_day
from fluence_watch.model.money import EXACT, LARGEST, MicroUsdc
from fluence_watch.model.resource import Kind, Resource
from fluence_watch.model.vm import Vm

GIB = 2**30
_GB = 10**9


class Quote(NamedTuple):
    """What the market asks at a place for a plan, in micro-USDC a day, exactly.

    For a disk it is for a GB of 10**9 bytes. `storage_bytes` is what a VM has for that price, `None`
    where its disks are billed by themselves; `more_storage` is what a GiB more costs.
    """

    kind: str
    plan: str
    place: str
    per_day: Decimal
    storage_bytes: int | None = None
    more_storage: Decimal | None = None


Offers = Mapping[tuple[str, str], Mapping[str, Sequence[Quote]]]
"""The quotes by kind and plan, and then by place: the cheapest of each storage."""


@dataclass(frozen=True, slots=True)
class Market:
    """What is offered. `places` are names of places; `unknown` says why offers of something are."""

    offers: Offers = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)

    def knows(self, kind: str) -> bool:
        """Whether what is asked for a kind is known in full."""
        return f"{words_of(kind)[0]} prices" not in self.unknown


def offers_of(quotes: Iterable[Quote]) -> Offers:
    """The quotes by what they are for."""
    offers: dict[tuple[str, str], dict[str, list[Quote]]] = {}
    for quote in sorted(quotes, key=lambda quote: quote.per_day):
        known = offers.setdefault((quote.kind, quote.plan), {}).setdefault(quote.place, [])
        if not any(_have_same_storage(quote, each) for each in known):
            known.append(quote)
    return offers


def _have_same_storage(one: Quote, other: Quote) -> bool:
    return one[-2:] == other[-2:]


@dataclass(frozen=True, slots=True)
class GoingPrice:
    """What something costs, and what the same costs now, in micro-USDC a day. `None` is unknown.

    `place` is where it is, `here` what the market asks there. `elsewhere` is the least that it asks at
    another place, `best_place`.
    """

    per_day: MicroUsdc
    place: str | None
    here: MicroUsdc | None
    elsewhere: MicroUsdc | None
    best_place: str | None

    @property
    def best(self) -> MicroUsdc | None:
        """The least that the market asks anywhere."""
        return min((each for each in (self.here, self.elsewhere) if each is not None), default=None)

    def saving(self, asked: MicroUsdc | None) -> MicroUsdc:
        """What is saved in 30 days at a price; nothing if it is unknown or higher."""
        less = 0 if asked is None else max(0, self.per_day - asked)
        return MicroUsdc(DAYS_A_MONTH * less)


def going_price(
    market: Market, thing: Vm | Resource, billing: Billing = EPOCHS
) -> GoingPrice | None:
    """The going price of something that is billed. `billing` is how VMs are paid.

    `None` if its price or its plan is unknown, or nobody offers the plan.
    """
    if not thing.is_billed or thing.price is None or not thing.plan:
        return None
    kind = VM if isinstance(thing, Vm) else thing.kind
    quotes = market.offers.get((kind, thing.plan), {})
    place, own = place_of(market, thing), billing if isinstance(thing, Vm) else thing.billing
    prices = {
        where: [price for quote in offered if (price := _asked(quote, thing)) is not None]
        for where, offered in quotes.items()
    }
    asked = {where: min(each) for where, each in prices.items() if each}
    if not asked:
        return None
    here = asked.pop(place, None) if place else None
    best = min(asked, key=asked.__getitem__, default=None)
    return GoingPrice(
        price_a_day(thing, own),
        place,
        here,
        None if best is None else asked[best],
        best,
    )


def price_a_day(thing: Vm | Resource, billing: Billing) -> MicroUsdc:
    """What it costs a day at its price, as the market asks it: an epoch is a day, however short it is."""
    return burn_per_day([thing], EPOCHS if isinstance(billing, EpochBilling) else billing)


def place_of(market: Market, thing: Vm | Resource) -> str | None:
    """Where it is, by the name of the place."""
    if isinstance(thing, Vm):
        return thing.datacenter.name if thing.datacenter else None
    return market.places.get(thing.location or "", thing.location)


def _asked(quote: Quote, thing: Vm | Resource) -> MicroUsdc | None:
    """The price of a thing of this size; `None` if it is unknown, or no amount of money."""
    price = quote.per_day
    if isinstance(thing, Resource) and thing.kind is Kind.DISK:
        if thing.size_bytes is None:
            return None
        price = EXACT.divide(EXACT.multiply(price, thing.size_bytes), _GB)
    if isinstance(thing, Vm) and quote.storage_bytes is not None:
        more = _more_storage(quote, thing)
        if more is None:
            return None
        price = EXACT.add(price, more)
    micro = int(EXACT.to_integral_value(price))
    return MicroUsdc(micro) if micro <= LARGEST else None


def _more_storage(quote: Quote, vm: Vm) -> Decimal | None:
    """What a VM has beyond the storage of its plan costs; `None` if that is not known."""
    if vm.storage_bytes is None or quote.storage_bytes is None:
        return None
    extra = vm.storage_bytes - quote.storage_bytes
    if extra <= 0:
        return Decimal(0)
    if quote.more_storage is None:
        return None
    return EXACT.divide(EXACT.multiply(quote.more_storage, extra), GIB)
