"""The page that Prometheus scrapes. It is assembled once per poll and served unchanged.

Both formats write samples in the same way, so that they share all pieces but the heads of counters:
in OpenMetrics the name of a counter is without the `_total` of its samples.
The metrics of the watcher itself are rendered at each scrape and appended.
"""

from collections.abc import Callable, Iterable, Mapping
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


_TOTAL = "_total"


def _heads(chosen: ExpositionFormat) -> dict[str, Piece]:
    """The help and the type of each metric."""
    helps = [(family.name, family.help) for family in ACCOUNT_FAMILIES]
    helps += [(family.name, family.help) for family in VM_FAMILIES]
    return {name: _head(name, text, chosen) for name, text in helps}


def _head(name: str, text: str, chosen: ExpositionFormat) -> Piece:
    kind = "counter" if name.endswith(_TOTAL) else "gauge"
    if chosen is ExpositionFormat.OPENMETRICS:
        name = name.removesuffix(_TOTAL)
    return Piece(f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode())


_HEADS = {chosen: _heads(chosen) for chosen in ExpositionFormat}


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
        self._pages: Mapping[ExpositionFormat, _Page] = {}
        self._gzip_wanted = False

    def publish(self, view: AccountView) -> None:
        """Replace the metrics of an account."""
        with self._lock:
            text = render(view, self._accounts.get(view.account))
            self._accounts[view.account], self._pages = text, {}
        if self._gzip_wanted:
            for piece in text.pieces:
                piece.packed()

    def drop(self, account: str) -> None:
        """Remove all series of an account."""
        with self._lock:
            self._accounts.pop(account, None)
            self._pages = {}

    def scrape(self, accept: str | None = None, accept_encoding: str | None = None) -> Scrape:
        """The complete exposition for a request with these headers."""
        chosen, gzip = negotiate(accept, accept_encoding)
        self._gzip_wanted |= gzip
        page, own = self._assembled(chosen), self._own(chosen)
        if gzip:
            return Scrape(member(page.packed(), own), chosen.value, "gzip")
        return Scrape((*(piece.data for piece in page.pieces), own), chosen.value, None)

    def _assembled(self, chosen: ExpositionFormat) -> _Page:
        page = self._pages.get(chosen)
        if page is None:
            with self._lock:
                page = _Page(tuple(_in_order(self._accounts.values(), _HEADS[chosen])))
                self._pages = {**self._pages, chosen: page}
        return page


def _in_order(accounts: Iterable[AccountText], heads: Mapping[str, Piece]) -> Iterable[Piece]:
    """The pieces grouped by metric. Metrics without samples are skipped."""
    headed = ""
    columns = zip(*(text.pieces for text in accounts), strict=True)
    for name, column in zip(COLUMNS, columns, strict=False):
        filled = [piece for piece in column if piece.data]
        if filled and name != headed:
            headed = name
            yield heads[name]
        yield from filled
