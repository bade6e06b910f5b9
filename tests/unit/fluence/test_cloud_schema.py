"""Whatever fits the published description of `cloud` can be read."""

import json
import re
from collections.abc import Callable
from datetime import UTC
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fluence_watch.errors import ApiError, UnexpectedPayloadError
from fluence_watch.fluence import ClientConfig, FluenceClient, Listing
from tests.unit.fluence.prices import answers as published

AMOUNT, PRICE = re.compile(r"(?=\.?[0-9])[0-9]{0,12}(\.[0-9]{0,40})?"), "pricePerHourPerQty"
OPENAPI = Path(__file__).parents[2] / "fixtures" / "cloud" / "openapi.json"
SCHEMAS = json.loads(OPENAPI.read_bytes())["components"]["schemas"]
QUICK = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow], database=None
)
Json = Any
Answers = dict[str, Json]
PRICES = {path: each for path, each in published().items() if path.startswith("/v1/prices/")}


@cache
def fitting(name: str) -> st.SearchStrategy[Any]:
    """Values that fit the schema of that name."""
    return values(SCHEMAS[name])


def values(schema: Json) -> st.SearchStrategy[Any]:
    """Values that fit a schema, as far as this description uses JSON Schema.

    A format is kept to where it says how something is written, and not where it bounds a number.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return st.deferred(lambda: fitting(name))
    if "oneOf" in schema:
        return st.one_of([values(each) for each in schema["oneOf"]])
    if "allOf" in schema:
        return st.tuples(*map(values, schema["allOf"])).map(merged)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema.get("type", "object")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return st.one_of([SIMPLE[kind](schema) for kind in kinds])


def merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def objects(schema: Json) -> st.SearchStrategy[Any]:
    properties = {name: values(each) for name, each in schema.get("properties", {}).items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: each for name, each in properties.items() if name in required},
        optional={name: each for name, each in properties.items() if name not in required},
    )


def strings(schema: Json) -> st.SearchStrategy[Any]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return MOMENTS
    return st.text(max_size=30) | st.sampled_from(["0.05", "12345678901234567890.1", "::/0", "x"])


MOMENTS = st.datetimes(timezones=st.timezones() | st.just(UTC)).map(
    lambda moment: moment.isoformat().replace("+00:00", "Z")
)
SIMPLE: dict[str, Callable[[Any], st.SearchStrategy[Any]]] = {
    "object": objects,
    "string": strings,
    "array": lambda schema: st.lists(values(schema["items"]), max_size=3),
    "integer": lambda schema: st.integers(min_value=schema.get("minimum")),
    "boolean": lambda _schema: st.booleans(),
    "null": lambda _schema: st.none(),
}


def pages_of(name: str, most: int = 3) -> st.SearchStrategy[Any]:
    """A whole list of such items: the numbers of the page are right, the items are anything."""
    return st.lists(fitting(name), max_size=most).map(page)


def page(items: list[Json]) -> Answers:
    count = len(items)
    numbers = {"currentPage": 1, "perPage": 100, "totalPages": 1}
    totals = {"totalRecords": count, "filteredRecords": count}
    return {"items": items, "pagination": numbers | totals}


def client_of(answers: Answers) -> FluenceClient:
    def answer(request: httpx.Request) -> httpx.Response:
        body = json.dumps(answers[request.url.path]).encode()
        return httpx.Response(200, stream=httpx.ByteStream(body))

    config = ClientConfig(api_key="k", dialect="cloud", timeout=2.0)
    return FluenceClient(config, transport=httpx.MockTransport(answer))


def check(listing: Listing) -> None:
    """It can be stored and shown."""
    for vm in listing.vms:
        numbers = [vm.price, vm.vcpus, vm.memory_bytes, vm.storage_bytes]
        assert all(0 <= number < 2**63 for number in numbers if number is not None)
        assert all(at.tzinfo is UTC for at in (vm.created_at, vm.next_billing_at) if at)
        assert (None, None) == (vm.reserved, vm.spent)
        assert all(0 < each.first <= each.last <= 65_535 for each in vm.ports or ())
        assert repr(vm).encode()
    for rejected in listing.rejected:
        assert f"{rejected.where} {rejected.why}".isprintable()


@QUICK
@given(data=st.data())
async def test_any_list(data: st.DataObject) -> None:
    """Any list of VMs, among any groups and places, gives a listing; what is odd is rejected."""
    vms = data.draw(pages_of("UserVmDto"))
    groups = data.draw(pages_of("UserSecurityGroupDto"))
    for group, vm in zip(groups["items"], vms["items"], strict=False):
        group["attachedTo"] = vm["networkInterfaces"]
    answers = {
        "/v2/vms": vms,
        "/v1/security_groups": groups,
        "/v1/clusters": data.draw(fitting("CollectionResponse_ClusterDto")),
        "/v1/datacenters": data.draw(fitting("CollectionResponse_DatacenterDto")),
        "/v1/service/status": data.draw(fitting("ServiceStatusDto")),
    }

    async with client_of(answers) as client:
        listing = await client.list_vms()

    assert len(vms["items"]) == len(listing.vms) + len(listing.rejected)
    check(listing)


@QUICK
@given(page=fitting("PaginatedResponse_UserVmDto"))
async def test_any_page(page: Json) -> None:
    """A page whose numbers are anything too gives a listing, if not a complete one."""
    answers: Answers = {"/v1/security_groups": [], "/v1/clusters": [], "/v1/datacenters": []}
    page["pagination"]["totalPages"] = min(page["pagination"]["totalPages"], 3)
    answers |= {"/v2/vms": page, "/v1/service/status": {"maintenanceMode": False, "version": ""}}
    async with client_of(answers) as client:
        check(await client.list_vms())


@QUICK
@given(keys=pages_of("UserSshKeyDto"))
async def test_any_keys(keys: Json) -> None:
    """Any list of SSH keys is read, in its order."""
    async with client_of({"/v1/ssh_keys": keys}) as client:
        found = await client.list_ssh_keys()

    assert [key["fingerprint"] for key in keys["items"]] == [key.fingerprint for key in found]


@QUICK
@given(
    balances=st.lists(fitting("EntitlementValueDto"), max_size=2),
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=9) | st.none(),
)
async def test_any_balance(balances: Json, amount: Json) -> None:
    """Any balances are read; an amount may be any text, and is an amount or an error."""
    for balance in balances if amount is not None else []:
        balance |= {"balance": f"{amount:f}", "overage": "0", "totalDepositedAmount": "1.5"}
    async with client_of({"/v2/users/balances": balances}) as client:
        try:
            await client.account_balance()
        except UnexpectedPayloadError as error:
            unclear = "no single balance" in str(error) or "no entitlement" in str(error)
            assert unclear or amount is None or abs(amount) * 10**6 > 10**16


@QUICK
@given(status=fitting("ServiceStatusDto"))
async def test_any_status(status: Json) -> None:
    """Any status of the service is read."""
    async with client_of({"/v1/service/status": status}) as client:
        told = await client.service_status()

    assert status["maintenanceMode"] == told.maintenance


LISTS = {
    "/v1/prices/vm": "CollectionResponse_VmPriceInfoDto",
    "/v1/prices/storage": "CollectionResponse_StoragePriceInfoDto",
    "/v1/prices/public-ip": "CollectionResponse_PublicIpPriceInfoDto",
    "/v1/prices/cost": "CostResult",
}


@QUICK
@given(data=st.data())
async def test_any_prices(data: st.DataObject) -> None:
    """Any price lists give a market; what is no amount is a flaw, and the rest is there."""
    answers = {path: data.draw(fitting(schema)) for path, schema in LISTS.items()}
    places = {"/v1/clusters": {"items": []}, "/v1/datacenters": {"items": []}}
    async with client_of(answers | places) as client:
        market = await client.market()

    listed = answers["/v1/prices/vm"]["items"]
    readable = [each for each in listed if AMOUNT.fullmatch(each["priceInfo"][PRICE])]
    assert market.knows("vm") is (len(readable) == len(listed))
    wanted = {each["vmTypeId"]["vmConfigurationId"].lower() for each in readable}
    assert wanted == {plan for kind, plan in market.offers if kind == "vm"}
    assert all(why.isprintable() for why in market.unknown.values())
    quotes = [each for places in market.offers.values() for per in places.values() for each in per]
    assert all(each.per_day >= 0 for each in quotes)


@settings(deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("method", ["market", "list_vms", "list_ssh_keys", "account_balance"])
async def test_damaged_answers(data: st.DataObject, method: str) -> None:
    """An answer with some of its bytes replaced is read, or an `ApiError`, and never a crash."""
    one = json.loads((OPENAPI.parent / "lists" / "one.json").read_bytes())
    one |= {"/v1/ssh_keys": page([{"id": "x", "fingerprint": "f", "name": "n"}])}
    one |= {"/v2/users/balances": [{"balance": "1.5", "featureKey": "k"}]}
    one |= PRICES
    path = data.draw(st.sampled_from(sorted(PRICES if method == "market" else one)))
    whole = json.dumps(one[path]).encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 30)))
    damaged = whole[:start] + data.draw(st.binary(max_size=10)) + whole[end:]

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.path
        body = damaged if asked == path else json.dumps(one[asked]).encode()
        return httpx.Response(200, stream=httpx.ByteStream(body))

    config = ClientConfig(api_key="k", dialect="cloud", timeout=2.0)
    async with FluenceClient(config, transport=httpx.MockTransport(answer)) as client:
        try:
            await getattr(client, method)()
        except ApiError as error:
            assert str(error).isprintable()  # noqa: PT017 - what matters is that nothing else is raised
