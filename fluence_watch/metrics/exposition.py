"""The page that Prometheus scrapes: put together once a poll, served as it is.

The families of the fleet are gauges, which both formats write alike, so one page serves both; the
metrics of the watcher itself are rendered at each scrape and follow it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from fluence_watch.metrics.account import COLUMNS, AccountText, Piece, render
from fluence_watch.metrics.deflate import EMPTY, Packed, concatenate, member
from fluence_watch.metrics.families import ACCOUNT_FAMILIES, VM_FAMILIES
from fluence_watch.metrics.negotiation import Format, negotiate
from fluence_watch.metrics.view import AccountView

__all__ = ["AccountView", "Exposition", "Format", "Scrape", "negotiate"]


def _head(name: str, text: str) -> Piece:
    return Piece(f"# HELP {name} {text}\n# TYPE {name} gauge\n".encode())


_HEADS = {family.name: _head(family.name, family.help) for family in ACCOUNT_FAMILIES} | {
    family.name: _head(family.name, family.help) for family in VM_FAMILIES
}


class Scrape(NamedTuple):
    """An answer: the body, and the values of its two headers."""

    body: bytes
    content_type: str
    content_encoding: str | None


@dataclass(frozen=True, slots=True)
class _Page:
    pieces: tuple[Piece, ...] = ()
    packed: Packed | None = EMPTY


class Exposition:
    """The current page. `publish` and `drop` may run in any thread, `scrape` in any other.

    `own` renders the metrics of the watcher itself for a format, with the end that it needs.
    """

    def __init__(self, own: Callable[[Format], bytes]) -> None:
        self._own = own
        self._accounts: dict[str, AccountText] = {}
        self._lock = Lock()
        self._page = _Page()
        self._gzip_wanted = False

    def publish(self, view: AccountView) -> None:
        """Take over what is known of an account now."""
        with self._lock:
            self._accounts[view.account] = render(view, self._accounts.get(view.account))
            self._page = self._assembled()

    def drop(self, account: str) -> None:
        """Forget an account, and all its series."""
        with self._lock:
            if self._accounts.pop(account, None):
                self._page = self._assembled()

    def scrape(self, accept: str | None = None, accept_encoding: str | None = None) -> Scrape:
        """The whole exposition, for a request with these headers."""
        chosen, gzip = negotiate(accept, accept_encoding)
        own = self._own(chosen)
        if gzip:
            return Scrape(member(self._packed(), own), chosen.value, "gzip")
        page = b"".join(piece.data for piece in self._page.pieces)
        return Scrape(page + own, chosen.value, None)

    def _packed(self) -> Packed:
        """The page compressed; from the first time on, each poll brings it so."""
        packed = self._page.packed
        if packed is not None:
            return packed
        with self._lock:
            self._gzip_wanted = True
            self._page = self._assembled()
            assert self._page.packed is not None
            return self._page.packed

    def _assembled(self) -> _Page:
        pieces = tuple(_in_order(self._accounts.values()))
        packed = concatenate(piece.packed() for piece in pieces) if self._gzip_wanted else None
        return _Page(pieces, packed)


def _in_order(accounts: Iterable[AccountText]) -> Iterable[Piece]:
    """The pieces metric by metric; a metric without a sample is left out."""
    headed = ""
    columns = zip(*(text.pieces for text in accounts), strict=True)
    for name, column in zip(COLUMNS, columns, strict=False):
        filled = [piece for piece in column if piece.data]
        if filled and name != headed:
            headed = name
            yield _HEADS[name]
        yield from filled
