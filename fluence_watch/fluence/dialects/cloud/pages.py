"""Lists in pages, `{items, pagination}`, read to the end and checked against their totals.

The API documents neither the number of its first page nor its largest page size. The first page
is requested without a number, and the others follow its `currentPage`.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from fluence_watch.errors import BodyTooLargeError, UnexpectedPayloadError
from fluence_watch.fluence.dialects.wire import decoded, expected
from fluence_watch.fluence.http.calls import Call

_PER_PAGE: Final = 100
_MOST_PAGES = 20_000
_AT_ONCE = 4


class _Pagination(msgspec.Struct, frozen=True, rename="camel"):
    current_page: int
    total_pages: int
    total_records: int
    filtered_records: int


class Page(msgspec.Struct):
    """One page of any list."""

    items: list[msgspec.Raw]
    pagination: _Pagination


class _OnlyId(msgspec.Struct):
    id: str


class Pages(NamedTuple):
    """The items of all pages; `flaw` says why some may be missing."""

    items: list[msgspec.Raw]
    flaw: str | None


async def read_pages(call: Call, endpoint: str, path: str) -> Pages:
    """Read all pages of a list.

    Raises:
        ApiError: a page could not be read.
        BodyTooLargeError: the pages together are too large; no more are requested.
    """
    path = f"{path}{'&' if '?' in path else '?'}perPage={_PER_PAGE}"
    bound = _Bound(call.max_bytes)
    first = await _page(call, endpoint, path, bound)
    numbers = _later(first.pagination)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def later(number: int) -> Page:
        async with gate:
            return await _page(call, endpoint, f"{path}&page={number}", bound)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(later(number)) for number in numbers]
    except ExceptionGroup as errors:  # Python before 3.11.4 wraps errors that `except*` raises
        raise errors.exceptions[0] from None
    pages = [first, *(task.result() for task in tasks)]
    items = [item for page in pages for item in page.items]
    return Pages(items, _flaw(pages, numbers, items))


def read_page(body: bytes) -> Page:
    """Decode one page.

    Raises:
        ValueError, RecursionError: it cannot be read.
    """
    return decoded(_PAGE, body)


class _Bound:
    """Counts the bytes of the pages as they arrive, up to a bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._had = 0

    def add(self, size: int) -> None:
        self._had += size
        self.check()

    def check(self) -> None:
        if self._had > self._most:
            raise BodyTooLargeError(f"the pages are larger than {self._most} bytes together")


async def _page(call: Call, endpoint: str, path: str, bound: _Bound) -> Page:
    bound.check()  # no request for a page whose turn comes after the bound is exceeded
    body = await call.get(endpoint, path)
    bound.add(len(body))
    return expected("a page of a list", read_page, body)


def _later(pagination: _Pagination) -> range:
    if pagination.total_pages > _MOST_PAGES:
        text = f"{pagination.total_pages:.3g} pages are implausible"
        raise UnexpectedPayloadError(text, where="body.pagination.totalPages")
    return range(pagination.current_page + 1, pagination.current_page + pagination.total_pages)


def _flaw(pages: Sequence[Page], asked: range, items: Sequence[msgspec.Raw]) -> str | None:
    announced = pages[0].pagination
    if any(_totals(page.pagination) != _totals(announced) for page in pages):
        return "the list changed while its pages were read"
    if [page.pagination.current_page for page in pages[1:]] != list(asked):
        return "the API returned other pages than requested"
    if len(items) not in {announced.filtered_records, announced.total_records}:
        return f"the list announces {announced.filtered_records} records and has {len(items)}"
    if len(pages) > 1 and _repeats(items):
        return "an id is on two pages: the list changed while they were read"
    return None


def _totals(pagination: _Pagination) -> tuple[int, int, int]:
    return pagination.total_pages, pagination.total_records, pagination.filtered_records


def _repeats(items: Iterable[msgspec.Raw]) -> bool:
    ids = [known for known in map(_id_of, items) if known is not None]
    return len(ids) != len(set(ids))


def _id_of(item: msgspec.Raw) -> str | None:
    try:
        return _ID.decode(item).id.lower()
    except (ValueError, RecursionError):
        return None  # rejected later, by its position in the list


_PAGE = msgspec.json.Decoder(Page)
_ID = msgspec.json.Decoder(_OnlyId)
