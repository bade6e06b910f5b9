"""Spoils good responses: pure functions from a body to a spoiled one.

They work on JSON of any dialect: a list of objects, or an object whose `items` is one.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from random import Random
from typing import Any, Final

import msgspec

from fluence_watch.simulator.faults import FaultKind

Items = list[Any]

HOSTILE_TEXTS: Final = (
    "<!channel> <!everyone> <@U024BE7LH>",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "line one\nline two\r\nBcc: victim@example.org",
    "\u202egnp.exe\u202c",
    'quote " and backslash \\ and `tick`',
    "{{7*7}} ${7*7} {% raw %}",
    "*bold* _it_ [link](https://example.org) | cell",
    "nul \x00 and bell \x07",
    "\U0001f525" * 20,
    "x" * 10_000,
)

# codes, ids, times and amounts, which clients parse rather than show
_NOT_TEXT: Final = frozenset(
    {
        "id", "status", "type", "units", "protocol", "fingerprint", "algorithm",
        "pricePerEpoch", "reservedBalance", "totalSpent", "createdAt", "nextBillingAt",
        "statusChangedAt", "updatedAt", "readySince", "lastPaidAt", "paidUntil", "terminatedAt",
        "periodStart", "priceHourlyUsd", "priceMonthlyUsd", "totalCost", "totalUsageHours",
        "quantity", "balance", "usage", "estimatedUsage", "overage", "totalDepositedAmount",
        "allowedActions", "configurationSlug", "role", "storageType", "addressType",
        "resourceType", "protocolKind", "remote",
    }
)  # fmt: skip
_NULLABLE: Final = frozenset(
    {
        "vmName", "osImage", "ports", "publicIp", "datacenter",
        "pricePerEpoch", "reservedBalance", "totalSpent", "nextBillingAt",
    }
)  # fmt: skip
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_BREAKS: Final[tuple[dict[str, object], ...]] = (
    {"pricePerEpoch": "abc"},
    {"ports": 22},
    {"paidUntil": "abc"},
    {"networkInterfaces": 22},
)
_MEGABYTE: Final = 1_048_576
_SHARE_KEPT: Final = 0.7


def spoiled(kind: FaultKind, body: bytes, rng: Random) -> bytes:
    """The body with this fault; unchanged if it is not a JSON list."""
    if kind is FaultKind.TRUNCATED_JSON:
        return body[: rng.randrange(len(body))] if body else body
    try:
        payload = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body
    items = payload["items"] if isinstance(payload, dict) and "items" in payload else payload
    if isinstance(items, list):
        items[:] = _SPOILERS[kind](items, rng)
    return msgspec.json.encode(payload)


@lru_cache(maxsize=2)
def gzip_bomb(megabytes: int) -> bytes:
    """An empty JSON list in so many megabytes of blanks, as gzip."""
    press = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    blanks = b" " * _MEGABYTE
    parts = [press.compress(b"["), *(press.compress(blanks) for _ in range(megabytes))]
    return b"".join([*parts, press.compress(b"]"), press.flush()])


def huge_body(megabytes: int) -> list[bytes]:
    """The same list uncompressed, in pieces of a megabyte."""
    return [b"[", *([b" " * _MEGABYTE] * megabytes), b"]"]


def _malformed(items: Items, rng: Random) -> Items:
    if not items:
        return items
    at = rng.randrange(len(items))
    item = items[at]
    changed = [item | fault for fault in _BREAKS if fault.keys() <= item.keys()]
    broken = rng.choice((17, None, "a string", *changed))
    return [*items[:at], broken, *items[at + 1 :]]


def _all_malformed(items: Items, _rng: Random) -> Items:
    return [
        item | next((fault for fault in _BREAKS if fault.keys() <= item.keys()), {})
        for item in items
    ]


def _emptied(_items: Items, _rng: Random) -> Items:
    return []


def _shortened(items: Items, rng: Random) -> Items:
    kept = [item for item in items if rng.random() < _SHARE_KEPT]
    return kept if len(kept) < len(items) else kept[1:]


def _duplicated(items: Items, rng: Random) -> Items:
    if not items:
        return items
    twice = rng.choice(items)
    return [*items, twice | {"vmName" if "vmName" in twice else "name": "duplicate"}]


def _hostile(items: Items, _rng: Random) -> Items:
    return [_hostile_value(item) for item in items]


def _hostile_value(value: object) -> object:
    if isinstance(value, dict):
        return {
            key: inner if key in _NOT_TEXT else _hostile_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_hostile_value(inner) for inner in value]
    # the same text for the same value, so that a hostile name is stable across polls
    is_text = isinstance(value, str) and not _UUID.fullmatch(value)
    return _hostile_text(str(value)) if is_text else value


def _hostile_text(value: str) -> str:
    return HOSTILE_TEXTS[zlib.crc32(value.encode()) % len(HOSTILE_TEXTS)]


def _nulled(items: Items, _rng: Random) -> Items:
    return [
        {key: None if key in _NULLABLE else value for key, value in item.items()} for item in items
    ]


_SPOILERS: Final[Mapping[FaultKind, Callable[[Items, Random], Items]]] = {
    FaultKind.MALFORMED_ELEMENT: _malformed,
    FaultKind.MALFORMED_LIST: _all_malformed,
    FaultKind.EMPTY_LIST: _emptied,
    FaultKind.SHORT_LIST: _shortened,
    FaultKind.DUPLICATE_IDS: _duplicated,
    FaultKind.HOSTILE_TEXT: _hostile,
    FaultKind.NULL_FIELDS: _nulled,
}
