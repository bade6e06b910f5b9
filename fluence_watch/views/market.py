"""What something costs, and what the market asks for the same, as data."""

from dataclasses import dataclass
from decimal import Decimal

from fluence_watch.model.billing import Billing
from fluence_watch.model.charge import VM
from fluence_watch.model.market import Market, going_price, place_of, price_a_day
from fluence_watch.model.money import in_usdc
from fluence_watch.model.resource import Resource
from fluence_watch.model.vm import Vm
from fluence_watch.views.vm import vm_title


@dataclass(frozen=True, slots=True)
class MarketView:
    """A VM or a resource of an account. Amounts are USDC a day. `None` is unknown.

    `market_here` is what the market asks at the same place, `market_elsewhere` the least that it asks
    at another one, `best_place`. The savings are those of 30 days: by a new one here, by the cheapest.
    """

    account: str
    kind: str
    id: str
    name: str | None
    plan: str | None
    place: str | None
    per_day: Decimal | None
    market_here: Decimal | None
    market_elsewhere: Decimal | None
    best_place: str | None
    saves_here: Decimal | None
    saves_at_best: Decimal | None

    @property
    def title(self) -> str:
        """The display name: `web-1 (0xa1b2c3)`."""
        return vm_title(self.id, self.name)


def market_view(account: str, thing: Vm | Resource, market: Market, billing: Billing) -> MarketView:
    """The view of something that is billed. `billing` is how VMs are paid."""
    going = going_price(market, thing, billing)
    own = billing if isinstance(thing, Vm) else thing.billing
    return MarketView(
        account=account,
        kind=VM if isinstance(thing, Vm) else thing.kind,
        id=thing.id,
        name=thing.name,
        plan=thing.plan,
        place=place_of(market, thing),
        per_day=None if thing.price is None else in_usdc(price_a_day(thing, own)),
        market_here=in_usdc(going.here) if going else None,
        market_elsewhere=in_usdc(going.elsewhere) if going else None,
        best_place=going.best_place if going else None,
        saves_here=in_usdc(going.saving(going.here)) if going and going.here is not None else None,
        saves_at_best=in_usdc(going.saving(going.best)) if going else None,
    )
