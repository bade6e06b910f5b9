"""Answers of the endpoints that tell prices, as published, and clients of who gives them."""

from typing import Any, Protocol

import httpx

from fluence_watch.fluence import FluenceClient, Market, Quote

Json = Any

OFFERS = "/marketplace/offers"
VM_PRICES, ADDRESS_PRICES = "/v1/prices/vm", "/v1/prices/public-ip"
STORAGE_PRICES, COST = "/v1/prices/storage", "/v1/prices/cost"
CONTAINERS, GPU_VMS, SERVERS = "/gpu/plans/", "/gpu/plans/vms", "/gpu/plans/baremetal"
PLACES = ("/v1/clusters", "/v1/datacenters")
LISTS = {
    VM_PRICES: "VM prices",
    STORAGE_PRICES: "disk prices",
    ADDRESS_PRICES: "public IP prices",
    CONTAINERS: "GPU container prices",
    GPU_VMS: "GPU VM prices",
    SERVERS: "GPU server prices",
}
CONTROLS = "\x1b[2J\x00\r\n\u202egnp"


class FakeCloud(Protocol):
    """What the tests use of the fixture `cloud`."""

    answers: dict[str, Json]
    asked: list[httpx.Request]

    def count(self, path: str) -> int:
        """How often the path was asked for."""

    def client(self, **config: Json) -> FluenceClient:
        """A client of it."""


def offer(slug: str = "cpu-2-ram-4gb-storage-25gb", price: str = "0.5", **more: Json) -> Json:
    """An offer of a place in Paris with room for VMs."""
    place = {"id": "0x05", "countryCode": "FR", "cityCode": "PAR", "cityIndex": 1, "tier": 4}
    extra = {"supply": 4_000, "units": "GiB", "type": "STORAGE", "price": "0.001"}
    server = {"availableBasicInstances": 3, "additionalResources": [extra]}
    usual = {"datacenter": place, "servers": [server], "maxAdditionalSupply": [extra]}
    return {"configuration": {"slug": slug, "price": price}, "resources": []} | usual | more


PARIS, CLUSTER = "FR-PAR-1", "00000000-0000-4000-8000-0000000000C1"
SIZE = "00000000-0000-4000-8000-0000000000A1"


def vm_price(price: Json = "0.02", **changes: Json) -> Json:
    what = {"vmConfigurationId": SIZE, "clusterId": CLUSTER} | changes
    return {"vmTypeId": what, "priceInfo": {"pricePerHourPerQty": price}}


def address_price(price: Json = "0.004", **changes: Json) -> Json:
    what = {"addressType": "V4", "clusterId": CLUSTER} | changes
    return {"publicIpTypeId": what, "priceInfo": {"pricePerHourPerQty": price}}


def storage_price(**changes: Json) -> Json:
    what = {"storageType": "SSD", "replicated": False, "clusterId": CLUSTER} | changes
    return {"storageTypeId": what, "priceInfo": {"pricePerHourPerQty": "0.00004"}}


def cost(price: Json = "0.00001", gb: Json = 1_000, **changes: Json) -> Json:
    what = {"resource_id": storage_price(**changes)["storageTypeId"], "volume_gb": gb}
    return {"resource": {"storage": what}, "costPerSec": price}


def sizes(vcpus: Json = 14, memory: Json = 119, units: Json = "Gi") -> Json:
    return {
        "vcpu": {"count": vcpus},
        "memory": {"count": memory, "units": units},
        "storage": {"count": 582, "units": "Gi"},
    }


MODEL = {"vendor": "nvidia", "model": "a100", "vram": "80Gi", "interface": "sxm"}
GPU_PLAN = "1 x a100 80gi sxm, 14 vCPU, 119gi, 582gi"


def pricing(hour: Json = 1.22) -> Json:
    return {"hour": hour, "upfront_hours": 3, "currency": "USDC"}


def container_plan(hour: Json = 1.22, places: Json = ("US",), **changes: Json) -> Json:
    plan = {
        "id": "p", "name": "n", "supply": sizes() | {"gpu_count": 1},
        "gpu_model": MODEL | {"interface": "SXM"}, "pricing": pricing(hour),
    }  # fmt: skip
    return {"plan": plan | changes, "attributes": {"location": places}}


def group(hour: Json = 1.22, gpus: Json = 1, model: Json = None, **changes: Json) -> Json:
    option = {"id": "o", "location": "US", "provider": "p", "pricing": pricing(hour), **sizes()}
    number = {"gpu_count": gpus, "minimum_price": hour, "options": [option | changes]}
    return {"gpu_model": model or MODEL, "availability_by_number": [number]}


def items(*elements: Json) -> Json:
    return {"items": list(elements)}


def costs(*elements: Json) -> Json:
    return {"costOfResources": list(elements), "totalCostPerSec": "1", "periodSecs": 1, "totalCost": "1"}  # fmt: skip


def extra(**changes: Json) -> Json:
    return {"supply": 9, "units": "GiB", "type": "STORAGE", "price": "0.001"} | changes


def room(*counts: int | None) -> Json:
    return [{"availableBasicInstances": each} for each in counts]


def answers() -> dict[str, Json]:
    """Every list as published, with one element."""
    return {
        OFFERS: [offer()],
        VM_PRICES: items(vm_price()),
        ADDRESS_PRICES: items(address_price()),
        STORAGE_PRICES: items(storage_price()),
        COST: costs(cost()),
        CONTAINERS: [container_plan()],
        GPU_VMS: {"data": [group()]},
        SERVERS: {"data": [group()]},
        "/v1/clusters": items({"id": CLUSTER.lower(), "name": "x", "dcId": "dc"}),
        "/v1/datacenters": items(
            {"id": "dc", "countryCode": "FR", "cityCode": "PAR", "index": 1, "tier": 4}
        ),
    }


async def market_of(cloud: FakeCloud, dialect: str = "cloud", **config: Json) -> Market:
    async with cloud.client(dialect=dialect, **{"gpu": True} | config) as client:
        return await client.market()


def quotes(market: Market) -> dict[str, list[Quote]]:
    """All quotes, by kind."""
    found: dict[str, list[Quote]] = {}
    for (kind, _), places in market.offers.items():
        found.setdefault(kind, []).extend(each for offered in places.values() for each in offered)
    return found
