"""What the market asks, an hour: the price list, by cluster, and the configurations it is for."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import product

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fluence_watch.model.money import MicroUsdc
from fluence_watch.simulator.catalog import CONFIGURATIONS, Datacenter
from fluence_watch.simulator.dialects.amounts import hourly
from fluence_watch.simulator.dialects.cloud.configurations import (
    configuration_id,
    configuration_json,
)
from fluence_watch.simulator.dialects.cloud.costs import CostRequest, cost_json
from fluence_watch.simulator.dialects.cloud.paging import Item
from fluence_watch.simulator.dialects.cloud.places import cluster_id, places
from fluence_watch.simulator.dialects.view import answer, read
from fluence_watch.simulator.market import STORAGE, PriceList
from fluence_watch.simulator.world import World

Priced = Iterator[tuple[Item, MicroUsdc]]
Endpoint = Callable[[Request], Awaitable[Response]]


def price_routes(world: World) -> Sequence[Route]:
    """The endpoints."""

    async def cost(request: Request) -> Response:
        return answer(cost_json(world, await read(request, CostRequest)))

    async def list_configurations(_request: Request) -> Response:
        return answer({"items": [configuration_json(size) for size in CONFIGURATIONS]})

    return (
        Route("/v1/prices/vm", _list(world, "vmTypeId", _vms), methods=["GET"]),
        Route("/v1/prices/storage", _list(world, "storageTypeId", _storage), methods=["GET"]),
        Route("/v1/prices/public-ip", _list(world, "publicIpTypeId", _addresses), methods=["GET"]),
        Route("/v1/prices/cost", cost, methods=["POST"]),
        Route("/v1/configurations/virtual_machines", list_configurations, methods=["GET"]),
    )


def _list(
    world: World, type_name: str, priced: Callable[[PriceList, Datacenter], Priced]
) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        wanted = request.query_params.get("clusterId")
        prices = PriceList(world.market_percent)
        items = [
            {
                type_name: {**what, "clusterId": cluster_id(place)},
                "priceInfo": {"pricePerHourPerQty": hourly(price, world.epoch)},
            }
            for place in places(world)
            if wanted is None or wanted.lower() == cluster_id(place)
            for what, price in priced(prices, place)
        ]
        return answer({"items": items})

    return endpoint


def _vms(prices: PriceList, place: Datacenter) -> Priced:
    for size in CONFIGURATIONS:
        yield {"vmConfigurationId": configuration_id(size)}, prices.vm(size, place)


def _storage(prices: PriceList, place: Datacenter) -> Priced:
    for kind, replicated in product(STORAGE, (False, True)):
        what = {"storageType": kind, "replicated": replicated}
        yield what, prices.storage(place, kind, replicated=replicated)


def _addresses(prices: PriceList, place: Datacenter) -> Priced:
    yield {"addressType": "V4"}, prices.address(place)
