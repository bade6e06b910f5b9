"""What the market asks for VMs, disks and addresses: `/v1/prices/…`.

Source: OpenAPI description 0.10.0. The key needs `prices:read`. A price is for an hour; what a price
of storage is for is not told, so 1,000 GB of each are asked for with `POST /v1/prices/cost`.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from fluence_watch.fluence.dialects.cloud.resources import disk_plan
from fluence_watch.fluence.dialects.elements import few, read_each
from fluence_watch.fluence.dialects.parts import exact_price
from fluence_watch.fluence.dialects.quotes import Found
from fluence_watch.fluence.dialects.wire import FieldError, decoded, expected
from fluence_watch.fluence.http.calls import Call
from fluence_watch.model.charge import VM
from fluence_watch.model.market import Quote
from fluence_watch.model.resource import Kind

_HOURS = Decimal(24)
_SECONDS = Decimal(86_400)
_GB = 1_000  # of each kind of storage
_PRICE = ".priceInfo.pricePerHourPerQty"


class _PriceInfo(msgspec.Struct, rename="camel"):
    price_per_hour_per_qty: str

    @property
    def per_day(self) -> Decimal:
        return _HOURS * exact_price(self.price_per_hour_per_qty, _PRICE)


class _VmType(msgspec.Struct, rename="camel"):
    vm_configuration_id: str
    cluster_id: str


class _VmPrice(msgspec.Struct, rename="camel"):
    vm_type_id: _VmType
    price_info: _PriceInfo

    def quote(self) -> Quote:
        what = self.vm_type_id
        plan, cluster = what.vm_configuration_id.lower(), what.cluster_id.lower()
        return Quote(VM, plan, cluster, self.price_info.per_day)


class _AddressType(msgspec.Struct, rename="camel"):
    address_type: str
    cluster_id: str


class _AddressPrice(msgspec.Struct, rename="camel"):
    public_ip_type_id: _AddressType
    price_info: _PriceInfo

    def quote(self) -> Quote:
        what = self.public_ip_type_id
        cluster = what.cluster_id.lower()
        return Quote(Kind.PUBLIC_IP, what.address_type, cluster, self.price_info.per_day)


class _StorageType(msgspec.Struct, frozen=True, rename="camel"):
    storage_type: str
    replicated: bool
    cluster_id: str


class _StoragePrice(msgspec.Struct, rename="camel"):
    storage_type_id: _StorageType


class _Storage(msgspec.Struct):
    resource_id: _StorageType
    volume_gb: int


class _Resource(msgspec.Struct):
    storage: _Storage


class _Cost(msgspec.Struct, rename="camel"):
    resource: _Resource
    cost_per_sec: str

    def quote(self) -> Quote:
        storage = self.resource.storage
        if storage.volume_gb <= 0:
            raise FieldError(".resource.storage.volume_gb", "it is not a size")
        what = storage.resource_id
        per_second = exact_price(self.cost_per_sec, ".costPerSec") / storage.volume_gb
        plan = disk_plan(what.storage_type, what.replicated) or ""
        return Quote(Kind.DISK, plan, what.cluster_id.lower(), _SECONDS * per_second)


class _Costs(msgspec.Struct, rename="camel"):
    cost_of_resources: list[msgspec.Raw]


class _Items(msgspec.Struct):
    items: list[msgspec.Raw]


async def vm_prices(call: Call) -> Found:
    """The prices of VMs.

    Raises:
        ApiError: they could not be read.
    """
    items = await _items(call, "vm_prices", "/v1/prices/vm")
    return read_each(items, lambda raw: _VM_PRICE.decode(raw).quote())


async def address_prices(call: Call) -> Found:
    """The prices of public addresses.

    Raises:
        ApiError: they could not be read.
    """
    items = await _items(call, "public_ip_prices", "/v1/prices/public-ip")
    return read_each(items, lambda raw: _ADDRESS_PRICE.decode(raw).quote())


async def storage_prices(call: Call) -> Found:
    """The prices of a GB of each kind of storage.

    Raises:
        ApiError: they could not be read.
    """
    items = await _items(call, "storage_prices", "/v1/prices/storage")
    listed, flaws = read_each(items, lambda raw: _STORAGE_PRICE.decode(raw).storage_type_id)
    if not listed:
        return (), flaws
    wanted = [_Resource(_Storage(each, _GB)) for each in dict.fromkeys(listed)]
    body = await call.ask("cost", "/v1/prices/cost", {"resources": wanted})
    costs = expected("costs", lambda body: decoded(_COSTS, body), body)
    found, more = read_each(costs.cost_of_resources, lambda raw: _COST.decode(raw).quote())
    return found, [*flaws, *more]


async def _items(call: Call, endpoint: str, path: str) -> Sequence[msgspec.Raw]:
    body = await call.get(endpoint, path)
    return few(expected("a list of prices", lambda body: decoded(_ITEMS, body), body).items)


_VM_PRICE = msgspec.json.Decoder(_VmPrice)
_ADDRESS_PRICE = msgspec.json.Decoder(_AddressPrice)
_STORAGE_PRICE = msgspec.json.Decoder(_StoragePrice)
_COST = msgspec.json.Decoder(_Cost)
_COSTS = msgspec.json.Decoder(_Costs)
_ITEMS = msgspec.json.Decoder(_Items)

LISTS: Final[dict[str, Callable[[Call], Any]]] = {
    "VM prices": vm_prices,
    "disk prices": storage_prices,
    "public IP prices": address_prices,
}
"""The price lists by what they are of."""
