import gc
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluence_watch.errors import ApiError, UnexpectedPayloadError
from fluence_watch.fluence import ClientConfig, FluenceClient, Listing

FIXTURES = Path(__file__).parents[2] / "fixtures"
GUIDE = (FIXTURES / "v2" / "guide.json").read_bytes()
KEYS = list(json.loads(GUIDE)[0])


def client_of(*bodies: bytes, dialect: str = "v2") -> FluenceClient:
    """A client whose connection brings these bodies, one after the other."""
    rest = iter(bodies)
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, stream=httpx.ByteStream(next(rest)))
    )
    config = ClientConfig(api_key="k", dialect=dialect)
    return FluenceClient(config, transport=transport, now=lambda: datetime.now(UTC))


def captured(fixture: Path) -> tuple[bytes, dict[str, Any]]:
    """A payload, and what is expected of it."""
    expected = (fixture.parent / "expected" / fixture.name).read_bytes()
    return fixture.read_bytes(), json.loads(expected)


def as_json(listing: Listing) -> object:
    """The listing as JSON has it, without what is unknown."""
    vms = [
        {name: value for name, value in msgspec.to_builtins(vm).items() if value is not None}
        for vm in listing.vms
    ]
    rejected = msgspec.to_builtins(list(listing.rejected))
    return msgspec.json.decode(msgspec.json.encode({"vms": vms, "rejected": rejected}))


async def listing_of(body: bytes, dialect: str = "v2") -> Listing:
    async with client_of(body, dialect=dialect) as client:
        return await client.list_vms()


@pytest.mark.parametrize(
    "fixture",
    sorted(FIXTURES.glob("v*/*.json")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
async def test_captured_payloads(fixture: Path) -> None:
    """Each payload of a dialect gives what stands in the file of the same name in `expected/`."""
    payload, expected = captured(fixture)

    async with client_of(payload, dialect=fixture.parent.name) as client:
        listing = await client.list_vms()

    assert expected == as_json(listing)


@pytest.mark.parametrize(
    "fixture", sorted((FIXTURES / "cloud" / "lists").glob("*.json")), ids=lambda path: path.stem
)
async def test_captured_cloud_payloads(fixture: Path) -> None:
    """The same for `cloud`, whose payloads hold the answer of each path."""
    payload, expected = captured(fixture)
    answers = json.loads(payload)
    transport = httpx.MockTransport(
        lambda request: httpx.Response(
            200, stream=httpx.ByteStream(json.dumps(answers[request.url.path]).encode())
        )
    )
    config = ClientConfig(api_key="k", dialect="cloud")

    async with FluenceClient(config, transport=transport) as client:
        listing = await client.list_vms()

    assert listing.incomplete_because is None
    assert expected == as_json(listing)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "body: not a list of VMs: "),
        (b"null", "body: not a list of VMs: Expected `array`, got `null`"),
        (b'{"items": []}', "body: not a list of VMs: Expected `array`, got `object`"),
        (b"<html>", "body: not a list of VMs: JSON is malformed"),
        (b'[{"id": "0x1"}', "body: not a list of VMs: "),
        (b"[] []", "body: not a list of VMs: JSON is malformed"),
        (b"[NaN]", "body: not a list of VMs: JSON is malformed"),
        (b"[-Infinity]", "body: not a list of VMs: JSON is malformed"),
        (b"[" * 100_000, "body: not a list of VMs: "),
        (b"\xef\xbb\xbf[]", "body: not a list of VMs: "),
    ],
)
async def test_not_a_list(body: bytes, text: str) -> None:
    """A body that is not a JSON array is an unexpected payload, and says what it is instead."""
    with pytest.raises(UnexpectedPayloadError) as caught:
        await listing_of(body)

    assert str(caught.value).startswith(text)
    assert "body" == caught.value.where


@pytest.mark.parametrize(
    "element",
    [
        b"[" * 500 + b"]" * 500,
        b'{"id": "x", "vmName": "\xff"}',
        b'{"id": "x", "pricePerEpoch": ' + b"9" * 5000 + b"}",
        b'{"id": "x", "totalSpent": "' + b"9" * 5000 + b'"}',
        b'{"id": "x", "totalSpent": "\xd9\xa1"}',
        b'{"id": "x", "ports": [{"port": 1' + b"0" * 5000 + b', "protocol": "tcp"}]}',
        b'{"id": "x", "datacenter": {"cityIndex": 1e400}}',
        b'{"id": "x", "createdAt": "2025-04-16T25:00:00Z"}',
        b'{"id": "' + b"x" * 201 + b'"}',
    ],
)
async def test_bad_element(element: bytes) -> None:
    """An element that cannot be read is rejected alone, the others are listed."""
    body = b'[{"id": "before"},' + element + b',{"id": "after"}]'

    listing = await listing_of(body)

    assert ["before", "after"] == [vm.id for vm in listing.vms]
    (rejected,) = listing.rejected
    assert rejected.where.startswith("[1]")
    assert len(rejected.why) <= 200


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (rb"a\ud800b", "a\ufffdb"),
        (rb"\uDC00\ud800", "\ufffd\ufffd"),
        (rb"\ud800\n", "\ufffd\n"),
        (rb"\\ud800 \ud800", "\\ud800 \ufffd"),
        (rb"\ud83d\ude00 \ud83d", "\U0001f600 \ufffd"),
    ],
)
async def test_half_a_surrogate_pair(written: bytes, name: str) -> None:
    """A name that is no Unicode text is mended, and costs nobody the list."""
    listing = await listing_of(b'[{"id": "x", "vmName": "%s"}, {"id": "y"}]' % written)

    assert [name, None] == [vm.name for vm in listing.vms]


async def test_repeated_keys() -> None:
    """Of a key that stands twice in an element, the last counts."""
    listing = await listing_of(b'[{"id": "first", "id": "last"}]')

    assert ["last"] == [vm.id for vm in listing.vms]


async def test_unchanged_vm_is_the_same_object() -> None:
    """Between polls an element with the same bytes stays one object, wherever it stands."""
    same, before, after = b'{"id": "same"}', b'{"id": "b"}', b'{"id": "b", "vmName": "new"}'
    async with client_of(b"[%s,%s]" % (same, before), b"[%s,%s]" % (after, same)) as client:
        first, second = await client.list_vms(), await client.list_vms()

    assert first.vms[0] is second.vms[1]
    assert [None, "new"] == [first.vms[1].name, second.vms[0].name]


async def test_memo_is_of_the_last_list_alone() -> None:
    """A VM that left the list is not kept in memory for its return."""
    async with client_of(b'[{"id": "x"}]', b"[]", b'[{"id": "x"}]') as client:
        first, _, third = [await client.list_vms() for _ in range(3)]

    assert first.vms == third.vms
    assert first.vms[0] is not third.vms[0]


async def test_failed_poll_keeps_the_memo() -> None:
    """A poll that brought no list changes nothing."""
    async with client_of(b'[{"id": "x"}]', b"null", b'[{"id": "x"}]') as client:
        first = await client.list_vms()
        with pytest.raises(UnexpectedPayloadError):
            await client.list_vms()
        third = await client.list_vms()

    assert first.vms[0] is third.vms[0]


@pytest.mark.parametrize("switch", [gc.enable, gc.disable])
async def test_collector_is_left_as_it_was(switch: Callable[[], None]) -> None:
    """Whether the cycle collector runs or is held off by the caller, reading changes nothing."""
    switch()
    try:
        before = gc.isenabled()
        await listing_of(GUIDE)
        assert before == gc.isenabled()
    finally:
        gc.enable()


async def test_like_parts_are_shared() -> None:
    """VMs with the same datacenter and ports share the objects, which keeps a big list small."""
    vm = json.loads(GUIDE)[0]
    other = vm | {"id": "other"}

    first, second = (await listing_of(json.dumps([vm, other]).encode())).vms

    assert first.datacenter is second.datacenter
    assert first.ports is second.ports


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["22", "-1", "+002025-04-16T17:59:55.000000000Z", "VCPU", "tcp", "1e9"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*KEYS, "port", "protocol", "type", "quantity", "cityIndex"])
            | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
MUTATED = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4).map(
    lambda changes: json.loads(GUIDE)[0] | changes
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The guide's sample with some of its bytes replaced."""
    start = draw(st.integers(0, len(GUIDE)))
    end = draw(st.integers(start, min(len(GUIDE), start + 30)))
    return GUIDE[:start] + draw(st.binary(max_size=10)) + GUIDE[end:]


BODIES = (
    st.binary()
    | st.floats().map(lambda value: json.dumps([{"id": "x", "pricePerEpoch": value}]).encode())
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.lists(MUTATED | VALUES, max_size=3).map(lambda value: json.dumps(value).encode())
    | damaged()
)


@settings(deadline=None)
@given(body=BODIES, dialect=st.sampled_from(["v2", "v3"]))
async def test_any_body(body: bytes, dialect: str) -> None:
    """Whatever the body is, it gives a listing that can be stored and shown, or an ApiError."""
    try:
        listing = await listing_of(body, dialect)
    except ApiError:
        return
    for vm in listing.vms:
        assert vm.id
        numbers = [vm.price, vm.reserved, vm.spent, vm.vcpus, vm.memory_bytes, vm.storage_bytes]
        assert all(abs(number) < 2**63 for number in numbers if number is not None)
        assert all(at.tzinfo is UTC for at in (vm.created_at, vm.next_billing_at) if at)
        assert repr(vm).encode()
        assert all(text.encode() for text in (vm.name, vm.public_ip, vm.os_image) if text)
    for rejected in listing.rejected:
        assert f"{rejected.where} {rejected.why}".isprintable()


@settings(deadline=None)
@given(before=st.lists(MUTATED, max_size=4), added=st.lists(MUTATED, max_size=4))
async def test_memo_changes_no_listing(before: list[Any], added: list[Any]) -> None:
    """A list reads the same, whatever list was read before it."""
    bodies = [json.dumps(each).encode() for each in (before, before + added)]

    async with client_of(*bodies) as client:
        await client.list_vms()
        remembered = await client.list_vms()

    assert await listing_of(bodies[1]) == remembered
