"""The page that Prometheus scrapes. It is assembled once per poll and served unchanged.

All fleet metrics are gauges, which both formats write in the same way.
One page therefore serves both formats.
The metrics of the watcher itself are rendered at each scrape and appended.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from fluence_watch.metrics.account import COLUMNS, AccountText, Piece, render
from fluence_watch.metrics.account_families import ACCOUNT_FAMILIES
from fluence_watch.metrics.deflate import Packed, concatenate, member
from fluence_watch.metrics.families import VM_FAMILIES
from fluence_watch.metrics.negotiation import ExpositionFormat, negotiate
from fluence_watch.metrics.view import AccountView

__all__ = ["AccountView", "Exposition", "ExpositionFormat", "Scrape", "negotiate"]


def _head(name: str, text: str) -> Piece:
    return Piece(f"# HELP {name} {text}\n# TYPE {name} gauge\n".encode())


_HEADS = {family.name: _head(family.name, family.help) for family in ACCOUNT_FAMILIES} | {
    family.name: _head(family.name, family.help) for family in VM_FAMILIES
}


class Scrape(NamedTuple):
    """A response: the body in parts, and the values of the two content headers."""

    parts: tuple[bytes, ...]
    content_type: str
    content_encoding: str | None

    @property
    def body(self) -> bytes:
        """The joined parts."""
        return b"".join(self.parts)


@dataclass(slots=True)
class _Page:
    pieces: tuple[Piece, ...]
    _packed: Packed | None = None

    def packed(self) -> Packed:
        """The compressed page."""
        if self._packed is None:
            self._packed = concatenate(piece.packed() for piece in self.pieces)
        return self._packed


class Exposition:
    """The current page. `publish`, `drop` and `scrape` may run in any threads.

    `publish` renders the changes of an account. It also compresses them if scrapers use gzip.
    The next scrape assembles the pieces of all accounts.
    `own` renders the metrics of the watcher itself, including the end mark of the format.
    """

    def __init__(self, own: Callable[[ExpositionFormat], bytes]) -> None:
        self._own = own
        self._accounts: dict[str, AccountText] = {}
        self._lock = Lock()
        self._page: _Page | None = None
        self._gzip_wanted = False

    def publish(self, view: AccountView) -> None:
        """Replace the metrics of an account."""
        with self._lock:
            text = render(view, self._accounts.get(view.account))
            self._accounts[view.account], self._page = text, None
        if self._gzip_wanted:
            for piece in text.pieces:
                piece.packed()

    def drop(self, account: str) -> None:
        """Remove all series of an account."""
        with self._lock:
            self._accounts.pop(account, None)
            self._page = None

    def scrape(self, accept: str | None = None, accept_encoding: str | None = None) -> Scrape:
        """The complete exposition for a request with these headers."""
        chosen, gzip = negotiate(accept, accept_encoding)
        self._gzip_wanted |= gzip
        page, own = self._assembled(), self._own(chosen)
        if gzip:
            return Scrape(member(page.packed(), own), chosen.value, "gzip")
        return Scrape((*(piece.data for piece in page.pieces), own), chosen.value, None)

    def _assembled(self) -> _Page:
        page = self._page
        if page is None:
            with self._lock:
                page = self._page = _Page(tuple(_in_order(self._accounts.values())))
        return page


def _in_order(accounts: Iterable[AccountText]) -> Iterable[Piece]:
    """The pieces grouped by metric. Metrics without samples are skipped."""
    headed = ""
    columns = zip(*(text.pieces for text in accounts), strict=True)
    for name, column in zip(COLUMNS, columns, strict=False):
        filled = [piece for piece in column if piece.data]
        if filled and name != headed:
            headed = name
            yield _HEADS[name]
        yield from filled
