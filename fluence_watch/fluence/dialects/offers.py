"""What the marketplace asks: `POST /marketplace/offers`, the same in `v2` and `v3`.

Source: Fluence guide, "Find compute resources on the marketplace". Prices are decimal USDC for an
epoch. An offer is for a basic configuration, `cpu-4-ram-8gb-storage-25gb`; a VM may have more
storage, which costs by the GiB.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from fluence_watch.fluence.dialects.elements import few, read_each
from fluence_watch.fluence.dialects.parts import exact_price
from fluence_watch.fluence.dialects.wire import FieldError, array_page, expected
from fluence_watch.fluence.http.calls import Call
from fluence_watch.model.charge import VM
from fluence_watch.model.market import GIB, Quote
from fluence_watch.threads import DECODING

PATH: Final = "/marketplace/offers"
_SLUG = re.compile(r"cpu-(\d{1,6})-ram-(\d{1,6})gb-storage-(\d{1,6})gb", re.ASCII)
_ELSE = "it is no configuration of VMs"


class _Configuration(msgspec.Struct):
    slug: str
    price: str


class _Place(msgspec.Struct, rename="camel"):
    country_code: str
    city_code: str
    city_index: int

    @property
    def name(self) -> str:
        return f"{self.country_code}-{self.city_code}-{self.city_index}"


class _More(msgspec.Struct):
    type: str | None = None
    units: str | None = None
    price: str | None = None


class _Server(msgspec.Struct, rename="camel"):
    available_basic_instances: int | None = None
    additional_resources: list[_More] | None = None

    @property
    def has_room(self) -> bool:
        """Whether a VM can be created; what is not told is not counted against it."""
        room = self.available_basic_instances
        return room is None or room > 0


class _Offer(msgspec.Struct):
    configuration: _Configuration
    datacenter: _Place
    servers: list[_Server] | None = None


async def request_offers(call: Call) -> tuple[list[Quote], list[str]]:
    """Everything that the marketplace offers and has room for, and why some of it cannot be read.

    Raises:
        ApiError: it could not be read.
    """
    body = await call.ask("offers", PATH, {})
    page = expected("a list of offers", array_page, body)
    found, flaws = await DECODING.run(read_each, few(page.elements), _quote)
    if found:  # an offer of something else is none of a VM, but not all of them are
        flaws = [flaw for flaw in flaws if not flaw.endswith(_ELSE)]
    return [quote for quote in found if quote is not None], flaws


def _quote(raw: msgspec.Raw) -> Quote | None:
    offer = _OFFER.decode(raw)
    slug, servers = _SLUG.fullmatch(offer.configuration.slug), offer.servers or ()
    usable = [server for server in servers if server.has_room]
    if slug is None:
        raise FieldError(".configuration.slug", _ELSE)
    if servers and not usable:
        return None
    vcpus, memory, storage = map(int, slug.groups())
    return Quote(
        VM,
        f"cpu-{vcpus}-ram-{memory}gb",
        offer.datacenter.name,
        exact_price(offer.configuration.price, ".configuration.price"),
        storage * GIB,
        _more_storage(usable),
    )


def _more_storage(servers: Iterable[_Server]) -> Decimal | None:
    """The least that a GiB more costs, in micro-USDC; unknown where the unit is not told."""
    prices = [
        exact_price(more.price, ".servers[].additionalResources[].price")
        for server in servers
        for more in server.additional_resources or ()
        if more.type == "STORAGE" and (more.units or "").lower() == "gib" and more.price
    ]
    return min(prices, default=None)


_OFFER = msgspec.json.Decoder(_Offer)
