"""Lists in pages: `{items, pagination}`, filters, order.

The API documents neither the number of the first page nor the default page size.
Here the first page has the world's `first_page`, and a lower number requests it too.
A page has 20 elements by default and at most 100; `pagination.perPage` reports the size.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

Item = dict[str, Any]
Choices = Mapping[str, Collection[str]]
"""Parameters, and the values that each may have."""

_Source = TypeVar("_Source")

_PER_PAGE = 20
_MOST_PER_PAGE = 100
_BAD_REQUEST = 400
_SORT_FIELDS = ("createdAt", "name", "status")
# a parameter, and the field that must equal it
_FIELDS: Final = {
    "clusterId": "clusterId",
    "publicIpId": "publicIp",
    "storageType": "storageType",
    "addressType": "addressType",
}


def bad_request(text: str) -> HTTPException:
    """The error for an invalid parameter."""
    return HTTPException(_BAD_REQUEST, text)


def many(query: QueryParams, name: str) -> list[str]:
    """The values of `name`, `name[]`, `name[0]`, `name[1]`… in order."""
    wanted = re.compile(rf"{name}(\[\d*\])?", re.ASCII)
    return [value for key, value in query.multi_items() if wanted.fullmatch(key)]


def check_choices(query: QueryParams, choices: Choices) -> None:
    """Refuse an unknown value of these parameters, with status 400."""
    for name, known in choices.items():
        if unknown := [value for value in many(query, name) if value not in known]:
            raise bad_request(f"{name} {unknown[0]!r:.60}: there are {', '.join(known)}")


def whole_number(query: QueryParams, name: str) -> int | None:
    """The parameter as an integer from 0 up; otherwise an error with status 400."""
    text = query.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise bad_request(f"{name} must be a whole number")
    return int(text)


@dataclass(frozen=True, slots=True)
class Listed:
    """One page: its sources and their items in parallel, and the totals over all pages."""

    sources: Sequence[Any]
    items: list[Item]
    pagination: dict[str, int]

    @property
    def payload(self) -> dict[str, object]:
        """The response body."""
        return {"items": self.items, "pagination": self.pagination}


def listed(
    query: QueryParams,
    sources: Sequence[_Source],
    view: Callable[[_Source], Item],
    first_page: int,
    choices: Choices,
) -> Listed:
    """The requested page of the items that pass the filters, whose values are of the choices.

    Without filter and order, only the requested page is built, because a fleet may be large.
    """
    check_choices(query, choices)
    selects = any(key.split("[")[0] not in {"page", "perPage", "expand"} for key in query)
    chosen = _selected(query, [(s, view(s)) for s in sources]) if selects else None
    total, count = len(sources), len(sources) if chosen is None else len(chosen)
    per_page = min(whole_number(query, "perPage") or _PER_PAGE, _MOST_PER_PAGE)
    page = max(whole_number(query, "page") or first_page, first_page)
    shown = slice((page - first_page) * per_page, (page - first_page + 1) * per_page)
    pairs = [(s, view(s)) for s in sources[shown]] if chosen is None else chosen[shown]
    pagination = {
        "totalRecords": total,
        "filteredRecords": count,
        "totalPages": -(-count // per_page),
        "currentPage": page,
        "perPage": per_page,
    }
    return Listed([source for source, _ in pairs], [item for _, item in pairs], pagination)


Pair = tuple[Any, Item]


def _selected(query: QueryParams, pairs: Iterable[Pair]) -> list[Pair]:
    filters = list(_filters(query))
    kept = [pair for pair in pairs if all(passes(pair[1]) for passes in filters)]
    field, order = query.get("sort"), query.get("order", "asc")
    if field not in {None, *_SORT_FIELDS} or order not in {"asc", "desc"}:
        raise bad_request("sort is createdAt, name or status; order is asc or desc")
    if field is not None:
        kept.sort(key=lambda pair: pair[1][field], reverse=order == "desc")
    return kept


def _filters(query: QueryParams) -> Iterator[Callable[[Item], bool]]:
    ids, states, excluded = (many(query, name) for name in ("ids", "status", "excludeStatus"))
    if ids:
        yield lambda item: item["id"] in ids
    if states:
        yield lambda item: item.get("status") in states
    if excluded:
        yield lambda item: item.get("status") not in excluded
    if query.get("excludeAttached") == "true":
        yield lambda item: not item.get("attachedTo")
    if (pattern := query.get("name")) is not None:
        yield partial(_is_like, pattern)
    for parameter, field in _FIELDS.items():
        if (wanted := query.get(parameter)) is not None:
            yield partial(_is_the_same, field, wanted.lower())


def _is_the_same(field: str, wanted: str, item: Item) -> bool:
    # case-insensitive: the parameter says NVMe, the storage says NVME
    return str(item.get(field)).lower() == wanted


def _is_like(pattern: str, item: Item) -> bool:
    # like SQL's ILIKE: % is any text, _ any character
    wild = {"%": ".*", "_": "."}
    regex = "".join(wild.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(regex, item["name"], re.IGNORECASE | re.DOTALL) is not None
