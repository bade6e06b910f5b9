"""Lists in pages, `{items, pagination}`, whole or page by page, checked against their totals.

The API documents neither the number of its first page nor its largest page size. The first page
is requested without a number, and the others follow its `currentPage`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
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
    """The items of one page or more; `flaw` says why some may be missing."""

    items: list[msgspec.Raw]
    flaw: str | None


async def read_pages(call: Call, endpoint: str, path: str) -> Pages:
    """Read all pages of a list.

    Raises:
        ApiError: a page could not be read.
        BodyTooLargeError: the pages together are too large; no more are requested.
    """
    path = _paged(path)
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
    tally = _Tally(first.pagination)
    for page in pages:
        tally.add(page)
    return Pages([item for page in pages for item in page.items], tally.flaw)


async def each_page(call: Callable[[], Call], endpoint: str, path: str) -> AsyncIterator[Pages]:
    """Read a list page by page, each in a call of its own. A flaw of the whole is on the last.

    Raises:
        ApiError: a page could not be read.
    """
    path = _paged(path)
    page = await _page(call(), endpoint, path)
    tally = _Tally(page.pagination)
    tally.add(page)
    for number in _later(page.pagination):
        yield Pages(page.items, None)
        page = await _page(call(), endpoint, f"{path}&page={number}")
        tally.add(page)
    yield Pages(page.items, tally.flaw)


def _paged(path: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}perPage={_PER_PAGE}"


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


async def _page(call: Call, endpoint: str, path: str, bound: _Bound | None = None) -> Page:
    bound = bound or _Bound(call.max_bytes)
    bound.check()  # no request for a page whose turn comes after the bound is exceeded
    body = await call.get(endpoint, path)
    bound.add(len(body))
    return expected("a page of a list", read_page, body)


def _later(pagination: _Pagination) -> range:
    if pagination.total_pages > _MOST_PAGES:
        text = f"{min(pagination.total_pages, 10**15):.3g} pages are implausible"
        raise UnexpectedPayloadError(text, where="body.pagination.totalPages")
    return range(pagination.current_page + 1, pagination.current_page + pagination.total_pages)


class _Tally:
    """Adds up the pages in their order, and compares them with what the first one announces."""

    def __init__(self, announced: _Pagination) -> None:
        self._announced = announced
        self._number = announced.current_page
        self._records = 0
        self._ids: set[int] = set()  # their hashes, since there may be 100,000
        self._changed = self._others = self._repeats = False

    def add(self, page: Page) -> None:
        self._changed |= _totals(page.pagination) != _totals(self._announced)
        self._others |= page.pagination.current_page != self._number
        self._number += 1
        self._records += len(page.items)
        if self._announced.total_pages > 1:
            ids = [hash(known) for known in map(_id_of, page.items) if known is not None]
            expected_ids = len(self._ids) + len(ids)
            self._ids.update(ids)
            self._repeats |= len(self._ids) < expected_ids

    @property
    def flaw(self) -> str | None:
        """Why items may be missing."""
        announced = self._announced
        if self._changed:
            return "the list changed while its pages were read"
        if self._others:
            return "the API returned other pages than requested"
        if self._records not in {announced.filtered_records, announced.total_records}:
            return (
                f"the list announces {announced.filtered_records} records and has {self._records}"
            )
        if self._repeats:
            return "an id is on two pages: the list changed while they were read"
        return None


def _totals(pagination: _Pagination) -> tuple[int, int, int]:
    return pagination.total_pages, pagination.total_records, pagination.filtered_records


def _id_of(item: msgspec.Raw) -> str | None:
    try:
        return _ID.decode(item).id.lower()
    except (ValueError, RecursionError):
        return None  # rejected later, by its position in the list


_PAGE = msgspec.json.Decoder(Page)
_ID = msgspec.json.Decoder(_OnlyId)
